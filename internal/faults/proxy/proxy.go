package proxy

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Proxy passes connections on to one server. Its methods are safe for concurrent use.
type Proxy struct {
	addr    string
	running sync.WaitGroup

	mu        sync.Mutex
	listener  net.Listener // nil while it refuses
	target    string
	condition Condition
	changed   chan struct{} // closed when the condition is another
	links     map[*link]struct{}
	random    *rand.Rand
	closed    bool
}

// Listen starts a proxy on an address. The seed decides where connections are reset.
func Listen(addr, target string, seed uint64) (*Proxy, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		addr:     l.Addr().String(),
		target:   target,
		listener: l,
		changed:  make(chan struct{}),
		links:    make(map[*link]struct{}),
		random:   rand.New(rand.NewPCG(seed, 1)),
	}
	p.running.Go(func() { p.accept(l) })
	return p, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.addr }

// Set makes the network another. An error means that the port could not be opened again.
func (p *Proxy) Set(c Condition) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.condition = c
	close(p.changed)
	p.changed = make(chan struct{})
	for l := range p.links {
		l.limit(p.draw(c.ResetUp), p.draw(c.ResetDown))
	}
	switch {
	case c.Refuse && p.listener != nil:
		_ = p.listener.Close()
		p.listener = nil
	case !c.Refuse && p.listener == nil:
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			return err
		}
		p.listener = l
		p.running.Go(func() { p.accept(l) })
	}
	return nil
}

// Lead makes new connections go to another server. Those that are open stay.
func (p *Proxy) Lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Reset resets all connections, and returns how many there were.
func (p *Proxy) Reset() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
	return len(p.links)
}

// Connections is how many are open.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Close ends everything and returns when nothing runs any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	if p.listener != nil {
		_ = p.listener.Close()
	}
	for l := range p.links {
		l.reset()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// draw returns a number from 1 to n, and 0 for 0. p.mu is held.
func (p *Proxy) draw(n int) int64 {
	if n <= 0 {
		return 0
	}
	return 1 + p.random.Int64N(int64(n))
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors, say
			continue
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve connects a client to the server, as soon as the network lets anything through.
func (p *Proxy) serve(client net.Conn) {
	l := &link{proxy: p, client: client, ended: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		_ = client.Close()
		return
	}
	p.links[l] = struct{}{}
	l.limit(p.draw(p.condition.ResetUp), p.draw(p.condition.ResetDown))
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	if !l.await() {
		l.reset()
		return
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil || !l.joined(server) {
		l.reset()
		return
	}
	var down sync.WaitGroup
	down.Go(func() { l.pump(client, server, &l.down) })
	l.pump(server, client, &l.up)
	down.Wait()
}
