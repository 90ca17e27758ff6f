package wire

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message, its tag included.
type field struct {
	num protowire.Number
	typ protowire.Type
	// value is what a length-delimited field holds: a slice of the message. Nil for other types.
	value []byte
	// number is what a varint field holds. Zero for other types.
	number uint64
	// size is how many bytes the field takes in the message.
	size int
}

// is reports whether f is the length-delimited field with that number. A known number with
// another type is an unknown field to protobuf, and skipped.
func (f field) is(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.BytesType
}

// isVarint reports whether f is the varint field with that number.
func (f field) isVarint(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.VarintType
}

// short reads the first field of b if it is a length-delimited one of less than 128 bytes with
// that tag, as nearly every command and argument is: one byte of tag, one of length.
func short(b []byte, tag byte) (value []byte, size int) {
	if len(b) < 2 || b[0] != tag || b[1] >= 0x80 {
		return nil, 0
	}
	if size = 2 + int(b[1]); size > len(b) {
		return nil, 0
	}
	return b[2:size:size], size
}

// next reads the first field of b, which is not empty.
func next(b []byte) (field, error) {
	tag, n := uint64(b[0]), 1
	if tag >= 0x80 {
		if tag, n = protowire.ConsumeVarint(b); n < 0 {
			return field{}, reason(n)
		}
	}
	if num := tag >> 3; num < uint64(protowire.MinValidNumber) || num > uint64(protowire.MaxValidNumber) {
		return field{}, errEncoding
	}
	f := field{num: protowire.Number(tag >> 3), typ: protowire.Type(tag & 7)}
	var m int
	switch f.typ {
	case protowire.BytesType:
		f.value, m = protowire.ConsumeBytes(b[n:])
	case protowire.VarintType:
		f.number, m = protowire.ConsumeVarint(b[n:])
	default:
		m = protowire.ConsumeFieldValue(f.num, f.typ, b[n:])
	}
	if m < 0 {
		return field{}, reason(m)
	}
	f.size = n + m
	return f, nil
}

// Why bytes are no message.
var (
	errTruncated = errors.New("it ends within a field")
	errEncoding  = errors.New("it is not a protobuf encoding")
)

// reason translates protowire's negative lengths.
func reason(n int) error {
	if errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return errEncoding
}
