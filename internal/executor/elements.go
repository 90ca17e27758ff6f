package executor

import "github.com/valkeybatch/valkeybatch/internal/resp"

// elements walks the top-level elements of an aggregate reply.
type elements struct {
	rest  []byte
	count int
}

// elementsOf begins a walk of a part's reply: an array, a set, or a map, whose keys and
// values come in turn.
func elementsOf(pt *part) (elements, error) {
	e, rest, err := resp.Next(pt.reply)
	if err != nil {
		return elements{}, err
	}
	switch e.Type {
	case '*', '~':
		return elements{rest: rest, count: max(e.Count, 0)}, nil
	case '%':
		return elements{rest: rest, count: 2 * e.Count}, nil
	}
	return elements{}, mismatch(pt, "an array")
}

// next returns the next element, or false after the last one.
func (e *elements) next() (resp.Frame, bool) {
	if e.count <= 0 {
		return nil, false
	}
	f, rest, err := resp.Cut(e.rest)
	if err != nil {
		e.count = 0
		return nil, false
	}
	e.rest = rest
	e.count--
	return f, true
}
