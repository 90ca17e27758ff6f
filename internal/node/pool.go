package node

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Pool owns the nodes by address, and everything that runs for them. It is safe for
// concurrent use.
type Pool struct {
	cfg    Config
	ctx    context.Context // ends with the pool; dials run under it
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.RWMutex
	nodes  map[string]*Node
	conns  map[*conn]struct{}
	closed bool
	// members are the addresses retained last; nil: it is not known which are the deployment's.
	members map[string]struct{}
}

// NewPool returns a pool without nodes. It is to be closed.
func NewPool(cfg Config) *Pool {
	p := &Pool{cfg: cfg.withDefaults(), nodes: make(map[string]*Node), conns: make(map[*conn]struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Add(2)
	go p.pruneIdle()
	go p.watch()
	return p
}

// Get returns the node at an address, host:port or unix:///path. It connects when it is used.
func (p *Pool) Get(addr string) *Node {
	p.mu.RLock()
	n := p.nodes[addr]
	p.mu.RUnlock()
	if n != nil {
		return n
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n = p.nodes[addr]; n == nil {
		n = newNode(p, addr)
		if p.closed {
			n.gone.Store(true)
			return n
		}
		p.nodes[addr] = n
	}
	return n
}

// Retain closes the nodes whose addresses are not in the set. What is in flight on them
// finishes; what comes later by an old *Node is refused as not sent. A node that is got again
// although it is not in the set, by who knows no better yet, is closed after a while; of the nil
// set, that closes all nodes, none is. The set must not be changed afterwards.
func (p *Pool) Retain(addrs map[string]struct{}) {
	var gone []*Node
	p.mu.Lock()
	p.members = addrs
	for addr, n := range p.nodes {
		if _, ok := addrs[addr]; !ok {
			delete(p.nodes, addr)
			gone = append(gone, n)
		}
	}
	p.mu.Unlock()
	for _, n := range gone {
		n.retire()
	}
}

// strangers returns the nodes that are not among those retained last. Of strangers seen before it
// closes those that still are: one that has just joined the deployment is got before Retain is told.
func (p *Pool) strangers(before []*Node) (now []*Node) {
	var gone []*Node
	p.mu.Lock()
	if p.members != nil {
		for addr, n := range p.nodes {
			if _, ok := p.members[addr]; ok {
				continue
			}
			if slices.Contains(before, n) {
				delete(p.nodes, addr)
				gone = append(gone, n)
			} else {
				now = append(now, n)
			}
		}
	}
	p.mu.Unlock()
	for _, n := range gone {
		n.retire()
	}
	return now
}

// Close ends all connections at once: what is in flight fails with ErrClosed. It returns when
// nothing runs any more. Drain the callers first.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, n := range p.nodes {
		n.gone.Store(true)
	}
	open := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		open = append(open, c)
	}
	p.mu.Unlock()
	p.cancel()
	for _, c := range open {
		c.close(&ConnectionError{Addr: c.addr, Op: OpClose, Err: ErrClosed})
	}
	for _, c := range open {
		<-c.ended
	}
	p.wg.Wait()
}

// start runs a connection's reader. It reports false when the pool is closed.
func (p *Pool) start(c *conn, n *Node) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		c.readLoop()
		n.lost(c)
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	return true
}

// goDial runs a dial on its own. It reports false when the pool is closed.
func (p *Pool) goDial(dial func(ctx context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		dial(p.ctx)
	}()
	return true
}

// pruneIdle closes exclusive connections that are not used any more, and nodes that are not the
// deployment's.
func (p *Pool) pruneIdle() {
	defer p.wg.Done()
	tick := time.NewTicker(max(p.cfg.IdleTimeout/2, time.Millisecond))
	defer tick.Stop()
	var strangers []*Node
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-tick.C:
			strangers = p.strangers(strangers)
			p.mu.RLock()
			nodes := make([]*Node, 0, len(p.nodes))
			for _, n := range p.nodes {
				nodes = append(nodes, n)
			}
			p.mu.RUnlock()
			for _, n := range nodes {
				n.prune(now.Add(-p.cfg.IdleTimeout))
			}
		}
	}
}
