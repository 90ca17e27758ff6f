package wire

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// scalarSize is the size of the Value that a token which is no aggregate makes.
func (v *values) scalarSize(e resp.Element) int {
	switch e.Type {
	case resp.TypeSimple, resp.TypeBulk:
		return delimited(len(e.Text))
	case resp.TypeNull, resp.TypeBoolean:
		return 2
	case resp.TypeInteger:
		if n, err := strconv.ParseInt(string(e.Text), 10, 64); err == nil {
			return 1 + protowire.SizeVarint(uint64(n))
		}
	case resp.TypeDouble:
		if _, ok := parseDouble(e.Text); ok {
			return 1 + 8
		}
	case resp.TypeBigNumber:
		return delimited(len(validText(string(e.Text))))
	case resp.TypeVerbatim:
		format, data := verbatim(e.Text)
		return delimited(optional(len(format)) + optional(len(data)))
	}
	return delimited(v.errorOf(e).size())
}

// scalar writes the Value that a token which is no aggregate makes. It reports whether that is
// an error.
func (v *values) scalar(e resp.Element) (failed bool) {
	switch e.Type {
	case resp.TypeSimple, resp.TypeBulk:
		num := valueBytes
		if v.isText(e) {
			num = valueString
		}
		v.header(num, len(e.Text))
		v.bytes(e.Text)
		return false
	case resp.TypeNull:
		v.varint(valueNull, 1)
		return false
	case resp.TypeBoolean:
		v.varint(valueBoolean, protowire.EncodeBool(string(e.Text) == "t"))
		return false
	case resp.TypeInteger:
		if n, err := strconv.ParseInt(string(e.Text), 10, 64); err == nil {
			v.varint(valueInteger, uint64(n))
			return false
		}
	case resp.TypeDouble:
		if f, ok := parseDouble(e.Text); ok {
			v.room(1 + 8)
			v.buf = append(v.buf, tag(valueDouble, protowire.Fixed64Type))
			v.buf = protowire.AppendFixed64(v.buf, math.Float64bits(f))
			return false
		}
	case resp.TypeBigNumber:
		text := validText(string(e.Text))
		v.header(valueBigNumber, len(text))
		v.string(text)
		return false
	case resp.TypeVerbatim:
		format, data := verbatim(e.Text)
		v.header(valueVerbatim, optional(len(format))+optional(len(data)))
		v.optionalString(verbatimFormat, format)
		if len(data) > 0 {
			v.header(verbatimData, len(data))
			v.bytes(data)
		}
		return false
	}
	failure := v.errorOf(e)
	v.header(valueError, failure.size())
	v.commandError(failure)
	return true
}

// varint writes a varint field.
func (v *values) varint(num protowire.Number, n uint64) {
	v.room(1 + 10)
	v.buf = append(v.buf, tag(num, protowire.VarintType))
	v.buf = protowire.AppendVarint(v.buf, n)
}

// string appends s.
func (v *values) string(s string) {
	v.room(len(s))
	v.buf = append(v.buf, s...)
}

// optional is the size of a length-delimited field that is left out when it is empty.
func optional(n int) int {
	if n == 0 {
		return 0
	}
	return delimited(n)
}

// optionalString writes a string field unless it is empty.
func (v *values) optionalString(num protowire.Number, s string) {
	if s != "" {
		v.header(num, len(s))
		v.string(s)
	}
}

// commandError is a CommandError before it is written: its texts are valid UTF-8.
type commandError struct {
	code, message, node string
	outcome             executor.Outcome
}

// errorValue makes an error ready to be written. Texts that are not UTF-8 (scripts can raise
// any bytes) have their bad bytes replaced.
func errorValue(e *executor.CommandError) commandError {
	return commandError{code: validText(e.Code), message: validText(e.Message), node: validText(e.Node), outcome: e.Outcome}
}

// errorOf is the error that a token stands for: an error reply, or one that is unreadable.
func (v *values) errorOf(e resp.Element) commandError {
	switch e.Type {
	case resp.TypeError, resp.TypeBulkError:
		return errorValue(&executor.CommandError{Code: resp.ErrorCode(e.Text), Message: string(e.Text), Outcome: executor.Failed, Node: v.node})
	case resp.TypeInteger:
		return v.malformed("an integer is not a 64-bit number")
	case resp.TypeDouble:
		return v.malformed("a double is not a number")
	}
	return v.malformed(fmt.Sprintf("%q is no type of RESP3", e.Type))
}

// malformed is the error that stands for an unreadable reply. The command ran.
func (v *values) malformed(what string) commandError {
	return errorValue(&executor.CommandError{
		Code:    CodeProtocol,
		Message: CodeProtocol + " the reply is malformed: " + what,
		Outcome: executor.Failed,
		Node:    v.node,
	})
}

func (e commandError) size() int {
	n := optional(len(e.code)) + optional(len(e.message)) + optional(len(e.node))
	if e.outcome != 0 {
		n += 2
	}
	return n
}

func (v *values) commandError(e commandError) {
	v.optionalString(errorCode, e.code)
	v.optionalString(errorMessage, e.message)
	if e.outcome != 0 {
		v.varint(errorOutcome, uint64(e.outcome))
	}
	v.optionalString(errorNode, e.node)
}

// parseDouble reads a RESP3 double. The server writes infinities as inf and -inf, and what is
// not a number as nan; C libraries may put a sign before it.
func parseDouble(b []byte) (f float64, ok bool) {
	if s := string(b); s == "nan" || s == "-nan" {
		return math.NaN(), true
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// verbatim splits the text of a verbatim string into its three-letter format and the rest.
func verbatim(b []byte) (format string, data []byte) {
	if len(b) < 4 || b[3] != ':' {
		return "", b
	}
	return validText(string(b[:3])), b[4:]
}

// validText returns s with every byte that is not UTF-8 replaced by U+FFFD.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
