// Package embedded is an in-process store for a first run: a standalone server without a
// deployment behind it. Data lives in this process's memory and ends with it.
//
// The store is miniredis, reached through the same connections, commands and replies as a
// real server, so that nothing above knows the difference. What miniredis lacks or does
// otherwise than a standalone Valkey is put right in front of its commands (see hook.go) or
// refused with an error that says so: it is no Valkey, and says "embedded" in INFO.
package embedded

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// Addr is the node address under which the store appears in topologies and errors. No
// network has it: [Store.Dial] is the only way there.
const Addr = "embedded:6379"

// ErrClosed is what [Store.Dial] returns after Close.
var ErrClosed = errors.New("embedded: the store is closed")

// Store is an in-process store. It must be closed.
type Store struct {
	logger  *slog.Logger
	redis   *miniredis.Miniredis
	server  *server.Server
	started time.Time
	clock   clock
	scripts scripts

	mu       sync.Mutex
	closed   bool
	sessions map[*server.Peer]*session
}

// New returns an empty store.
func New(logger *slog.Logger) (*Store, error) {
	s := &Store{
		logger:   logger,
		redis:    miniredis.NewMiniRedis(),
		started:  time.Now(),
		sessions: make(map[*server.Peer]*session),
	}
	// The first connection starts the store without a listener.
	first, err := s.redis.Dial()
	if err != nil {
		return nil, err
	}
	s.server = s.redis.Server()
	s.server.SetPreHook(s.hook)
	s.clock.start(s.redis)
	s.scripts.start(maxScript)
	return s, first.Close()
}

// closeTimeout bounds how long Close waits for commands that are running. No command runs
// for so long by design; whatever does must not keep the process from ending.
const closeTimeout = maxScript + 2*time.Second

// Close ends all connections and drops the data. It waits for the commands that are running,
// but no longer than 5 s: one that takes longer keeps its goroutine.
func (s *Store) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.redis.Close()
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.logger.Error("the embedded store is closed while a command is still running")
	}
}

// Dial opens a connection to the store, whatever the network and address. It fits the
// Dialer of the data plane.
func (s *Store) Dial(context.Context, string, string) (net.Conn, error) {
	client, served, err := pair()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.Join(ErrClosed, client.Close(), served.Close())
	}
	s.server.ServeConn(served)
	return client, nil
}

// Topology implements slotmap.Source: one standalone node, always.
func (s *Store) Topology(context.Context) (*slotmap.Topology, error) {
	return slotmap.Standalone(Addr), nil
}
