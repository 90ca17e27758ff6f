package node

import (
	"context"
	"math/rand/v2"
	"time"
)

// mostBetweenProbes bounds the pause between two probes of a node.
const mostBetweenProbes = 15 * time.Second

// prober finds out that nodes which could not be reached are back: a node to which nobody sends
// any more, a former primary for one, would otherwise count as unreachable for good. It belongs
// to one goroutine, and does nothing while no node fails.
type prober struct {
	failing map[*Node]*probe
}

// probe is when a node that fails is to be asked next, and the pause until then.
type probe struct {
	due   time.Time
	pause time.Duration
}

// look probes the nodes that are due, each at most once at a time.
func (r *prober) look(p *Pool, now time.Time) {
	var failing map[*Node]*probe // without those that answer again or are gone
	p.mu.RLock()
	for _, n := range p.nodes {
		if n.gate.failures.Load() == 0 {
			continue
		}
		if failing == nil {
			failing = make(map[*Node]*probe)
		}
		if failing[n] = r.failing[n]; failing[n] == nil {
			failing[n] = &probe{}
			failing[n].rest(now, p.cfg.BackoffMax)
		}
	}
	p.mu.RUnlock()
	r.failing = failing
	for n, next := range failing {
		if now.Before(next.due) || !n.probing.CompareAndSwap(false, true) {
			continue
		}
		next.rest(now, min(2*next.pause, max(p.cfg.BackoffMax, mostBetweenProbes)))
		if !p.goDial(n.probe) {
			n.probing.Store(false)
		}
	}
}

// rest has the next probe wait for between half of the pause and the whole of it, so that many
// servers do not come back together.
func (next *probe) rest(now time.Time, pause time.Duration) {
	next.pause = pause
	next.due = now.Add(pause/2 + rand.N(pause/2+1))
}

// probe asks the node for a sign of life on a connection of its own. A failure lengthens no
// caller's wait.
func (n *Node) probe(ctx context.Context) {
	defer n.probing.Store(false)
	c, err := n.open(ctx, false, true)
	n.dials.count(err)
	if err != nil {
		return
	}
	defer c.retire()
	within, cancel := context.WithTimeout(ctx, n.pool.cfg.DialTimeout)
	defer cancel()
	if _, err := c.ask(within, []string{"PING"}); err == nil {
		n.answered()
	}
}
