package node

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// handshakeBytes bounds what a server may say before it is trusted with sub-batches.
const handshakeBytes = 1 << 20

// ServerError is an error reply to something that the connection itself asked for.
type ServerError struct {
	// Command is what was asked.
	Command string
	// Text is the server's answer; to a command that carries the password, as resp.Refusal
	// words it.
	Text string
}

// Error returns both.
func (e *ServerError) Error() string { return e.Command + ": " + e.Text }

// open dials the node and makes the connection ready for sub-batches, patient ones if it is for
// commands that may wait. Where the password is refused it tries the one that has taken its place,
// or the one before: see [credential.Password.Alternative].
func (n *Node) open(ctx context.Context, replica, patient bool) (*conn, error) {
	cfg := &n.pool.cfg
	ctx, cancel := context.WithTimeout(ctx, cfg.DialTimeout)
	defer cancel()
	password := cfg.Password.Get()
	c, err := n.openWith(ctx, replica, patient, password)
	var answer *ServerError
	if errors.As(err, &answer) && credential.Refused(answer.Text) {
		if other, ok := cfg.Password.Alternative(password); ok {
			return n.openWith(ctx, replica, patient, other)
		}
	}
	return c, err
}

// openWith opens a connection that authenticates with the password.
func (n *Node) openWith(ctx context.Context, replica, patient bool, password string) (*conn, error) {
	cfg := &n.pool.cfg
	network, addr := "tcp", n.addr
	if path, ok := strings.CutPrefix(addr, unixScheme); ok {
		network, addr = "unix", path
	}
	sock, err := cfg.Dialer(ctx, network, addr)
	if err != nil {
		return nil, failed(n.addr, OpDial, err)
	}
	nc := sock
	if cfg.TLS != nil {
		encrypted := tls.Client(sock, n.tlsConfig())
		if err := encrypted.HandshakeContext(ctx); err != nil {
			sock.Close()
			return nil, failed(n.addr, OpHandshake, err)
		}
		nc = encrypted
	}
	c := newConn(n.addr, sock, nc, cfg)
	c.patient = patient
	asked := c.greeting(password, replica)
	b, err := c.request(ctx, asked...) // before anything is read, so that an early refusal is its answer
	if err != nil {
		sock.Close()
		return nil, err
	}
	if !n.pool.start(c, n) {
		c.neverRead(n.errClosed())
		return nil, n.errClosed()
	}
	if err := c.greeted(ctx, password, asked, b); err != nil {
		return nil, err
	}
	return c, nil
}

// unixScheme begins the addresses of sockets; the path follows.
const unixScheme = "unix://"

// tlsConfig returns the TLS settings for the node's host. A server behind a socket is localhost.
func (n *Node) tlsConfig() *tls.Config {
	cfg := n.pool.cfg.TLS()
	if cfg.ServerName != "" || cfg.InsecureSkipVerify {
		return cfg
	}
	host, _, err := net.SplitHostPort(n.addr)
	if err != nil {
		host = n.addr
	}
	if strings.HasPrefix(n.addr, unixScheme) {
		host = "localhost"
	}
	cfg = cfg.Clone()
	cfg.ServerName = host
	return cfg
}

// greeting returns the commands that switch the connection to RESP3, authenticate and name
// it, and make it read from a replica if that is wanted. HELLO works while the server is
// loading its data.
func (c *conn) greeting(password string, replica bool) [][]string {
	hello := []string{"HELLO", "3"}
	if password != "" || c.cfg.Username != "" {
		user := c.cfg.Username
		if user == "" {
			user = "default"
		}
		hello = append(hello, "AUTH", user, password)
	}
	if c.cfg.ClientName != "" {
		hello = append(hello, "SETNAME", c.cfg.ClientName)
	}
	if !replica {
		return [][]string{hello}
	}
	return [][]string{hello, {"READONLY"}}
}

// greeted judges the answers to the greeting. The connection is closed if they are refusals.
func (c *conn) greeted(ctx context.Context, password string, asked [][]string, b *Batch) error {
	replies, err := c.answers(ctx, b)
	if err != nil {
		return err
	}
	for i, f := range replies {
		if !f.IsError() {
			continue
		}
		if i == 1 && !c.cfg.Cluster && strings.Contains(f.ErrorText(), "cluster support disabled") {
			continue // a standalone replica serves reads as it is
		}
		text := f.ErrorText()
		if i == 0 || (password != "" && strings.Contains(text, password)) {
			text = resp.Refusal(text, password)
		}
		err := &ConnectionError{Addr: c.addr, Op: OpHandshake, Err: &ServerError{Command: asked[i][0], Text: text}}
		c.close(err)
		return err
	}
	c.markReady()
	return nil
}

// ask carries out commands of the connection's own. If not all are answered in time the
// connection is closed.
func (c *conn) ask(ctx context.Context, commands ...[]string) ([]resp.Frame, error) {
	b, err := c.request(ctx, commands...)
	if err != nil {
		return nil, err
	}
	return c.answers(ctx, b)
}

// request sends commands of the connection's own.
func (c *conn) request(ctx context.Context, commands ...[]string) (*Batch, error) {
	b := NewBatch(len(commands), NewBudget(handshakeBytes))
	for _, command := range commands {
		args := make([][]byte, len(command))
		for i, a := range command {
			args[i] = []byte(a)
		}
		b.Add(args)
	}
	queued, err := c.submit(ctx, b)
	if err == nil && !queued {
		err = c.failure()
	}
	if err != nil {
		c.close(err)
		return nil, handshakeFailed(c.addr, err)
	}
	return b, nil
}

// answers waits for the replies to a request.
func (c *conn) answers(ctx context.Context, b *Batch) ([]resp.Frame, error) {
	c.awaitOrClose(ctx, b)
	if b.err != nil {
		c.close(b.err)
		return nil, handshakeFailed(c.addr, b.err)
	}
	return b.replies, nil
}

// handshakeFailed is the error of a connection that did not get through its handshake.
func handshakeFailed(addr string, err error) error {
	var limit *LimitError
	if errors.As(err, &limit) {
		err = &resp.ProtocolError{Reason: limit.Error()} // not a limit of the caller's
	}
	lost := failed(addr, OpHandshake, err)
	if lost.Timeout {
		lost.Err = errNoAnswer
	}
	return lost
}

// awaitOrClose waits for a batch and closes the connection when the context ends first.
func (c *conn) awaitOrClose(ctx context.Context, b *Batch) {
	if err := b.wait(ctx); err != nil {
		c.close(interrupted(c.addr, "waiting for replies", err))
		_ = b.wait(context.Background()) // closing settles it
	}
}
