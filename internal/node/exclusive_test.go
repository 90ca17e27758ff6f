package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestBlockingHoldsUpNobody(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := getNode(t, s.Addr())
	key := valkeytest.Key(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := do(t, n, blocking, command("BLPOP", fmt.Sprint(key, i), "0"))
			wantOK(t, b, "*2\r\n"+bulk(fmt.Sprint(key, i))+bulk("v"))
		})
	}
	for i := range 8 {
		wantOK(t, do(t, n, ordinary, command("PING")), "+PONG\r\n")
		do(t, n, ordinary, command("RPUSH", fmt.Sprint(key, i), "v"))
	}
	wg.Wait()
}

// TestBlockingEndsWithItsContext: the server lets go of the blocked client too, so that what
// is pushed later is not lost to it.
func TestBlockingEndsWithItsContext(t *testing.T) {
	s := valkeytest.StartServer(t)
	n := newPool(t, node.Config{MaxBlockingConns: 2}).Get(s.Addr())
	for range 3 { // more often than there are connections
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		b := batch(command("SET", "a", "1"), command("BLPOP", "k", "0"), command("SET", "b", "1"))
		n.Do(ctx, blocking, b)
		cancel()
		wantOutcome(t, b, "+OK\r\n", "unknown", "unknown")
		if !errors.Is(b.Err(), context.DeadlineExceeded) {
			t.Errorf("error %v", b.Err())
		}
	}
	valkeytest.Eventually(t, "no client is blocked", func() error {
		if v := s.Info(t, "clients", "blocked_clients"); v != "0" {
			return fmt.Errorf("%s are", v)
		}
		return nil
	})
}

func TestBlockingBound(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := newPool(t, node.Config{MaxBlockingConns: 1}).Get(s.Addr())
	key := valkeytest.Key(t)
	started := make(chan *node.Batch, 1)
	go func() { started <- do(t, n, blocking, command("BLPOP", key, "0")) }()
	valkeytest.Eventually(t, "the first one is blocked", func() error {
		if s.Info(t, "clients", "blocked_clients") == "0" {
			return errors.New("not yet")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	b := batch(command("BLPOP", key, "0"))
	n.Do(ctx, blocking, b)
	wantOutcome(t, b, "not sent")
	if !errors.Is(b.Err(), context.DeadlineExceeded) {
		t.Errorf("error %v", b.Err())
	}
	do(t, n, ordinary, command("RPUSH", key, "v"))
	wantOK(t, <-started, "*2\r\n"+bulk(key)+bulk("v"))
	wantOK(t, do(t, n, blocking, command("PING")), "+PONG\r\n")
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	s := valkeytest.StartServer(t)
	n := newPool(t, node.Config{IdleTimeout: 20 * time.Millisecond}).Get(s.Addr())
	wantOK(t, do(t, n, blocking, command("PING")), "+PONG\r\n")
	wantOK(t, do(t, n, transaction, command("PING")), "+QUEUED\r\n")
	valkeytest.Eventually(t, "only the asking client is connected", func() error {
		if v := s.Info(t, "clients", "connected_clients"); v != "1" {
			return fmt.Errorf("%s are", v)
		}
		return nil
	})
	wantOK(t, do(t, n, transaction, command("PING")), "+QUEUED\r\n")
}

func TestAtomic(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := getNode(t, s.Addr())
	key := valkeytest.Key(t)
	for range 3 {
		b := do(t, n, transaction, command("SET", key, "5"), command("LPUSH", key, "x"), command("INCR", key))
		wantOK(t, b, "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n")
		if want := "*3\r\n+OK\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n:6\r\n"; string(b.Exec()) != want || b.ExecState() != node.Acknowledged {
			t.Errorf("EXEC: %q %v", b.Exec(), b.ExecState())
		}
		if b.Len() != 3 {
			t.Errorf("Len %d", b.Len())
		}
	}
	b := do(t, n, transaction, command("SET", key, "7"), command("NOSUCH"), command("GET", key))
	if f, state := b.Reply(1); state != node.Acknowledged || !f.IsError() || b.Exec().ErrorCode() != "EXECABORT" || b.Err() != nil {
		t.Errorf("%q %q %v", f, b.Exec(), b.Err())
	}
	if got := s.Text(t, "GET", key); got != "6" {
		t.Errorf("a discarded transaction left %q", got)
	}
	large := strings.Repeat("x", 5<<20)
	b = do(t, n, transaction, command("SET", key, large), command("STRLEN", key))
	if string(b.Exec()) != fmt.Sprintf("*2\r\n+OK\r\n:%d\r\n", len(large)) {
		t.Errorf("EXEC: %.40q, %v", b.Exec(), b.Err())
	}
}

// TestAtomicNeverInterleaves: transactions of many callers, next to pipelines on the same key.
func TestAtomicNeverInterleaves(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := newPool(t, node.Config{MaxAtomicConns: 4}).Get(s.Addr())
	key := valkeytest.Key(t)
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			me := fmt.Sprint(caller)
			for range 50 {
				b := do(t, n, transaction, command("SET", key, me), command("APPEND", key, me), command("GET", key))
				want := fmt.Sprintf("*3\r\n+OK\r\n:%d\r\n%s", 2*len(me), bulk(me+me))
				if string(b.Exec()) != want {
					t.Errorf("EXEC: %q, want %q, %v", b.Exec(), want, b.Err())
					return
				}
				do(t, n, ordinary, command("SET", key, "other"))
			}
		})
	}
	wg.Wait()
}

// TestMultiRefused: a user without MULTI gets the reason and nothing runs; a user who loses it
// while the service runs has no command run bare.
func TestMultiRefused(t *testing.T) {
	s := valkeytest.StartServer(t)
	s.MustDo(t, "ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-multi")
	p := newPool(t, node.Config{Username: "app", Password: credential.Fixed("pw")})
	n := p.Get(s.Addr())
	refused := func() {
		t.Helper()
		b := do(t, n, transaction, command("SET", "k", "bare"), command("INCR", "n"))
		var multi *node.MultiRefusedError
		if !errors.As(b.Err(), &multi) || !strings.HasPrefix(multi.Text, "NOPERM") {
			t.Errorf("error %v", b.Err())
		}
		wantOutcome(t, b, "not sent", "not sent")
		if b.ExecState() != node.NotSent {
			t.Errorf("EXEC %v", b.ExecState())
		}
	}
	refused()
	refused()
	wantOK(t, do(t, n, ordinary, command("PING")), "+PONG\r\n")

	s.MustDo(t, "ACL", "SETUSER", "app", "+multi")
	do(t, n, transaction, command("INCR", "n"))
	s.MustDo(t, "ACL", "SETUSER", "app", "-multi")
	// The one that is primed may still run, as a transaction; the ones after it may not.
	b := do(t, n, transaction, command("INCR", "n"), command("SET", "k", "inside"))
	if b.Err() != nil || string(b.Exec()) != "*2\r\n:2\r\n+OK\r\n" {
		t.Errorf("EXEC: %q %v", b.Exec(), b.Err())
	}
	refused()
	if got := s.Text(t, "GET", "n"); got != "2" {
		t.Errorf("n is %s", got)
	}
	s.MustDo(t, "ACL", "SETUSER", "app", "+multi", "-exec")
	b = do(t, n, transaction, command("INCR", "n"))
	if !b.Exec().IsError() {
		t.Errorf("EXEC: %q", b.Exec())
	}
	s.MustDo(t, "ACL", "SETUSER", "app", "+exec")
	b = do(t, n, transaction, command("INCR", "n"))
	if string(b.Exec()) != "*1\r\n:3\r\n" {
		t.Errorf("EXEC: %q %v", b.Exec(), b.Err())
	}
	s.MustDo(t, "ACL", "SETUSER", "app", "-discard")
	b = do(t, n, node.Target{Class: node.Atomic, Asking: true}, command("INCR", "n"))
	if b.Err() == nil || b.ExecState() != node.NotSent {
		t.Errorf("%v, EXEC %v", b.Err(), b.ExecState())
	}
	if got := s.Text(t, "GET", "n"); got != "3" {
		t.Errorf("n is %s", got)
	}
}

// TestAtomicSequence: a transaction is one run of commands behind a MULTI that was answered.
func TestAtomicSequence(t *testing.T) {
	release := make(chan struct{})
	s := valkeytest.StartScripted(t, func(_ int, args []string) []byte {
		switch args[0] {
		case "EXEC":
			return []byte("*1\r\n+done\r\n")
		case "MULTI":
			<-release
			return []byte("+OK\r\n")
		case "SET":
			return []byte("+QUEUED\r\n")
		}
		return nil
	})
	n := getNode(t, s.Addr())
	result := make(chan *node.Batch, 1)
	go func() { result <- do(t, n, transaction, command("SET", "k", "v")) }()
	valkeytest.Eventually(t, "MULTI is sent", func() error {
		if s.Count("MULTI") == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	time.Sleep(20 * time.Millisecond)
	if s.Count("SET") != 0 {
		t.Error("SET was written before MULTI was answered")
	}
	close(release)
	wantOK(t, <-result, "+QUEUED\r\n")
	wantOK(t, do(t, n, node.Target{Class: node.Atomic, Asking: true}, command("SET", "k", "v")), "+QUEUED\r\n")
	valkeytest.Eventually(t, "the last MULTI was read", func() error {
		var got []string
		for _, r := range s.Received() {
			got = append(got, r.Args[0])
		}
		if want := "HELLO MULTI SET EXEC MULTI DISCARD ASKING MULTI SET EXEC MULTI"; strings.Join(got, " ") != want {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
}

// TestAtomicUnexpectedReplies: a connection that does not do as a transaction must is not used again.
func TestAtomicUnexpectedReplies(t *testing.T) {
	for name, tc := range map[string]struct{ set, exec, again string }{
		"ran bare":          {"+OK\r\n", "-ERR EXEC without MULTI\r\n", "+OK\r\n"},
		"ran bare, failed":  {"-WRONGTYPE no\r\n", "-ERR EXEC without MULTI\r\n", "+OK\r\n"},
		"EXEC all the same": {"-ERR no\r\n", "*1\r\n+OK\r\n", "+OK\r\n"},
		"lost behind":       {"+QUEUED\r\n", "-ERR EXEC without MULTI\r\n", "+OK\r\n"},
		"MULTI nested":      {"+QUEUED\r\n", "-NOPERM no\r\n", "-ERR MULTI calls can not be nested\r\n"},
		"MULTI says QUEUED": {"+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			executed := map[int]bool{}
			s := valkeytest.StartScripted(t, func(conn int, args []string) []byte {
				switch {
				case args[0] == "SET":
					return []byte(tc.set)
				case args[0] == "EXEC":
					executed[conn] = true
					return []byte(tc.exec)
				case args[0] == "MULTI" && executed[conn]:
					return []byte(tc.again)
				}
				return nil
			})
			n := getNode(t, s.Addr())
			for i := range 2 {
				b := do(t, n, transaction, command("SET", "k", "v"))
				if string(b.Exec()) != tc.exec || (tc.again == "+OK\r\n") != (b.Err() != nil) {
					t.Errorf("EXEC: %q, %v", b.Exec(), b.Err())
				}
				if b.Err() != nil {
					wantConnectionError(t, b, node.OpProtocol)
				}
				if s.Connections() != i+1 {
					t.Errorf("%d connections after %d transactions", s.Connections(), i+1)
				}
			}
		})
	}
}

// TestAtomicLost: whether EXEC was written decides what is known.
func TestAtomicLost(t *testing.T) {
	for hangUp, want := range map[string]node.State{"HELLO": node.NotSent, "MULTI": node.NotSent, "SET": node.Unknown, "EXEC": node.Unknown} {
		s := valkeytest.StartScripted(t, func(_ int, args []string) []byte {
			switch args[0] {
			case hangUp:
				return valkeytest.CloseMark
			case "SET":
				return []byte("+QUEUED\r\n")
			}
			return nil
		})
		b := do(t, getNode(t, s.Addr()), transaction, command("SET", "k", "v"))
		if b.ExecState() != want || b.Err() == nil {
			t.Errorf("hung up at %s: EXEC %v, want %v; %v", hangUp, b.ExecState(), want, b.Err())
		}
	}
}

// TestAtomicAcknowledgedWithoutNextMulti: what is missing behind EXEC's reply does not matter.
func TestAtomicAcknowledgedWithoutNextMulti(t *testing.T) {
	s := valkeytest.StartScripted(t, func(_ int, args []string) []byte {
		switch args[0] {
		case "EXEC":
			return append([]byte("*1\r\n+OK\r\n"), valkeytest.CloseMark...)
		case "SET":
			return []byte("+QUEUED\r\n")
		}
		return nil
	})
	n := getNode(t, s.Addr())
	for range 3 {
		b := do(t, n, transaction, command("SET", "k", "v"))
		wantOK(t, b, "+QUEUED\r\n")
		if string(b.Exec()) != "*1\r\n+OK\r\n" {
			t.Errorf("EXEC: %q", b.Exec())
		}
	}
}

// TestAtomicContext: a transaction that is given up closes its connection.
func TestAtomicContext(t *testing.T) {
	s := valkeytest.StartServer(t)
	n := getNode(t, s.Addr())
	wantOK(t, do(t, n, transaction, command("INCR", "n")), "+QUEUED\r\n")
	s.Pause(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	b := batch(command("INCR", "n"))
	n.Do(ctx, transaction, b)
	if b.ExecState() != node.Unknown || !errors.Is(b.Err(), context.DeadlineExceeded) {
		t.Errorf("EXEC %v, %v", b.ExecState(), b.Err())
	}
	s.Resume(t)
	if b = do(t, n, transaction, command("GET", "n")); b.Err() != nil {
		t.Error(b.Err())
	}
}

// TestAsking: a transaction for a slot that is being imported.
func TestAsking(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	from, to := c.Primaries()[0], c.Primaries()[1]
	slot := c.SlotOf(t, from)
	key := valkeytest.KeyIn(slot)
	c.BeginMigration(t, slot, from, to)
	p := newPool(t, node.Config{Cluster: true})
	b := do(t, p.Get(from.Addr()), transaction, command("SET", key, "v"))
	if f, _ := b.Reply(0); f.ErrorCode() != "ASK" || b.Exec().ErrorCode() != "EXECABORT" {
		t.Errorf("%q %q", f, b.Exec())
	}
	n := p.Get(to.Addr())
	for range 3 {
		if b = do(t, n, transaction, command("SET", key, "v")); b.Exec().ErrorCode() != "EXECABORT" {
			t.Errorf("without ASKING: %q", b.Exec())
		}
		b = do(t, n, node.Target{Class: node.Atomic, Asking: true}, command("SET", key, "v"), command("GET", key))
		if string(b.Exec()) != "*2\r\n+OK\r\n"+bulk("v") {
			t.Errorf("with ASKING: %q %v", b.Exec(), b.Err())
		}
	}
	c.FinishMigration(t, slot, from, to)
	b = do(t, n, transaction, command("GET", key))
	if string(b.Exec()) != "*1\r\n"+bulk("v") {
		t.Errorf("after the migration: %q", b.Exec())
	}
}
