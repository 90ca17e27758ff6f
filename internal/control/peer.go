package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// peer is one node as the control plane reaches it. One question at a time is put
// to it: valkey-go then reads the reply on the asking goroutine, so that a server
// that breaks the protocol ends that one question, where a reader goroutine of
// valkey-go's own would end the process.
type peer struct {
	addr   string
	config *Config
	turn   chan struct{} // holds one token while somebody asks

	// Guarded by turn.
	client  valkey.Client
	used    time.Time
	retired bool // nobody will ask again, but for those who wait already

	mu   sync.Mutex
	conn net.Conn // the client's only connection; nil when there is none
}

func newPeer(addr string, config *Config) *peer {
	return &peer{addr: addr, config: config, turn: make(chan struct{}, 1), used: time.Now()}
}

// ask sends the commands in one go and returns a reply for each. The error is the
// connection's or the context's; error replies are among the results. It returns
// when ctx is done or the configured timeout has passed.
func (p *peer) ask(ctx context.Context, commands ...[]string) ([]valkey.ValkeyResult, error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() {
		if p.retired {
			p.drop()
		}
		<-p.turn
	}()
	p.used = time.Now()

	for {
		reused := p.client != nil
		results, err := p.exchange(ctx, commands)
		if err == nil {
			return results, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		// A connection that lay idle may have been lost meanwhile: that says nothing
		// of the node.
		if !reused {
			return nil, err
		}
	}
}

// exchange connects if need be, and sends and reads once. The connection survives
// only if everything went well.
func (p *peer) exchange(ctx context.Context, commands [][]string) (results []valkey.ValkeyResult, err error) {
	sound := false
	defer func() {
		if cause := recover(); cause != nil {
			p.config.Logger.Error("a node broke the protocol", "node", p.addr, "cause", cause)
			results, err = nil, fmt.Errorf("the node broke the protocol: %v", cause)
			p.client = nil // its locks may be held for ever
		}
		if !sound {
			p.drop()
		}
	}()
	// valkey-go looks at a context's deadline only, so that a context that ends early
	// closes the connection under it.
	ended := false // guarded by mu: by then the connection may be another question's
	defer func() {
		p.mu.Lock()
		ended = true
		p.mu.Unlock()
	}()
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !ended && p.conn != nil {
			p.conn.Close()
		}
	})
	defer stop()

	if p.client == nil {
		if p.client, err = p.connect(ctx); err != nil {
			return nil, err
		}
	}
	built := make([]valkey.Completed, len(commands))
	for i, args := range commands {
		built[i] = p.client.B().Arbitrary(args...).Build()
	}
	results = p.client.DoMulti(ctx, built...)
	for _, r := range results {
		if err := r.NonValkeyError(); err != nil && !valkey.IsValkeyNil(err) {
			return nil, err
		}
	}
	sound = stop()
	return results, nil
}

// connect makes a client on a new connection. Where the password is refused it tries the one
// that has taken its place, or the one before: see [credential.Password.Alternative].
func (p *peer) connect(ctx context.Context) (valkey.Client, error) {
	password := p.config.Password.Get()
	client, err := valkey.NewClient(p.options(ctx, password))
	if err == nil {
		return client, nil
	}
	var refused *valkey.ValkeyError
	if errors.As(err, &refused) && credential.Refused(refused.Error()) {
		if other, ok := p.config.Password.Alternative(password); ok {
			p.drop() // the connection that was refused
			if client, err = valkey.NewClient(p.options(ctx, other)); err == nil {
				return client, nil
			}
			password = other
		}
	}
	return nil, handshakeError(err, password)
}

// handshakeError makes an error of connecting fit to be shown: a server that does not know
// HELLO or AUTH may repeat the password.
func handshakeError(err error, password string) error {
	var refused *valkey.ValkeyError
	switch {
	case errors.As(err, &refused):
		return &HandshakeError{Text: resp.Refusal(refused.Error(), password)}
	case password != "" && strings.Contains(err.Error(), password):
		return &HandshakeError{Text: "the error is withheld: the password is in it"}
	}
	return err
}

// options are the settings under which valkey-go does nothing of its own accord:
// one connection, no background pings, no cache, no retries, no redirects.
func (p *peer) options(ctx context.Context, password string) valkey.ClientOption {
	return valkey.ClientOption{
		InitAddress:         []string{p.addr},
		ForceSingleClient:   true,
		Username:            p.config.Username,
		Password:            password,
		ClientName:          p.config.ClientName,
		ClientSetInfo:       valkey.DisableClientSetInfo,
		DisableRetry:        true,
		DisableCache:        true,
		PipelineMultiplex:   -1,
		BlockingPipeline:    -1,
		BlockingPoolSize:    1,
		RingScaleEachConn:   2,
		ReadBufferEachConn:  32 << 10,
		WriteBufferEachConn: 4 << 10,
		ConnWriteTimeout:    p.config.Timeout,
		Dialer:              net.Dialer{Timeout: p.config.Timeout, KeepAlive: -1},
		DialCtxFn: func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
			// The client lives longer than ctx, but dials only while it is being made:
			// after a failure it is thrown away.
			return p.dial(ctx)
		},
	}
}

// dial connects and remembers the connection, so that it can be closed at any time.
func (p *peer) dial(ctx context.Context) (net.Conn, error) {
	network, addr := "tcp", p.addr
	if path, ok := strings.CutPrefix(addr, "unix://"); ok {
		network, addr = "unix", path
	}
	conn, err := p.config.Dialer(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if p.config.TLS != nil {
		config := p.config.TLS()
		if config.ServerName == "" {
			config = config.Clone()
			config.ServerName = hostOf(p.addr)
		}
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secured
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		conn.Close()
		return nil, ctx.Err()
	}
	if p.conn != nil {
		conn.Close()
		return nil, errors.New("the node is connected already")
	}
	p.conn = conn
	return conn, nil
}

// drop gives up the connection and the client on it. The caller holds the turn.
func (p *peer) drop() {
	p.mu.Lock()
	conn := p.conn
	p.conn = nil
	p.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
}

// rest closes the connection if nothing has been asked since before, or, when retire
// is true, in any case and for good. It leaves a peer alone that is being asked, and is
// false then.
func (p *peer) rest(before time.Time, retire bool) bool {
	select {
	case p.turn <- struct{}{}:
	default:
		return false
	}
	p.retired = p.retired || retire
	if retire || p.used.Before(before) {
		p.drop()
	}
	<-p.turn
	return true
}
