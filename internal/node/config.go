package node

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/credential"
)

// Config holds what all connections of a Pool have in common. Zero values mean the defaults.
type Config struct {
	// Username and Password authenticate every connection (HELLO 3 AUTH). A password without
	// a user name authenticates the user "default"; neither means no authentication. When the
	// password changes, new connections use the new one and others stay as they are.
	Username string
	Password *credential.Password
	// ClientName is the name that the server lists connections under; empty for none.
	ClientName string
	// TLS, if set, makes all connections TLS, each with the settings that it returns at the time.
	// Their ServerName, when empty, is the host of the node's address, and localhost for a socket.
	TLS func() *tls.Config
	// Cluster says that the nodes are a cluster's. Replica connections begin with READONLY in
	// any case; on a cluster a server that refuses it is an error.
	Cluster bool
	// DialTimeout bounds dialling and handshake together. Default: 2 s.
	DialTimeout time.Duration
	// MaxInFlight bounds the sub-batches in flight on a shared connection. Default: 1024.
	MaxInFlight int
	// MaxInFlightBytes bounds their encoded bytes. A larger sub-batch goes alone. Default: 64 MiB.
	MaxInFlightBytes int64
	// MaxExclusiveConns, MaxBlockingConns and MaxAtomicConns bound a node's connections of the
	// classes Exclusive, Blocking and Atomic; sub-batches above that wait. Defaults: 128, 256 and 32.
	MaxExclusiveConns, MaxBlockingConns, MaxAtomicConns int
	// MaxDepth is the nesting of replies that is accepted. Default: 32.
	MaxDepth int
	// BackoffMin and BackoffMax bound the pause after failed dials, during which sub-batches
	// fail at once. It doubles with every failure and is jittered. Defaults: 50 ms and 1 s.
	BackoffMin, BackoffMax time.Duration
	// IdleTimeout closes exclusive connections that were not used for that long. Default: 1 min.
	IdleTimeout time.Duration
	// Failed reports whether the deployment, asked after that moment, held the node at an address to
	// have failed. Who waits for such a node and hears nothing for a while waits no longer. It is called
	// again and again while somebody does, and must not block. Default: never.
	Failed func(addr string, after time.Time) bool
	// Overdue is called every now and then while callers wait for a node that says nothing, though
	// their commands are not such as wait: it may be about to be replaced. It must not block.
	Overdue func()
	// Logger takes the few things worth telling an operator. Default: none.
	Logger *slog.Logger
	// Dialer opens the transport connections (network "tcp" or "unix"). Default: a net.Dialer with TCP keep-alive and,
	// on Linux, an end to resending after 30 s.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (c Config) withDefaults() Config {
	setDefault(&c.DialTimeout, 2*time.Second)
	setDefault(&c.MaxInFlight, 1024)
	setDefault(&c.MaxInFlightBytes, 64<<20)
	setDefault(&c.MaxExclusiveConns, 128)
	setDefault(&c.MaxBlockingConns, 256)
	setDefault(&c.MaxAtomicConns, 32)
	setDefault(&c.MaxDepth, 32)
	setDefault(&c.BackoffMin, 50*time.Millisecond)
	setDefault(&c.BackoffMax, time.Second)
	setDefault(&c.IdleTimeout, time.Minute)
	if c.Failed == nil {
		c.Failed = func(string, time.Time) bool { return false }
	}
	if c.Overdue == nil {
		c.Overdue = func() {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dialer == nil {
		d := &net.Dialer{Control: dialControl, KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
		}}
		c.Dialer = d.DialContext
	}
	return c
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
