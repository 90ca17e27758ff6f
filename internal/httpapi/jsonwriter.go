package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/service"
)

// jsonWriter writes an encoded message as JSON, as protojson does but for two things: it goes from
// bytes to bytes, where structs would take fifteen times what a reply of small elements does; and the same
// message is the same text always, where protojson puts spaces in by chance, so that nobody relies on it.
type jsonWriter struct {
	// budget counts what the text takes; nil: nothing does.
	budget *budget
	paid   int64 // of it
	// out never has more room than is paid for: whoever appends to it has asked for that by need.
	out []byte
}

// write returns the JSON of a message, encoded as package wire does: the elements of a list
// follow each other. Before the text is as much room as is asked for. Its error is a status.
func (w *jsonWriter) write(b []byte, m *jsonMessage, room int) ([]byte, error) {
	// Binary replies become longer by a third, and text hardly.
	if err := w.need(room + len(b)/3*4 + 64); err != nil {
		return nil, err
	}
	w.out = w.out[:room]
	if err := w.message(b, m); err != nil {
		return nil, err
	}
	return w.out, nil
}

// need makes room for n bytes more, and counts it before there is any.
func (w *jsonWriter) need(n int) error {
	if n <= cap(w.out)-len(w.out) {
		return nil
	}
	return w.grow(n)
}

// grow makes room for half as much again, so that it is seldom called. Where that is more than there
// is, it takes half of what is asked for again and again: near the bound, too, it is not called often.
func (w *jsonWriter) grow(n int) error {
	have, least := cap(w.out), len(w.out)+n
	total := least
	for more := have / 2; have+more > least; more /= 2 {
		if w.pay(have+more) == nil {
			total = have + more
			break
		}
	}
	if err := w.pay(total); err != nil {
		return err
	}
	w.out = append(make([]byte, 0, total), w.out...)
	return nil
}

// pay counts a text of so many bytes in all.
func (w *jsonWriter) pay(total int) error {
	step := int64(total) - w.paid
	if w.budget == nil || step <= 0 {
		return nil
	}
	would, ok := w.budget.take(step)
	if !ok {
		return service.Refusal(&executor.LimitError{What: node.LimitRepliesInFlight, Actual: would, Allowed: w.budget.max})
	}
	w.paid += step
	return nil
}

// free ends the counting.
func (w *jsonWriter) free() {
	if w.budget != nil {
		w.budget.give(w.paid)
	}
	w.paid = 0
}

// put writes a piece of the text's form.
func (w *jsonWriter) put(s string) error {
	if err := w.need(len(s)); err != nil {
		return err
	}
	w.out = append(w.out, s...)
	return nil
}

// message writes one message.
func (w *jsonWriter) message(b []byte, m *jsonMessage) error {
	if m.opaque != nil {
		return w.opaque(b, m.opaque)
	}
	if err := w.put("{"); err != nil {
		return err
	}
	var list protowire.Number // whose elements come
	for first := true; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return service.Internal()
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(num, typ, b)
		if size < 0 {
			return service.Internal()
		}
		value := b[:size]
		b = b[size:]
		f := m.fields[num]
		if f == nil || typ != f.wire {
			continue // as protobuf does with what it does not know
		}
		if err := w.need(len(f.key) + len(`],[`)); err != nil {
			return err
		}
		if list == num {
			w.out = append(w.out, ',')
		} else {
			if list != 0 {
				w.out = append(w.out, ']')
			}
			if !first {
				w.out = append(w.out, ',')
			}
			list, first = 0, false
			w.out = append(w.out, f.key...)
			if f.list {
				w.out = append(w.out, '[')
				list = num
			}
		}
		if err := w.value(value, f); err != nil {
			return err
		}
	}
	if list != 0 {
		return w.put("]}")
	}
	return w.put("}")
}

// longestNumber is more than a number, or a truth value, takes as text.
const longestNumber = 32

// value writes one value, whose bytes are well formed.
func (w *jsonWriter) value(b []byte, f *jsonField) error {
	switch f.kind {
	case protoreflect.StringKind:
		text, _ := protowire.ConsumeBytes(b)
		return w.text(text)
	case protoreflect.BytesKind:
		data, _ := protowire.ConsumeBytes(b)
		if err := w.need(base64.StdEncoding.EncodedLen(len(data)) + len(`""`)); err != nil {
			return err
		}
		w.out = append(w.out, '"')
		w.out = base64.StdEncoding.AppendEncode(w.out, data)
		w.out = append(w.out, '"')
		return nil
	case protoreflect.MessageKind:
		inner, _ := protowire.ConsumeBytes(b)
		return w.message(inner, f.message)
	case protoreflect.DoubleKind:
		bits, _ := protowire.ConsumeFixed64(b)
		return w.double(math.Float64frombits(bits))
	default:
		n, _ := protowire.ConsumeVarint(b)
		return w.integer(n, f)
	}
}

// integer writes what travels as a varint.
func (w *jsonWriter) integer(n uint64, f *jsonField) error {
	if err := w.need(longestNumber); err != nil {
		return err
	}
	switch f.kind {
	case protoreflect.BoolKind:
		w.out = strconv.AppendBool(w.out, n != 0)
	case protoreflect.EnumKind:
		if name := f.enum.ByNumber(protoreflect.EnumNumber(int32(n))); name != nil {
			return w.text([]byte(name.Name()))
		}
		w.out = strconv.AppendInt(w.out, int64(int32(n)), 10)
	case protoreflect.Int32Kind:
		w.out = strconv.AppendInt(w.out, int64(int32(n)), 10)
	case protoreflect.Uint32Kind:
		w.out = strconv.AppendUint(w.out, uint64(uint32(n)), 10)
	case protoreflect.Int64Kind: // in quotes: JavaScript's numbers are exact up to 2^53 only
		w.out = append(strconv.AppendInt(append(w.out, '"'), int64(n), 10), '"')
	case protoreflect.Uint64Kind:
		w.out = append(strconv.AppendUint(append(w.out, '"'), n, 10), '"')
	}
	return nil
}

func (w *jsonWriter) double(v float64) error {
	if err := w.need(longestNumber); err != nil {
		return err
	}
	switch {
	case math.IsNaN(v):
		w.out = append(w.out, `"NaN"`...)
	case math.IsInf(v, 1):
		w.out = append(w.out, `"Infinity"`...)
	case math.IsInf(v, -1):
		w.out = append(w.out, `"-Infinity"`...)
	case v == 0 && math.Signbit(v):
		w.out = append(w.out, `-0`...)
	default:
		b, _ := json.Marshal(v) // of a number: without an error
		w.out = append(w.out, b...)
	}
	return nil
}

const hexDigits = "0123456789abcdef"

const (
	// textPiece is how much of a string is looked at before there is room for it.
	textPiece = 4 << 10
	// longestEscape is what a byte of a string takes at most as text.
	longestEscape = len(`\u0000`)
)

// text writes a string. What is not valid UTF-8 becomes U+FFFD.
func (w *jsonWriter) text(s []byte) error {
	if err := w.put(`"`); err != nil {
		return err
	}
	for len(s) > 0 {
		n := min(len(s), textPiece)
		for back := 1; n < len(s) && back < utf8.UTFMax && !utf8.RuneStart(s[n]); back++ {
			n-- // not within a character
		}
		if cap(w.out)-len(w.out) < longestEscape*n { // else there is room whatever it is
			if err := w.need(escaped(s[:n])); err != nil {
				return err
			}
		}
		w.out = appendEscaped(w.out, s[:n])
		s = s[n:]
	}
	return w.put(`"`)
}

// escaped is the most bytes that a piece of a string takes as text: six for a control character, two
// for a quote, three for a byte that is no part of a character.
func escaped(s []byte) int {
	n := len(s)
	whole := utf8.Valid(s)
	for _, c := range s {
		switch {
		case c < ' ':
			n += 5
		case c == '"' || c == '\\':
			n++
		case c >= utf8.RuneSelf && !whole:
			n += 2
		}
	}
	return n
}

func appendEscaped(out, s []byte) []byte {
	begin := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			out = append(out, s[begin:i]...)
			switch c {
			case '"', '\\':
				out = append(out, '\\', c)
			case '\n':
				out = append(out, `\n`...)
			case '\r':
				out = append(out, `\r`...)
			case '\t':
				out = append(out, `\t`...)
			default:
				out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			begin = i
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			out = append(append(out, s[begin:i]...), "\ufffd"...)
			begin = i + n
		}
		i += n
	}
	return append(out, s[begin:]...)
}

// opaque writes a message that has a JSON form of its own, such as google.protobuf.Any.
func (w *jsonWriter) opaque(b []byte, kind protoreflect.MessageType) error {
	m := kind.New().Interface()
	if err := proto.Unmarshal(b, m); err != nil {
		return service.Internal()
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return service.Internal()
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return service.Internal()
	}
	return w.put(compact.String())
}
