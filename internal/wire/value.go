package wire

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// CodeProtocol is the code of an error_value that stands for a reply, or a part of one, that
// is not what its type says. A server that keeps to RESP3 never gives such a reply.
const CodeProtocol = "PROTOCOL"

const (
	// maxDepth bounds the recursion over one reply. It is far above what the connections let
	// through by default; a value nested deeper would be refused by most clients' decoders.
	maxDepth = 512
	// minElement is the fewest bytes that one element can take ("_\r\n"): no more elements than
	// that are believed, whatever a header claims.
	minElement = 3
)

// values writes replies as Values of the contract, straight from their frames. A message is
// written behind its length, so what is nested is measured first.
type values struct {
	segments
	// text says that the command was given as text, so that its replies are text where they can be.
	text bool
	// node gave the reply, and so any error inside it.
	node string
	// sizes holds the lengths of the nested messages of one reply, in the order in which they
	// are written, and at the number of those that are.
	sizes []int
	at    int
	// failed counts the results that are errors.
	failed int
}

// delimited is the size of a length-delimited field of one of the contract's numbers.
func delimited(n int) int { return 1 + protowire.SizeVarint(uint64(n)) + n }

// header appends the head of a length-delimited field of n bytes.
func (v *values) header(num protowire.Number, n int) {
	v.room(1 + 10)
	v.buf = append(v.buf, tag(num, protowire.BytesType))
	v.buf = protowire.AppendVarint(v.buf, uint64(n))
}

// result writes what came of one command as one of the response's results. Whatever the frame
// holds, the result has a kind.
func (v *values) result(r *executor.Result) {
	if r.Err != nil {
		v.errorResult(errorValue(r.Err))
		return
	}
	if text, ok := r.Frame.Bytes(); ok && len(text) <= maxPlain {
		v.plain(text, v.text && utf8.Valid(text))
		return
	}
	if r.Frame.IsSimple("OK") {
		v.plain(okText, true)
		return
	}
	v.node = r.Node
	e, elements, err := resp.Next(r.Frame)
	rest, size := elements, 0
	switch {
	case err != nil:
	case e.Type == resp.TypeInteger && len(rest) == 0:
		if n, err := strconv.ParseInt(string(e.Text), 10, 64); err == nil {
			v.header(responseResults, 1+protowire.SizeVarint(uint64(n)))
			v.varint(valueInteger, uint64(n))
			return
		}
		size = v.scalarSize(e)
	case aggregate(e.Type):
		v.sizes, v.at = v.sizes[:0], 0
		size, rest, err = v.measure(e, elements, 0)
	default:
		size = v.scalarSize(e)
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the reply", len(rest))
	}
	if err != nil {
		v.errorResult(v.malformed(err.Error()))
		return
	}
	v.header(responseResults, size)
	if aggregate(e.Type) {
		v.write(e, elements)
		return
	}
	if v.scalar(e) {
		v.failed++
	}
}

// maxPlain is the length up to which all lengths around a string take one byte.
const maxPlain = 0x80 - 3

var okText = []byte("OK")

// plain writes a short string as a result in one go.
func (v *values) plain(s []byte, text bool) {
	num := valueBytes
	if text {
		num = valueString
	}
	v.room(4 + len(s))
	n := byte(len(s))
	v.buf = append(v.buf, tag(responseResults, protowire.BytesType), n+2, tag(num, protowire.BytesType), n)
	v.buf = append(v.buf, s...)
}

// errorResult writes an error as a result.
func (v *values) errorResult(e commandError) {
	v.failed++
	n := e.size()
	v.header(responseResults, delimited(n))
	v.header(valueError, n)
	v.commandError(e)
}

// aggregate reports whether a reply of the type has elements.
func aggregate(typ byte) bool {
	return typ == resp.TypeArray || typ == resp.TypeSet || typ == resp.TypeMap
}

// measure returns the size of the Value that begins with token e, what follows it in b, and
// notes the lengths of the messages in it. An error means that no boundary is known any more.
func (v *values) measure(e resp.Element, b []byte, depth int) (size int, rest []byte, err error) {
	if depth > maxDepth {
		return 0, nil, fmt.Errorf("the reply is nested deeper than %d levels", maxDepth)
	}
	if !aggregate(e.Type) {
		return v.scalarSize(e), b, nil
	}
	at := v.note()
	body := 0
	if e.Type == resp.TypeMap {
		if e.Count > len(b)/(2*minElement) {
			return 0, nil, fmt.Errorf("%d map entries are announced and %d bytes follow", e.Count, len(b))
		}
		for range e.Count {
			entry, n := v.note(), 0
			for range 2 {
				if size, b, err = v.measureNext(b, depth+1); err != nil {
					return 0, nil, err
				}
				n += delimited(size)
			}
			v.sizes[entry] = n
			body += delimited(n)
		}
	} else {
		if e.Count > len(b)/minElement {
			return 0, nil, fmt.Errorf("%d elements are announced and %d bytes follow", e.Count, len(b))
		}
		for range e.Count {
			if size, b, err = v.measureNext(b, depth+1); err != nil {
				return 0, nil, err
			}
			body += delimited(size)
		}
	}
	v.sizes[at] = body
	return delimited(body), b, nil
}

// measureNext measures the element that b begins with.
func (v *values) measureNext(b []byte, depth int) (size int, rest []byte, err error) {
	e, rest, err := resp.Next(b)
	if err != nil {
		return 0, nil, err
	}
	return v.measure(e, rest, depth)
}

// note keeps a place among the sizes.
func (v *values) note() int {
	v.sizes = append(v.sizes, 0)
	return len(v.sizes) - 1
}

// noted takes the next of the sizes.
func (v *values) noted() int {
	v.at++
	return v.sizes[v.at-1]
}

// write writes the Value that begins with token e and was measured, and returns what follows it.
func (v *values) write(e resp.Element, b []byte) (rest []byte) {
	switch e.Type {
	case resp.TypeMap:
		v.header(valueMap, v.noted())
		for range e.Count {
			v.header(mapEntries, v.noted())
			b = v.writeNext(entryKey, b)
			b = v.writeNext(entryValue, b)
		}
	case resp.TypeArray:
		v.header(valueArray, v.noted())
		for range e.Count {
			b = v.writeNext(arrayElements, b)
		}
	case resp.TypeSet:
		v.header(valueSet, v.noted())
		for range e.Count {
			b = v.writeNext(setMembers, b)
		}
	default:
		v.scalar(e)
	}
	return b
}

// writeNext writes the element that b begins with as a field, and returns what follows it.
func (v *values) writeNext(num protowire.Number, b []byte) (rest []byte) {
	e, rest, _ := resp.Next(b) // was measured
	size := 0
	if aggregate(e.Type) {
		size = delimited(v.sizes[v.at])
	} else {
		size = v.scalarSize(e)
	}
	v.header(num, size)
	return v.write(e, rest)
}

// isText reports whether a string is given as text. A script can return a simple string of any
// bytes, and a string field that is not UTF-8 would make the whole response unreadable.
func (v *values) isText(e resp.Element) bool {
	return (v.text || e.Type == resp.TypeSimple) && utf8.Valid(e.Text)
}
