package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is a client's connection and the one to the server that belongs to it.
type link struct {
	proxy  *Proxy
	client net.Conn
	ended  chan struct{} // closed when the link is reset

	mu     sync.Mutex
	server net.Conn // nil while there is none
	over   bool
	closed int // directions that have ended in order

	up, down direction
}

// direction is how far the bytes of one way may go.
type direction struct {
	left atomic.Int64 // until the reset; 0: without end
}

// limit sets after how many further bytes the link is reset.
func (l *link) limit(up, down int64) {
	l.up.left.Store(up)
	l.down.left.Store(down)
}

// joined takes note of the connection to the server. It is false when the link is over.
func (l *link) joined(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		abort(server)
		return false
	}
	l.server = server
	return true
}

// reset ends both connections the hard way: what is under way is lost.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	close(l.ended)
	abort(l.client)
	if l.server != nil {
		abort(l.server)
	}
}

// abort closes a connection with a reset (RST).
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// await waits until the network lets bytes through. It is false when the link is over.
func (l *link) await() bool {
	for {
		c, changed := l.proxy.state()
		if !c.Withheld {
			return true
		}
		select {
		case <-changed:
		case <-l.ended:
			return false
		}
	}
}

// state returns the condition, and what is closed when it is another.
func (p *Proxy) state() (Condition, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.condition, p.changed
}

// pause waits. It is false when the link is over.
func (l *link) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}

// pump passes bytes from one end to the other until either is gone, and closes the other end
// then in the way in which the first one ended.
func (l *link) pump(to, from net.Conn, d *direction) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			passed, ok := l.pass(to, rest, d)
			if !ok {
				return
			}
			rest = rest[passed:]
		}
		if err != nil {
			l.finish(to, err)
			return
		}
	}
}

// pass passes on as much as goes at once, as the network is. It is false when the link is over.
func (l *link) pass(to net.Conn, b []byte, d *direction) (int, bool) {
	c, _ := l.proxy.state()
	if c.Rate > 0 {
		b = b[:min(len(b), max(1, c.Rate/50))]
		if !l.pause(time.Duration(len(b)) * time.Second / time.Duration(c.Rate)) {
			return 0, false
		}
	}
	if !l.pause(c.Latency) || !l.await() {
		return 0, false
	}
	last := false
	if left := d.left.Load(); left > 0 {
		if last = int64(len(b)) >= left; last {
			b = b[:left]
		} else {
			// A new limit that is set right now counts from here.
			d.left.CompareAndSwap(left, left-int64(len(b)))
		}
	}
	if _, err := to.Write(b); err != nil {
		l.reset()
		return 0, false
	}
	if last {
		// What was passed on is to arrive before the reset does, which overtakes it.
		l.pause(2 * time.Millisecond)
		l.reset()
		return 0, false
	}
	return len(b), true
}

// finish hands the end of one side on to the other.
func (l *link) finish(to net.Conn, err error) {
	if !l.await() { // a partition withholds the end, too
		return
	}
	if tcp, ok := to.(*net.TCPConn); ok && isEOF(err) {
		_ = tcp.CloseWrite()
		if l.half() {
			_ = l.client.Close()
			_ = l.server.Close()
		}
		return
	}
	l.reset()
}

// half takes note that one direction has ended in order. It is true when both have.
func (l *link) half() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed++
	return l.closed == 2
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
