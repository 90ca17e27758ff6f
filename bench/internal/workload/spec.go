package workload

import (
	"fmt"
	"strconv"
	"strings"
)

// Spec says what the callers of a scenario send. It fully determines keys and values, so
// that the process that loads the data and those that ask for it need not talk of them.
type Spec struct {
	Commands string // "get", "set", "mix", "mget"
	Batch    int    // commands of a batch
	Size     int    // bytes of a value
	Keys     int    // different keys; 0: as many as fit dataBytes, 100,000 at most
	PerMGet  int    // keys of one MGET
	Atomic   bool   // the keys of a batch share a slot
}

const (
	mostKeys  = 100_000
	dataBytes = 32 << 20 // of values, unless Keys says otherwise
)

// kinds are the commands of a batch in their order, over and over.
var kinds = map[string][]Kind{
	"get":  {Get},
	"set":  {Set},
	"mix":  {Get, Set, Get, Incr, Get, HSet, Get, Get},
	"mget": {MGet},
}

// Validate says what is wrong with the spec.
func (s Spec) Validate() error {
	switch {
	case kinds[s.Commands] == nil:
		return fmt.Errorf("no commands are called %q", s.Commands)
	case s.Batch < 1 || s.Size < 8:
		return fmt.Errorf("a batch has a command and a value 8 bytes at least, not %d and %d", s.Batch, s.Size)
	case (s.Commands == "mget") != (s.PerMGet > 0):
		return fmt.Errorf("keys of an MGET are for mget: %q, %d", s.Commands, s.PerMGet)
	case s.Atomic && s.Commands == "mget":
		return fmt.Errorf("mget has no atomic form here")
	}
	return nil
}

// perOp is the keys of one command.
func (s Spec) perOp() int { return max(s.PerMGet, 1) }

// count is how many keys there are: a whole number of batches.
func (s Spec) count() int {
	keys := s.Keys
	if keys == 0 {
		keys = min(mostKeys, dataBytes/s.Size)
	}
	batch := s.Batch * s.perOp()
	return max(1, (keys+batch-1)/batch) * batch
}

// Dataset names the data that the spec needs: equal names, equal data.
func (s Spec) Dataset() string {
	tags := 0
	if s.Atomic {
		tags = s.Batch
	}
	return fmt.Sprintf("%d keys of %d bytes, tagged by %d", s.count(), s.Size, tags)
}

// key returns the i-th key. Those of one atomic batch share a hash tag.
func (s Spec) key(i int) string {
	if s.Atomic {
		return "{" + strconv.Itoa(i/s.Batch) + "}:" + strconv.Itoa(i)
	}
	return "key:" + strconv.Itoa(i)
}

// value returns the value of the i-th key: its number, then letters.
func (s Spec) value(i int) string {
	var b strings.Builder
	b.Grow(s.Size)
	fmt.Fprintf(&b, "%08d", i)
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	for b.Len() < s.Size {
		b.WriteString(letters[:min(len(letters), s.Size-b.Len())])
	}
	return b.String()
}

// Load returns the commands that write the data, whatever the spec's own commands are.
func (s Spec) Load() []Op {
	ops := make([]Op, s.count())
	for i := range ops {
		ops[i] = s.op(Set, i)
	}
	return ops
}

// Ops returns the commands of the scenario: a whole number of batches, one behind another.
func (s Spec) Ops() []Op {
	kinds := kinds[s.Commands]
	ops := make([]Op, s.count()/s.perOp())
	for i := range ops {
		// The kinds follow each other within every batch from its start.
		ops[i] = s.op(kinds[i%s.Batch%len(kinds)], i)
	}
	return ops
}

func (s Spec) op(kind Kind, i int) Op {
	o := Op{Kind: kind}
	switch kind {
	case MGet:
		for j := i * s.PerMGet; j < (i+1)*s.PerMGet; j++ {
			o.Keys = append(o.Keys, s.key(j))
			o.KeysBytes = append(o.KeysBytes, []byte(s.key(j)))
			o.Values = append(o.Values, s.value(j))
		}
		return o
	case Incr:
		o.Key = s.key(i) + ":count"
	case HSet:
		o.Key, o.Value = s.key(i)+":hash", s.value(i)
	default:
		o.Key, o.Value = s.key(i), s.value(i)
	}
	o.KeyBytes, o.ValueBytes = []byte(o.Key), []byte(o.Value)
	return o
}

// Cursor walks a caller's batches through the commands. Callers begin at places of their own.
type Cursor struct {
	ops   []Op
	batch int
	next  int
}

// NewCursor returns the cursor of one of the callers.
func NewCursor(ops []Op, batch, caller, callers int) *Cursor {
	batches := len(ops) / batch
	return &Cursor{ops: ops, batch: batch, next: batches * caller / callers * batch}
}

// Next returns the next batch.
func (c *Cursor) Next() []Op {
	b := c.ops[c.next : c.next+c.batch]
	if c.next += c.batch; c.next == len(c.ops) {
		c.next = 0
	}
	return b
}
