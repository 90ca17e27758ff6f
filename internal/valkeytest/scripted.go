package valkeytest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Handler answers one command of a scripted server: the raw bytes to send, well formed or
// not. Connections count from 0 in the order they were accepted; commands of one connection
// are handled one after the other, those of several at once.
//
// nil means nothing of its own: the server sends its default answer to HELLO, AUTH, CLIENT,
// READONLY, ASKING, MULTI, DISCARD and PING, and no answer at all to any other command.
// [NoReply] sends nothing whatever the command. A reply that ends with [CloseMark] closes
// the connection once what precedes it is sent.
type Handler func(conn int, args []string) []byte

var (
	// NoReply is the answer that sends nothing.
	NoReply = []byte{}
	// CloseMark at the end of an answer closes the connection.
	CloseMark = []byte("\x00valkeytest close\x00")
)

// Received is one command as a scripted server read it.
type Received struct {
	Conn int
	Args []string
}

// Scripted is a server that says what a test's handler says.
type Scripted struct {
	listener net.Listener
	handler  Handler
	owners   sync.WaitGroup

	mu       sync.Mutex
	conns    map[int]net.Conn
	accepted int
	received []Received
	closed   bool
}

// StartScripted starts a scripted server on a free port. It ends with the test; a handler
// that still waits for something then is given time to return, and fails the test if it
// does not.
func StartScripted(t testing.TB, handler Handler) *Scripted {
	t.Helper()
	return StartScriptedAt(t, "127.0.0.1:0", handler)
}

// StartScriptedAt is StartScripted on an address of the test's choice, such as that of
// another server that was closed.
func StartScriptedAt(t testing.TB, addr string, handler Handler) *Scripted {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("valkeytest: %v", err)
	}
	s := &Scripted{listener: l, handler: handler, conns: map[int]net.Conn{}}
	s.owners.Go(s.accept)
	t.Cleanup(func() {
		s.Close()
		ended := make(chan struct{})
		go func() { s.owners.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(deadline):
			t.Errorf("valkeytest: a handler of the scripted server %s does not return", s.Addr())
		}
	})
	return s
}

// Addr returns host:port.
func (s *Scripted) Addr() string { return s.listener.Addr().String() }

// Connections returns how many connections were accepted so far.
func (s *Scripted) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Open returns how many connections are open now.
func (s *Scripted) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Received returns all commands read so far, those with default answers included.
func (s *Scripted) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Count returns how often a command was read so far, whatever its arguments.
func (s *Scripted) Count(command string) (n int) {
	for _, r := range s.Received() {
		if len(r.Args) > 0 && strings.EqualFold(r.Args[0], command) {
			n++
		}
	}
	return n
}

// Push sends bytes nobody asked for to one connection.
func (s *Scripted) Push(conn int, b []byte) error {
	s.mu.Lock()
	c := s.conns[conn]
	s.mu.Unlock()
	if c == nil {
		return fmt.Errorf("connection %d is not open", conn)
	}
	_, err := c.Write(b)
	return err
}

// CloseConnections closes all open connections and goes on accepting new ones.
func (s *Scripted) CloseConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

// Close stops listening and closes all connections.
func (s *Scripted) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.CloseConnections()
}

func (s *Scripted) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		number := s.accepted
		s.accepted++
		s.conns[number] = c
		s.mu.Unlock()
		s.owners.Go(func() { s.serve(number, c) })
	}
}

func (s *Scripted) serve(number int, c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, number)
		s.mu.Unlock()
		_ = c.Close()
	}()
	br := bufio.NewReader(c)
	for {
		args, err := readCommand(br)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.received = append(s.received, Received{Conn: number, Args: args})
		s.mu.Unlock()
		reply := s.handler(number, args)
		if reply == nil {
			reply = defaultReply(args)
		}
		reply, closing := bytes.CutSuffix(reply, CloseMark)
		if len(reply) > 0 {
			if _, err := c.Write(reply); err != nil {
				return
			}
		}
		if closing {
			return
		}
	}
}

func defaultReply(args []string) []byte {
	switch strings.ToUpper(args[0]) {
	case "HELLO":
		return []byte("%7\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n8.0.1\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n" +
			"$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n")
	case "AUTH", "CLIENT", "READONLY", "ASKING", "MULTI", "DISCARD":
		return []byte("+OK\r\n")
	case "PING":
		return []byte("+PONG\r\n")
	}
	return nil
}

// readCommand reads one array of bulk strings, the only form that clients send.
func readCommand(br *bufio.Reader) ([]string, error) {
	n, err := readLength(br, '*')
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, errors.New("empty command")
	}
	var args []string
	for range n {
		size, err := readLength(br, '$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(br, b); err != nil {
			return nil, err
		}
		args = append(args, string(b[:size]))
	}
	return args, nil
}

func readLength(br *bufio.Reader, kind byte) (int, error) {
	line, err := br.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || line[0] != kind || !strings.HasSuffix(line, "\r\n") {
		return 0, fmt.Errorf("malformed command: %q", line)
	}
	n, err := strconv.Atoi(line[1 : len(line)-2])
	if err == nil && n < 0 {
		err = fmt.Errorf("malformed command: %q", line)
	}
	return n, err
}
