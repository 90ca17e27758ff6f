package control

import (
	"maps"
	"slices"

	"github.com/valkey-io/valkey-go"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// maxDepth bounds the nesting of a reply that is written out again.
const maxDepth = 32

// appendFrame writes a message out again as RESP3, for the parsers that read frames.
// valkey-go hides what was on the wire, so that only the meaning is kept: strings of
// every kind become bulk strings, sets arrays, and the entries of a map are sorted.
// ok is false for what COMMAND never answers with: errors, doubles, and more.
func appendFrame(dst []byte, m valkey.ValkeyMessage, depth int) (frame []byte, ok bool) {
	if depth > maxDepth {
		return dst, false
	}
	switch {
	case m.IsNil():
		return resp.AppendNull(dst), true
	case m.IsInt64():
		n, err := m.ToInt64()
		return resp.AppendInteger(dst, n), err == nil
	case m.IsArray():
		elements, err := m.ToArray()
		if err != nil {
			return dst, false
		}
		dst = resp.AppendArrayHeader(dst, len(elements))
		for _, e := range elements {
			if dst, ok = appendFrame(dst, e, depth+1); !ok {
				return dst, false
			}
		}
		return dst, true
	case m.IsMap():
		entries, err := m.ToMap()
		if err != nil {
			return dst, false
		}
		dst = resp.AppendMapHeader(dst, len(entries))
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			dst = resp.AppendBulk(dst, []byte(name))
			if dst, ok = appendFrame(dst, entries[name], depth+1); !ok {
				return dst, false
			}
		}
		return dst, true
	case m.IsString():
		text, err := m.ToString()
		return resp.AppendBulk(dst, []byte(text)), err == nil
	default:
		return dst, false
	}
}
