package node

import (
	"errors"
	"time"
)

// errFailed is the cause when a connection was closed that was silent and whose node the
// deployment holds to have failed.
var errFailed = errors.New("the node is silent, and has failed in the eyes of its cluster")

// watch looks for callers who wait for a silent node, and for nodes that could not be reached.
// Whether a silent node hangs or is slow, nobody can tell from here, so that they go on waiting;
// but the deployment may know more.
func (p *Pool) watch() {
	defer p.wg.Done()
	tick := time.NewTicker(silence / 2)
	defer tick.Stop()
	var open []*conn
	var probes prober
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-tick.C:
			probes.look(p, now)
		}
		p.mu.RLock()
		for c := range p.conns {
			open = append(open, c)
		}
		p.mu.RUnlock()
		overdue := false
		for _, c := range open {
			if !c.overdue() {
				c.suspected = time.Time{}
				continue
			}
			if c.suspected.IsZero() {
				c.suspected = time.Now()
			}
			// Not what was known before: the node may be back, and what is waited for take its time.
			if p.cfg.Failed(c.addr, c.suspected) {
				c.close(&ConnectionError{Addr: c.addr, Op: OpClose, Err: errFailed})
				continue
			}
			overdue = overdue || !c.patient
		}
		if overdue {
			p.cfg.Overdue()
		}
		clear(open)
		open = open[:0]
	}
}

// overdue reports whether the connection is silent and somebody waits for it still.
func (c *conn) overdue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || !c.ready || !c.silentLocked() {
		return false // a handshake has a time of its own
	}
	for b := c.head; b != nil; b = b.next {
		if !b.settled {
			return true
		}
	}
	return false
}
