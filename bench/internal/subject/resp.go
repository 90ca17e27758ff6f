package subject

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

const respBuffer = 64 << 10

// respConn is a bare connection to a Valkey server.
type respConn struct {
	conn    net.Conn
	reader  *bufio.Reader
	out     []byte
	scratch []byte // holds bulk strings that are larger than the reader's buffer
}

func dialRESP(addr string) (*respConn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &respConn{conn: conn, reader: bufio.NewReaderSize(conn, respBuffer)}, nil
}

// append adds a command, and writes what has become large. The server reads on while
// its replies wait, so writing everything before reading anything does not lock up.
func (c *respConn) append(op *workload.Op) error {
	switch op.Kind {
	case workload.Get:
		c.appendArgs(getArg, op.KeyBytes)
	case workload.Set:
		c.appendArgs(setArg, op.KeyBytes, op.ValueBytes)
	case workload.Incr:
		c.appendArgs(incrArg, op.KeyBytes)
	case workload.HSet:
		c.appendArgs(hsetArg, op.KeyBytes, field, op.ValueBytes)
	case workload.MGet:
		c.header('*', 1+len(op.KeysBytes))
		c.arg(mgetArg)
		for _, key := range op.KeysBytes {
			c.arg(key)
		}
	}
	if len(c.out) < respBuffer {
		return nil
	}
	return c.flush()
}

func (c *respConn) appendArgs(args ...[]byte) {
	c.header('*', len(args))
	for _, arg := range args {
		c.arg(arg)
	}
}

func (c *respConn) arg(arg []byte) {
	c.header('$', len(arg))
	c.out = append(append(c.out, arg...), '\r', '\n')
}

func (c *respConn) header(kind byte, n int) {
	c.out = append(strconv.AppendInt(append(c.out, kind), int64(n), 10), '\r', '\n')
}

func (c *respConn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// read reads and checks the reply of a command.
func (c *respConn) read(op *workload.Op, i int) error {
	switch op.Kind {
	case workload.Get:
		value, err := c.bulk()
		if err != nil {
			return err
		}
		return op.CheckValueBytes(i, value)
	case workload.Set:
		line, err := c.line()
		if err == nil && string(line) != "+OK" {
			err = op.Wrong(i, string(line))
		}
		return err
	case workload.MGet:
		if n, err := c.count('*'); err != nil || n != len(op.Keys) {
			return fmt.Errorf("%d of %d values: %w", n, len(op.Keys), err)
		}
		for j := range op.Keys {
			value, err := c.bulk()
			if err != nil {
				return err
			}
			if err := op.CheckElementBytes(i, j, value); err != nil {
				return err
			}
		}
		return nil
	default:
		n, err := c.count(':')
		if err != nil {
			return err
		}
		return op.CheckInteger(i, int64(n))
	}
}

// line returns the next line without its end. It is good until the next read.
func (c *respConn) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("malformed line %q", line)
	}
	return line[:len(line)-2], nil
}

// count reads a line of the kind and returns its number.
func (c *respConn) count(kind byte) (int, error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if line[0] != kind || len(line) < 2 || line[1] < '0' || line[1] > '9' {
		return 0, fmt.Errorf("got %q instead of a number behind %q", line, kind)
	}
	n := 0
	for _, digit := range line[1:] {
		n = n*10 + int(digit-'0')
	}
	return n, nil
}

// bulk returns the next bulk string. It is good until the next read.
func (c *respConn) bulk() ([]byte, error) {
	n, err := c.count('$')
	if err != nil {
		return nil, err
	}
	if n+2 <= respBuffer {
		b, err := c.reader.Peek(n + 2)
		if err != nil {
			return nil, err
		}
		_, _ = c.reader.Discard(n + 2)
		return b[:n], nil
	}
	if cap(c.scratch) < n+2 {
		c.scratch = make([]byte, n+2)
	}
	b := c.scratch[:n+2]
	_, err = io.ReadFull(c.reader, b)
	return b[:n], err
}

// slotOwners asks the first node who owns which slot, and returns indexes of nodes.
func slotOwners(nodes []string) ([]uint16, error) {
	ctx := context.Background()
	client, err := local.Dial(ctx, nodes[0], local.DialOptions{})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	reply, err := client.Do(ctx, "CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	byAddr := map[string]uint16{}
	for i, node := range nodes {
		byAddr[node] = uint16(i)
	}
	owners := make([]uint16, local.Slots)
	owned := 0
	for line := range strings.Lines(reply.Text()) {
		f := strings.Fields(line) // id, host:port@busport, ..., ranges from the ninth on
		if len(f) < 9 {
			continue
		}
		addr, _, _ := strings.Cut(f[1], "@")
		node, ok := byAddr[addr]
		if !ok {
			return nil, fmt.Errorf("the cluster has a node %s that nobody named", addr)
		}
		for _, part := range f[8:] {
			var first, last int
			if _, err := fmt.Sscanf(part, "%d-%d", &first, &last); err != nil {
				return nil, fmt.Errorf("slots %q: %w", part, err)
			}
			for slot := first; slot <= last; slot++ {
				owners[slot] = node
				owned++
			}
		}
	}
	if owned != local.Slots {
		return nil, fmt.Errorf("%d slots have owners", owned)
	}
	return owners, nil
}
