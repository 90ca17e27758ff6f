package local

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"time"
)

// Client is one plain connection speaking RESP3: commands in, replies out, in order. It is
// not for concurrent use.
type Client struct {
	conn net.Conn
	br   *bufio.Reader
}

// DialOptions say how to reach a server and as whom. The zero value is plain TCP as the
// default user.
type DialOptions struct {
	Network  string // "tcp" when empty; "unix"
	TLS      *tls.Config
	Username string // "default" when empty and Password is not
	Password string
}

// Dial connects and says HELLO 3, with AUTH where a password is given.
func Dial(ctx context.Context, addr string, o DialOptions) (*Client, error) {
	network := o.Network
	if network == "" {
		network = "tcp"
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		// A reset at close leaves no TIME_WAIT behind, of which short connections in a
		// loop would pile up thousands.
		_ = tcp.SetLinger(0)
	}
	if o.TLS != nil {
		conn = tls.Client(conn, o.TLS)
	}
	c := &Client{conn: conn, br: bufio.NewReader(conn)}
	hello := []string{"HELLO", "3"}
	if o.Password != "" {
		user := o.Username
		if user == "" {
			user = "default"
		}
		hello = append(hello, "AUTH", user, o.Password)
	}
	reply, err := c.Do(ctx, hello...)
	if err == nil {
		err = reply.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Do sends one command and returns its reply; a server's error is a reply. Out-of-band
// pushes that arrive before it are dropped.
func (c *Client) Do(ctx context.Context, args ...string) (Reply, error) {
	if err := c.Send(ctx, args...); err != nil {
		return nil, err
	}
	for {
		reply, err := c.Receive(ctx)
		if err != nil || len(reply) == 0 || reply[0] != '>' {
			return reply, err
		}
	}
}

// Send writes one command and does not wait for its reply.
func (c *Client) Send(ctx context.Context, args ...string) error {
	stop := c.bind(ctx)
	defer stop()
	_, err := c.conn.Write(AppendCommand(nil, args...))
	return contextError(ctx, err)
}

// SendRaw writes bytes as they are, whole commands or not.
func (c *Client) SendRaw(ctx context.Context, b []byte) error {
	stop := c.bind(ctx)
	defer stop()
	_, err := c.conn.Write(b)
	return contextError(ctx, err)
}

// Receive reads the next reply or push.
func (c *Client) Receive(ctx context.Context) (Reply, error) {
	stop := c.bind(ctx)
	defer stop()
	b, err := readReply(c.br, nil, 0)
	return b, contextError(ctx, err)
}

// Close closes the connection.
func (c *Client) Close() {
	_ = c.conn.Close()
}

// bind makes the connection's reads and writes end with ctx, until stop is called. A
// connection whose context ended in the middle of a reply is of no further use.
func (c *Client) bind(ctx context.Context) (stop func()) {
	_ = c.conn.SetDeadline(time.Time{})
	undo := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	return func() { undo() }
}

func contextError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// AppendCommand appends the command in the form that servers read: an array of bulk strings.
func AppendCommand(dst []byte, args ...string) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(len(args)), 10)
	dst = append(dst, '\r', '\n')
	for _, a := range args {
		dst = append(dst, '$')
		dst = strconv.AppendInt(dst, int64(len(a)), 10)
		dst = append(dst, '\r', '\n')
		dst = append(dst, a...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}
