package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// reachable tells whether a pool's only node is.
func reachable(p *node.Pool) error {
	if s := p.Stats(); len(s) != 1 || !s[0].Reachable {
		return fmt.Errorf("%+v", s)
	}
	return nil
}

// TestProbe: a node that could not be reached is found to be back though nobody sends to it.
func TestProbe(t *testing.T) {
	s := valkeytest.StartServer(t)
	p := newPool(t, node.Config{BackoffMax: 100 * time.Millisecond})
	n := p.Get(s.Addr())
	wantOK(t, do(t, n, ordinary, command("PING")), "+PONG\r\n")
	s.Kill(t)
	valkeytest.Eventually(t, "the loss is noticed", func() error {
		do(t, n, ordinary, command("PING"))
		if reachable(p) == nil {
			return errors.New("reachable")
		}
		return nil
	})
	s.Start(t)
	valkeytest.Eventually(t, "the node is back", func() error { return reachable(p) })
	valkeytest.Eventually(t, "the probe's connection is closed", func() error {
		if clients := s.Info(t, "clients", "connected_clients"); clients != "1" { // this one
			return errors.New(clients + " clients")
		}
		return nil
	})
}

// TestNoProbe: nodes that answer, or are gone, are not probed.
func TestNoProbe(t *testing.T) {
	s := valkeytest.SharedServer(t)
	var dials, refused atomic.Int32
	p := newPool(t, node.Config{BackoffMax: 50 * time.Millisecond, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != s.Addr() {
			refused.Add(1)
			return nil, errors.New("refused")
		}
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}})
	wantOK(t, do(t, p.Get(s.Addr()), ordinary, command("PING")), "+PONG\r\n")
	do(t, p.Get("127.0.0.1:1"), ordinary, command("PING"))
	valkeytest.Eventually(t, "probes", func() error {
		if refused.Load() < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	p.Retain(map[string]struct{}{s.Addr(): {}})
	time.Sleep(100 * time.Millisecond) // one under way has ended
	before := refused.Load()
	time.Sleep(1500 * time.Millisecond)
	if now := refused.Load(); now != before {
		t.Errorf("%d probes of a node that is gone", now-before)
	}
	if dials.Load() != 1 {
		t.Errorf("%d dials of a node that answers", dials.Load())
	}
}

// TestStrangersGo: a node that is got after it has left is closed after a while, a member is not.
func TestStrangersGo(t *testing.T) {
	s := valkeytest.SharedServer(t)
	p := newPool(t, node.Config{IdleTimeout: 20 * time.Millisecond})
	p.Retain(map[string]struct{}{s.Addr(): {}})
	p.Get("127.0.0.1:1")
	member := p.Get(s.Addr())
	valkeytest.Eventually(t, "the stranger is gone", func() error {
		if s := p.Stats(); len(s) != 1 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	wantOK(t, do(t, member, ordinary, command("PING")), "+PONG\r\n")
}
