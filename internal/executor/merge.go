package executor

import (
	"fmt"
	"math/rand/v2"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// merge says how the parts of one command become one result.
type merge struct {
	policy command.ResponsePolicy
	// parts is how many parts the command has.
	parts int
	// order holds, for a command split over slots, the part of each key in the caller's order.
	order []int32
}

// merge makes one result of the parts of a command. An error of any part is the command's
// error, so that a partial answer is never taken for a whole one; only policies that ask for
// one good answer (ONE_SUCCEEDED, first non-null) look past it.
func (m merge) merge(parts []part) Result {
	var failed *part
	first := 0
	if m.policy == command.FirstNonNull {
		first = rand.N(len(parts)) // RANDOMKEY: any node's answer is as good as another's
	}
	for i := range parts {
		pt := &parts[(first+i)%len(parts)]
		if pt.err != nil {
			if failed == nil {
				failed = pt
			}
			continue
		}
		if m.policy == command.OneSucceeded || (m.policy == command.FirstNonNull && !pt.reply.IsNull()) {
			return Result{Frame: pt.reply, Node: pt.node}
		}
	}
	if failed != nil {
		return Result{Err: partial(failed, parts)}
	}
	if len(parts) == 1 && m.policy != command.ByNode {
		return Result{Frame: parts[0].reply, Node: parts[0].node}
	}
	frame, err := m.frames(parts)
	if err != nil {
		return Result{Err: &CommandError{Code: CodeReply, Message: err.Error(), Outcome: Failed}}
	}
	return Result{Frame: frame}
}

// partial makes a part's error that of the whole command, with the outcome of the whole: if
// other parts took effect, the command as such was neither executed nor certainly not.
func partial(failed *part, parts []part) *CommandError {
	err := *failed.err
	done := 0
	for i := range parts {
		switch e := parts[i].err; {
		case e == nil:
			done++
		case e.Outcome == Unknown:
			err.Outcome = Unknown
		}
	}
	if done > 0 {
		err.Message = fmt.Sprintf("%s (%d of the command's %d parts succeeded)", err.Message, done, len(parts))
	}
	if err.Outcome == NotExecuted && !allNotExecuted(parts) {
		err.Outcome = Failed
	}
	return &err
}

func allNotExecuted(parts []part) bool {
	for i := range parts {
		if e := parts[i].err; e == nil || e.Outcome != NotExecuted {
			return false
		}
	}
	return true
}

// frames merges replies, none of which is an error, by the command's response policy.
func (m merge) frames(parts []part) (resp.Frame, error) {
	switch m.policy {
	case command.KeyOrder:
		return m.inKeyOrder(parts)
	case command.Sum:
		return mergeIntegers(parts, func(a, b int64) int64 { return a + b })
	case command.Min:
		return mergeIntegers(parts, func(a, b int64) int64 { return min(a, b) })
	case command.Max:
		return mergeIntegers(parts, func(a, b int64) int64 { return max(a, b) })
	case command.LogicalAnd:
		return mergeIntegers(parts, func(a, b int64) int64 { return truth(a != 0 && b != 0) })
	case command.LogicalOr:
		return mergeIntegers(parts, func(a, b int64) int64 { return truth(a != 0 || b != 0) })
	case command.Concat:
		return concat(parts), nil
	case command.ByNode:
		return byNode(parts), nil
	case command.SumMap:
		return sumMap(parts)
	}
	// ALL_SUCCEEDED, and a first non-null of which all are null.
	return parts[len(parts)-1].reply, nil
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// inKeyOrder puts the elements of the parts' arrays back into the caller's key order.
func (m merge) inKeyOrder(parts []part) (resp.Frame, error) {
	size := 16
	rest := make([]elements, len(parts))
	for i := range parts {
		var err error
		if rest[i], err = elementsOf(&parts[i]); err != nil {
			return nil, err
		}
		size += len(parts[i].reply)
	}
	out := resp.AppendArrayHeader(make([]byte, 0, size), len(m.order))
	for _, i := range m.order {
		element, ok := rest[i].next()
		if !ok {
			return nil, fmt.Errorf("%s answered with fewer elements than it was asked for keys", parts[i].node)
		}
		out = append(out, element...)
	}
	return out, nil
}

// mergeIntegers merges integers, or arrays of integers element by element.
func mergeIntegers(parts []part, merge func(a, b int64) int64) (resp.Frame, error) {
	if n, ok := parts[0].reply.Integer(); ok {
		for i := 1; i < len(parts); i++ {
			v, ok := parts[i].reply.Integer()
			if !ok {
				return nil, mismatch(&parts[i], "an integer")
			}
			n = merge(n, v)
		}
		return resp.AppendInteger(nil, n), nil
	}
	var total []int64
	for i := range parts {
		e, err := elementsOf(&parts[i])
		if err != nil {
			return nil, mismatch(&parts[i], "an integer")
		}
		n := 0
		for f, ok := e.next(); ok; f, ok = e.next() {
			v, isInteger := f.Integer()
			switch {
			case !isInteger:
				return nil, mismatch(&parts[i], "integers")
			case i == 0:
				total = append(total, v)
			case n >= len(total):
				return nil, mismatch(&parts[i], fmt.Sprintf("%d elements", len(total)))
			default:
				total[n] = merge(total[n], v)
			}
			n++
		}
		if n != len(total) {
			return nil, mismatch(&parts[i], fmt.Sprintf("%d elements", len(total)))
		}
	}
	out := resp.AppendArrayHeader(nil, len(total))
	for _, n := range total {
		out = resp.AppendInteger(out, n)
	}
	return out, nil
}

// concat joins arrays and sets. Replies of other types are given by node instead.
func concat(parts []part) resp.Frame {
	count, size := 0, 16
	kind := parts[0].reply.Type()
	for i := range parts {
		if t := parts[i].reply.Type(); t != kind || (t != '*' && t != '~') || parts[i].reply.IsNull() {
			return byNode(parts)
		}
		e, err := elementsOf(&parts[i])
		if err != nil {
			return byNode(parts)
		}
		count += e.count
		size += len(e.rest)
	}
	out := resp.AppendArrayHeader(make([]byte, 0, size), count)
	out[0] = kind
	for i := range parts {
		e, _ := elementsOf(&parts[i])
		out = append(out, e.rest...)
	}
	return out
}

// byNode makes a map from node address to reply.
func byNode(parts []part) resp.Frame {
	size := 16
	for i := range parts {
		size += len(parts[i].reply) + len(parts[i].node) + 16
	}
	out := resp.AppendMapHeader(make([]byte, 0, size), len(parts))
	for i := range parts {
		out = resp.AppendBulk(out, []byte(parts[i].node))
		out = append(out, parts[i].reply...)
	}
	return out
}

// sumMap adds up the values of equal keys, in order of first appearance. The nodes give
// maps, or arrays of keys and values in turn; the sum has the form that they have.
func sumMap(parts []part) (resp.Frame, error) {
	var keys []resp.Frame
	sums := make(map[string]int64)
	kind := parts[0].reply.Type()
	for i := range parts {
		if parts[i].reply.Type() != kind {
			return nil, mismatch(&parts[i], "what the others gave")
		}
		e, err := elementsOf(&parts[i])
		if err != nil {
			return nil, mismatch(&parts[i], "a map")
		}
		for key, ok := e.next(); ok; key, ok = e.next() {
			value, _ := e.next()
			n, isInteger := value.Integer()
			if !isInteger {
				return nil, mismatch(&parts[i], "a map of integers")
			}
			if _, seen := sums[string(key)]; !seen {
				keys = append(keys, key)
			}
			sums[string(key)] += n
		}
	}
	var out []byte
	if kind == '%' {
		out = resp.AppendMapHeader(out, len(keys))
	} else {
		out = resp.AppendArrayHeader(out, 2*len(keys))
	}
	for _, key := range keys {
		out = resp.AppendInteger(append(out, key...), sums[string(key)])
	}
	return out, nil
}

func mismatch(pt *part, want string) error {
	return fmt.Errorf("the nodes' replies cannot be merged: %s gave a reply of type %q instead of %s", pt.node, pt.reply.Type(), want)
}
