package check

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// replies checks the replies that stand for themselves.
func (c *checker) replies(b *history.Batch) {
	for i := range b.Commands {
		if b.Of(i) != subject.Succeeded || i >= len(b.Results) {
			continue
		}
		cmd, reply := &b.Commands[i], b.Results[i].Reply
		switch cmd.Kind {
		case history.Set, history.SetMany:
			if reply != "OK" {
				c.violate(WrongReply, b, "%s was answered with %v", cmd.Kind, reply)
			}
		case history.Bump:
			if n, ok := reply.(int64); !ok || n < 1 {
				c.violate(WrongReply, b, "INCR was answered with %v", reply)
			}
		case history.Wait:
			if reply != nil {
				c.violate(WrongReply, b, "BLPOP of a list that is always empty was answered with %v", reply)
			}
		case history.Fixed:
			c.fixed(b, cmd, reply)
		case history.Count:
			n, ok := reply.(int64)
			if !ok || (int(n) < c.Keys && !slices.ContainsFunc(c.near(b, nil), func(f *history.Fault) bool { return f.Moves })) {
				c.violate(WrongReply, b, "DBSIZE was answered with %v; there are %d keys at least", reply, c.Keys)
			}
		}
	}
}

func (c *checker) fixed(b *history.Batch, cmd *history.Command, reply any) {
	values, ok := reply.([]any)
	if !ok || len(values) != len(cmd.Values) {
		c.violate(WrongReply, b, "MGET of %d keys was answered with %v", len(cmd.Values), reply)
		return
	}
	for i, want := range cmd.Values {
		if values[i] != want {
			c.violate(WrongReply, b, "MGET gave %v for %s, which holds %q", values[i], cmd.Keys[i], want)
		}
	}
}

// counter is what was asked of one counter.
type counter struct {
	sure, perhaps int
	twice         bool // increments may have happened more than once
	slots         []uint16
	replies       map[int64]*history.Batch
}

// counters checks the counters against their increments.
func (c *checker) counters() {
	all := map[string]*counter{}
	for i := range c.Batches {
		b := &c.Batches[i]
		for j := range b.Commands {
			cmd := &b.Commands[j]
			if cmd.Kind != history.Bump {
				continue
			}
			n := all[cmd.Keys[0]]
			if n == nil {
				n = &counter{slots: cmd.Slots, replies: map[int64]*history.Batch{}}
				all[cmd.Keys[0]] = n
			}
			n.twice = n.twice || b.RetryConnection
			switch b.Of(j) {
			case subject.Succeeded:
				n.sure++
				reply, _ := b.Results[j].Reply.(int64)
				if other := n.replies[reply]; other != nil && len(c.lossy(n.slots)) == 0 {
					c.violate(WrongReply, b, "INCR of %s was answered with %d, and so was that of caller %d, batch %d", cmd.Keys[0], reply, other.Caller, other.Number)
				}
				n.replies[reply] = b
			case subject.Unknown:
				n.perhaps++
			}
		}
	}
	for key, n := range all {
		value, _ := strconv.Atoi(c.Truth.Strings[key])
		if value < n.sure && len(c.lossy(n.slots)) == 0 {
			c.violate(Lost, nil, "%s is %d after %d acknowledged increments", key, value, n.sure)
		}
		if value > n.sure+n.perhaps && !n.twice {
			c.violate(WrongCount, nil, "%s is %d after %d acknowledged increments and %d of which nothing is known", key, value, n.sure, n.perhaps)
		}
	}
}

// register is what one register may hold: it belongs to one caller, who does one thing after
// the other.
type register struct {
	last string // by the last SET that was acknowledged; "" for none
	// late are values that may appear at any time: those of SETs of which nothing is known, which
	// may sit in a connection's buffers, and of those that may be sent twice.
	late map[string]bool
	// ever are all values that may ever have been there, of which a loss may bring back any.
	ever map[string]bool
}

func (r *register) may(value string, lossy bool) bool {
	return value == r.last || r.late[value] || (lossy && (value == "" || r.ever[value]))
}

// registers checks what was read from registers, and what they hold in the end.
func (c *checker) registers() {
	order := make([]*history.Batch, len(c.Batches))
	for i := range c.Batches {
		order[i] = &c.Batches[i]
	}
	slices.SortStableFunc(order, func(a, b *history.Batch) int {
		return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Number, b.Number))
	})
	all := map[string]*register{}
	slots := map[string][]uint16{}
	at := func(key string, cmd *history.Command) *register {
		r := all[key]
		if r == nil {
			r = &register{late: map[string]bool{}, ever: map[string]bool{}}
			all[key] = r
			slots[key] = cmd.Slots
		}
		return r
	}
	for _, b := range order {
		c.registersOf(b, at)
	}
	for key, r := range all {
		if value := c.Truth.Strings[key]; !r.may(value, len(c.lossy(slots[key])) > 0) {
			c.violate(Lost, nil, "%s holds %q; the last value that was acknowledged is %q, those that may have come later are %v", key, value, r.last, r.late)
		}
	}
}

// registersOf takes note of a batch's writes, and checks its reads.
func (c *checker) registersOf(b *history.Batch, at func(string, *history.Command) *register) {
	loose := (b.RetryServer || b.RetryConnection) && len(c.near(b, nil)) > 0
	if loose {
		for i := range b.Commands { // what is read first may be sent again last
			for n, value := range b.Commands[i].Values {
				if k := b.Commands[i].Kind; (k == history.Set || k == history.SetMany) && b.Of(i) != subject.NotExecuted {
					at(b.Commands[i].Keys[n], &b.Commands[i]).late[value] = true
				}
			}
		}
	}
	for i := range b.Commands {
		cmd := &b.Commands[i]
		outcome := b.Of(i)
		switch cmd.Kind {
		case history.Set, history.SetMany:
			for n, key := range cmd.Keys {
				r, value := at(key, cmd), cmd.Values[n]
				// Of a command that was split a part may have taken effect.
				split := cmd.Kind == history.SetMany && outcome == subject.Failed
				switch {
				case outcome == subject.Succeeded:
					if loose { // it may have come before what precedes it, or come once more
						r.late[r.last], r.late[value] = true, true
					}
					r.last, r.ever[value] = value, true
				case outcome == subject.Unknown || split:
					r.late[value], r.ever[value] = true, true
				}
			}
		case history.Get:
			if outcome == subject.Succeeded {
				c.read(b, cmd, cmd.Keys[0], b.Results[i].Reply, at)
			}
		case history.GetMany:
			if outcome != subject.Succeeded {
				continue
			}
			values, ok := b.Results[i].Reply.([]any)
			if !ok || len(values) != len(cmd.Keys) {
				c.violate(WrongReply, b, "MGET of %d keys was answered with %v", len(cmd.Keys), b.Results[i].Reply)
				continue
			}
			for n, key := range cmd.Keys {
				c.read(b, cmd, key, values[n], at)
			}
		}
	}
}

func (c *checker) read(b *history.Batch, cmd *history.Command, key string, reply any, at func(string, *history.Command) *register) {
	value, isText := reply.(string)
	if reply != nil && !isText {
		c.violate(WrongReply, b, "%s of %s gave %v", cmd.Kind, key, reply)
		return
	}
	r := at(key, cmd)
	if !r.may(value, len(c.lossy(cmd.Slots)) > 0) {
		c.violate(WrongReply, b, "%s of %s gave %q; the last value that was acknowledged is %q, those that may have come later are %v", cmd.Kind, key, value, r.last, r.late)
	}
}
