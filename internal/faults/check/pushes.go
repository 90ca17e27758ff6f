package check

import (
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// pushes checks what became of the elements.
func (c *checker) pushes() {
	for key, list := range c.Truth.Lists {
		for _, element := range list {
			if p := c.pushed[element]; p == nil || p.key != key {
				c.violate(Unasked, nil, "the list %s holds %q, which nobody pushed to it", key, element)
			}
		}
	}
	for element, p := range c.pushed {
		c.push(element, p)
	}
	for i := range c.Batches {
		b := &c.Batches[i]
		if b.Atomic {
			c.whole(b)
		} else if !b.RetryServer {
			c.order(b)
		}
	}
}

// push checks one element.
func (c *checker) push(element string, p *pushed) {
	places := c.places[element]
	switch outcome := p.b.Of(p.i); outcome {
	case subject.Succeeded:
		if len(places) == 0 {
			if why := c.lostBy(element, p); why != "" {
				c.violate(Lost, p.b, "the acknowledged element %q of %s is gone: %s", element, p.key, why)
			} else {
				c.found.Lost++
			}
			return
		}
		c.place(element, p, places)
	case subject.NotExecuted:
		if c.Traits.Outcomes && (len(places) > 0 || c.executed[element]) {
			c.violate(Ran, p.b, "the push of %q to %s was said not to be executed; it is in the list at %v, executed by a server: %v",
				element, p.key, places, c.executed[element])
		}
	case subject.Failed:
		c.violate(WrongReply, p.b, "a push to %s cannot fail once it is executed: %+v", p.key, p.b.Results[p.i].Err)
	}
	if len(places) > 1 {
		if !p.b.RetryConnection {
			c.violate(Duplicated, p.b, "%q is in %s %d times, at %v", element, p.key, len(places), places)
		}
		c.found.Twice += len(places) - 1
	}
}

// place checks that the reply is where the element stands.
func (c *checker) place(element string, p *pushed, places []int) {
	reply, ok := p.b.Results[p.i].Reply.(int64)
	if !ok {
		c.violate(WrongReply, p.b, "RPUSH was answered with %v", p.b.Results[p.i].Reply)
		return
	}
	if p.b.RetryConnection && len(c.lossy(p.slot())) > 0 {
		return // the copy that was acknowledged may be gone, and another one left
	}
	if !slices.Contains(places, int(reply)-1) {
		c.violate(WrongReply, p.b, "RPUSH of %q to %s was answered with %d; the element stands at %v (from 0)", element, p.key, reply, places)
	}
}

// lostBy says why the loss of an acknowledged element cannot be put down to a server; "" when
// it can.
func (c *checker) lostBy(element string, p *pushed) string {
	why := "no fault could lose it"
	for _, f := range c.lossy(p.slot()) {
		if p.b.End < f.Start-time.Second || p.b.Start > f.End {
			why = "the faults that could lose it were at other times"
			continue
		}
		for _, r := range c.Records {
			if !slices.Contains(f.Nodes, r.Node) {
				continue
			}
			at := slices.IndexFunc(r.Pushes, func(q deploy.Push) bool { return q.Element == element })
			if at < 0 {
				continue
			}
			later := c.keptAfter(r.Pushes[at+1:], f)
			if later == "" {
				return ""
			}
			why = "the node that executed it was replaced, but by one that has " + later + ", which the node executed later"
		}
		if why == "no fault could lose it" {
			why = "no node that was replaced has executed it"
		}
	}
	return why
}

// keptAfter returns an element among those that a replaced node executed that was acknowledged
// before the fault and is still there.
func (c *checker) keptAfter(pushes []deploy.Push, f *history.Fault) string {
	for _, q := range pushes {
		p := c.pushed[q.Element]
		if p != nil && !p.b.RetryConnection && p.b.End < f.Start && p.b.Of(p.i) == subject.Succeeded &&
			f.Slots.Any(p.slot()) && len(c.places[q.Element]) > 0 {
			return q.Element
		}
	}
	return ""
}

// whole checks that an atomic batch took effect as a whole, and with nothing in between.
func (c *checker) whole(b *history.Batch) {
	var there, gone []string
	var places []int
	for _, cmd := range b.Commands {
		if cmd.Kind != history.Push {
			continue
		}
		if at := c.places[cmd.Values[0]]; len(at) > 0 {
			there = append(there, cmd.Values[0])
			places = append(places, at[0])
		} else {
			gone = append(gone, cmd.Values[0])
		}
	}
	if len(there) > 0 && len(gone) > 0 {
		c.violate(Torn, b, "of its pushes %v took effect and %v did not", there, gone)
		return
	}
	for i := 1; i < len(places); i++ {
		switch {
		case places[i] < places[i-1]:
			c.violate(Order, b, "its pushes %v stand at %v", there, places)
			return
		case places[i] != places[i-1]+1:
			c.violate(Interleaved, b, "its pushes %v stand at %v", there, places)
			return
		}
	}
}

// order checks that a batch's pushes to one list stand in their order. Of an element that is
// there more than once the first counts.
func (c *checker) order(b *history.Batch) {
	last := map[string]int{}
	for _, cmd := range b.Commands {
		if cmd.Kind != history.Push {
			continue
		}
		at := c.places[cmd.Values[0]]
		if len(at) == 0 {
			continue
		}
		if before, ok := last[cmd.Keys[0]]; ok && at[0] < before {
			c.violate(Order, b, "its push of %q to %s stands at %d, an earlier one at %d", cmd.Values[0], cmd.Keys[0], at[0], before)
		}
		last[cmd.Keys[0]] = at[0]
	}
}
