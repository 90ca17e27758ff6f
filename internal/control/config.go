package control

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/credential"
)

// Config holds the settings of a [Client].
type Config struct {
	// Seeds are the addresses ("host:port", or "unix:///path" for a socket) that are
	// asked first, and again whenever the topology is refreshed. At least one.
	Seeds []string
	// Username and Password authenticate every connection. A password without a
	// user name is the default user's. When the password changes, new connections
	// use the new one.
	Username string
	Password *credential.Password
	// ClientName is what CLIENT LIST shows; "" for none.
	ClientName string
	// TLS, when not nil, makes every connection TLS, with the settings that it returns
	// at the time. Their ServerName, when empty, is the host of the address dialled.
	TLS func() *tls.Config
	// Timeout bounds what one node may take for one question, dialling included:
	// 2 s by default.
	Timeout time.Duration
	// Zones asks for the availability zones of the nodes whenever the topology is
	// refreshed, at the price of one more question to every node now and then.
	Zones bool
	// Logger is told of replies that make no sense; nil means silence.
	Logger *slog.Logger
	// Dialer makes the connections, before TLS; nil means net.Dialer.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
}

const (
	defaultTimeout = 2 * time.Second
	// width is how many nodes are asked at the same time.
	width = 8
	// grace is how long the other nodes are waited for once one has answered.
	grace = 200 * time.Millisecond
	// agreed is how long they are waited for once most of those asked agree.
	agreed = 25 * time.Millisecond
	// idle is how long a connection is kept that nothing has been asked on.
	idle = 2 * time.Minute
	// zoneAge is how long a node's availability zone is believed.
	zoneAge = 5 * time.Minute
	// zoneRetry is how long a node is not asked again that did not tell its zone.
	zoneRetry = 30 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dialer == nil {
		c.Dialer = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	return c
}
