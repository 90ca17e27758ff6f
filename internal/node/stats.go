package node

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// Stats is what is known of a node at one moment.
type Stats struct {
	// Addr is the node's address.
	Addr string
	// Reachable is whether the node has answered, callers or the pool's own probe, since the last
	// connection that could not be made or was of no use. A node that was never dialled is reachable.
	Reachable bool
	// Dialled counts connections that could be opened, DialFailures those that could not, and
	// Lost those that ended while they were wanted.
	Dialled, DialFailures, Lost uint64
	// Lanes is the state of the connections of each class.
	Lanes [Classes]LaneStats
}

// LaneStats is the state of a node's connections of one class.
type LaneStats struct {
	// Open counts connections, those that are used for the last time included. InUse of them
	// carry sub-batches at this moment; of classes that have connections to themselves, dials
	// under way are among those.
	Open, InUse int
	// InFlight and Bytes are the sub-batches queued or unanswered on shared connections and
	// what they take as they are sent; Waiting is how many have no room there yet.
	InFlight, Waiting int
	Bytes             int64
}

// dialCounts counts what becomes of connections.
type dialCounts struct{ opened, failed, lost atomic.Uint64 }

func (d *dialCounts) count(err error) {
	if err == nil {
		d.opened.Add(1)
	} else {
		d.failed.Add(1)
	}
}

// Stats returns the state of all nodes, sorted by address. It is for now and then: it takes the
// locks that sub-batches take.
func (p *Pool) Stats() []Stats {
	p.mu.RLock()
	nodes := make([]*Node, 0, len(p.nodes))
	for _, n := range p.nodes {
		nodes = append(nodes, n)
	}
	p.mu.RUnlock()
	slices.SortFunc(nodes, func(a, b *Node) int { return strings.Compare(a.addr, b.addr) })
	out := make([]Stats, len(nodes))
	for i, n := range nodes {
		out[i] = n.stats()
	}
	return out
}

// Count adds the counts of another Stats.
func (s *Stats) Count(o Stats) {
	s.Dialled += o.Dialled
	s.DialFailures += o.DialFailures
	s.Lost += o.Lost
}

// Sum adds up the Stats of several pools by address, sorted by it. A node is reachable if all pools
// say so, or one that has connections open to it does: that another can open none is then not a
// matter of the node, but of what it asks for, such as a user that the node refuses.
func Sum(pools ...[]Stats) []Stats {
	sums := make(map[string]Stats)
	connected := make(map[string]bool)
	for _, pool := range pools {
		for _, s := range pool {
			open := 0
			for _, lane := range s.Lanes {
				open += lane.Open
			}
			connected[s.Addr] = connected[s.Addr] || s.Reachable && open > 0
			sum, ok := sums[s.Addr]
			if !ok {
				sums[s.Addr] = s
				continue
			}
			sum.Reachable = sum.Reachable && s.Reachable
			sum.Count(s)
			for class := range sum.Lanes {
				to, from := &sum.Lanes[class], &s.Lanes[class]
				to.Open += from.Open
				to.InUse += from.InUse
				to.InFlight += from.InFlight
				to.Waiting += from.Waiting
				to.Bytes += from.Bytes
			}
			sums[s.Addr] = sum
		}
	}
	out := slices.SortedFunc(maps.Values(sums), func(a, b Stats) int { return strings.Compare(a.Addr, b.Addr) })
	for i := range out {
		out[i].Reachable = out[i].Reachable || connected[out[i].Addr]
	}
	return out
}

func (n *Node) stats() Stats {
	s := Stats{
		Addr:      n.addr,
		Reachable: n.gate.failures.Load() == 0,
		Dialled:   n.dials.opened.Load(), DialFailures: n.dials.failed.Load(), Lost: n.dials.lost.Load(),
	}
	for class := range n.links {
		for kind := range n.links[class] {
			n.links[class][kind].stats(&s.Lanes[class])
		}
	}
	n.alone.stats(&s.Lanes[Exclusive])
	n.blocking.stats(&s.Lanes[Blocking])
	n.atomic.stats(&s.Lanes[Atomic])
	return s
}

// stats adds the link's connections to a lane.
func (l *link) stats(s *LaneStats) {
	l.mu.Lock()
	conns := append([]*conn(nil), l.old...)
	if c := l.cur.Load(); c != nil {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		if c.err == nil {
			s.Open++
			if c.room.inFlight > 0 {
				s.InUse++
			}
			s.InFlight += c.room.inFlight
			s.Bytes += c.room.used
			s.Waiting += len(c.room.line)
		}
		c.mu.Unlock()
	}
}

// stats sets a lane to the state of the connections.
func (e *exclusive) stats(s *LaneStats) {
	e.mu.Lock()
	idle := len(e.idle[0]) + len(e.idle[1])
	e.mu.Unlock()
	s.InUse = len(e.limit)
	s.InFlight = s.InUse
	s.Open = s.InUse + idle
}
