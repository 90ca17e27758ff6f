package embedded

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/valkeybatch/valkeybatch/internal/leaktest"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// client speaks RESP3 to a store.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, s *Store) *client {
	t.Helper()
	conn, err := s.Dial(context.Background(), "tcp", Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
	if hello := c.do("HELLO", "3", "SETNAME", "test"); !strings.HasPrefix(hello, "%7") {
		t.Fatalf("HELLO 3: %q", hello)
	}
	return c
}

func (c *client) send(args ...string) {
	c.t.Helper()
	raw := make([][]byte, len(args))
	for i, arg := range args {
		raw[i] = []byte(arg)
	}
	if _, err := c.conn.Write(resp.AppendCommand(nil, raw)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the bytes of one reply.
func (c *client) read() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	n, _ := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	switch line[0] {
	case '$', '=', '!':
		if n < 0 {
			return line
		}
		rest := make([]byte, n+2)
		for read := 0; read < len(rest); {
			m, err := c.r.Read(rest[read:])
			if err != nil {
				c.t.Fatal(err)
			}
			read += m
		}
		return line + string(rest)
	case '%':
		n *= 2
	case '*', '~':
	default:
		return line
	}
	for range n {
		line += c.read()
	}
	return line
}

func (c *client) do(args ...string) string {
	c.t.Helper()
	c.send(args...)
	return c.read()
}

func (c *client) expect(want string, args ...string) {
	c.t.Helper()
	if got := c.do(args...); got != want {
		c.t.Errorf("%q: got %q, want %q", args, got, want)
	}
}

func TestReplyTypes(t *testing.T) {
	c := dial(t, newStore(t))
	c.expect("+OK\r\n", "SET", "k", "v")
	c.expect("$1\r\nv\r\n", "GET", "k")
	c.expect("_\r\n", "GET", "none")
	c.expect(":1\r\n", "HSET", "h", "f", "1")
	c.expect("%1\r\n$1\r\nf\r\n$1\r\n1\r\n", "HGETALL", "h")
	c.expect(":1\r\n", "SADD", "s", "m")
	c.expect("~1\r\n$1\r\nm\r\n", "SMEMBERS", "s")
	c.expect(":1\r\n", "ZADD", "z", "1.5", "m")
	c.expect(",1.5\r\n", "ZSCORE", "z", "m")
	c.expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "LPUSH", "k", "x")
	binary := string([]byte{0, 1, 13, 10, 255})
	c.expect("+OK\r\n", "SET", binary, binary)
	c.expect("$5\r\n"+binary+"\r\n", "GET", binary)
}

func TestPipelining(t *testing.T) {
	c := dial(t, newStore(t))
	const n = 20_000
	go func() {
		var buffer []byte
		for i := range n {
			buffer = resp.AppendCommand(buffer, [][]byte{[]byte("ECHO"), []byte(strconv.Itoa(i))})
		}
		_, _ = c.conn.Write(buffer)
	}()
	for i := range n {
		text := strconv.Itoa(i)
		if got, want := c.read(), "$"+strconv.Itoa(len(text))+"\r\n"+text+"\r\n"; got != want {
			t.Fatalf("reply %d: got %q", i, got)
		}
	}
}

// TestTimePasses checks that keys expire by themselves, and not before their time by much.
func TestTimePasses(t *testing.T) {
	c := dial(t, newStore(t))
	c.expect("+OK\r\n", "SET", "short", "v", "PX", "50")
	c.expect("+OK\r\n", "SET", "long", "v", "EX", "1000")
	for start := time.Now(); c.do("EXISTS", "short") == ":1\r\n"; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the key does not expire")
		}
	}
	c.expect("$1\r\nv\r\n", "GET", "long")
	if ttl := c.do("TTL", "long"); ttl != ":1000\r\n" && !strings.HasPrefix(ttl, ":9") {
		t.Errorf("TTL %q", ttl)
	}
}

func TestTransactions(t *testing.T) {
	c := dial(t, newStore(t))
	c.expect("+OK\r\n", "MULTI")
	c.expect("+QUEUED\r\n", "INCR", "n")
	c.expect("+QUEUED\r\n", "LPUSH", "n", "x")
	if got := c.do("EXEC"); !strings.HasPrefix(got, "*2\r\n:1\r\n-WRONGTYPE") {
		t.Errorf("EXEC: %q", got)
	}
	// What is refused when queued makes EXEC abort, whoever refuses it.
	for _, refused := range [][]string{{"NOSUCH"}, {"GET"}, {"CLUSTER", "INFO"}, {"COMMAND"}, {"SELECT", "16"}, {"SCRIPT", "LOAD", "return 1"}} {
		c.expect("+OK\r\n", "MULTI")
		c.expect("+QUEUED\r\n", "INCR", "n")
		if got := c.do(refused...); got[0] != '-' {
			t.Errorf("%q: %q", refused, got)
		}
		if got := c.do("EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
			t.Errorf("EXEC after %q: %q", refused, got)
		}
	}
	c.expect("$1\r\n1\r\n", "GET", "n")
	c.expect("+OK\r\n", "MULTI")
	c.expect("+QUEUED\r\n", "INFO", "cluster")
	c.expect("*1\r\n$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n", "EXEC")
}

func TestNoCluster(t *testing.T) {
	c := dial(t, newStore(t))
	for _, command := range [][]string{{"CLUSTER", "SLOTS"}, {"CLUSTER", "INFO"}, {"cluster"}} {
		c.expect("-ERR This instance has cluster support disabled\r\n", command...)
	}
	if info := c.do("INFO"); !strings.Contains(info, "cluster_enabled:0") || !strings.Contains(info, "role:master") {
		t.Errorf("INFO: %q", info)
	}
	c.expect("$0\r\n\r\n", "INFO", "nosuch")
}

func TestUnknownCommand(t *testing.T) {
	c := dial(t, newStore(t))
	c.expect("-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n", "NOSUCH", "a", "b")
	if got := c.do("NOSUCH", strings.Repeat("x", 100_000)); len(got) > 1000 {
		t.Errorf("the refusal has %d bytes", len(got))
	}
}

func TestSelect(t *testing.T) {
	s := newStore(t)
	c, other := dial(t, s), dial(t, s)
	c.expect("+OK\r\n", "SELECT", "15")
	c.expect("+OK\r\n", "SET", "k", "v")
	other.expect("_\r\n", "GET", "k")
	c.expect("-ERR DB index is out of range\r\n", "SELECT", "16")
}

// TestFirstCommandIsAScript checks connections that have no state yet.
func TestFirstCommandIsAScript(t *testing.T) {
	s := newStore(t)
	for _, command := range [][]string{{"SCRIPT", "LOAD", "return 1"}, {"EVAL", "return 1", "0"}} {
		conn, err := s.Dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
		if got := c.do(command...); got[0] == '-' {
			t.Errorf("%q: %q", command, got)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) > 2 {
		t.Errorf("%d sessions of 2 connections", len(s.sessions))
	}
}

func TestScripts(t *testing.T) {
	c := dial(t, newStore(t))
	const script = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
	digest := sha1Hex(script)
	c.expect("-NOSCRIPT No matching script. Please use EVAL.\r\n", "EVALSHA", digest, "1", "n", "2")
	c.expect(":2\r\n", "EVAL", script, "1", "n", "2")
	c.expect(":4\r\n", "EVALSHA", strings.ToUpper(digest), "1", "n", "2")
	c.expect("*2\r\n:1\r\n:0\r\n", "SCRIPT", "EXISTS", digest, "0")
	c.expect("+OK\r\n", "SCRIPT", "FLUSH")
	c.expect("*1\r\n:0\r\n", "SCRIPT", "EXISTS", digest)
	c.expect("$40\r\n"+digest+"\r\n", "SCRIPT", "LOAD", script)
	c.expect(":6\r\n", "EVALSHA", digest, "1", "n", "2")
	if got := c.do("SCRIPT", "LOAD", "return ("); got[0] != '-' {
		t.Errorf("a broken script: %q", got)
	}
}

// TestScriptsReachNothingOutside checks that scripts have no way to files or the process's output.
func TestScriptsReachNothingOutside(t *testing.T) {
	c := dial(t, newStore(t))
	for _, name := range []string{"dofile", "loadfile", "require", "module", "package", "print", "_printregs", "io", "debug"} {
		for _, script := range []string{"return " + name, "return _G['" + name + "']", "return rawget(_G, '" + name + "')"} {
			if got := c.do("EVAL", script, "0"); got != "_\r\n" && !strings.Contains(got, "nonexistent global") {
				t.Errorf("%s: %q", script, got)
			}
		}
	}
	if got := c.do("EVAL", "return os.execute", "0"); got != "_\r\n" && got[0] != '-' {
		t.Errorf("os.execute: %q", got)
	}
	c.expect("$7\r\n{\"a\":1}\r\n", "EVAL", "return cjson.encode({a=1})", "0")
}

// TestPanicEndsNothing checks that a defect of the store closes one connection and leaves the
// store in working order, unlocked, whether it strikes with the lock held or not.
func TestPanicEndsNothing(t *testing.T) {
	s := newStore(t)
	if err := s.server.Register("PANIC", func(*server.Peer, string, []string) { panic("outside") }); err != nil {
		t.Fatal(err)
	}
	bad, good := dial(t, s), dial(t, s)
	bad.send("PANIC")
	_ = bad.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := bad.conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("the connection is still open: %d bytes", n)
	}
	good.expect("+OK\r\n", "SET", "k", "v")

	// The same under a script, whose command has the store locked.
	c := dial(t, s)
	if got := c.do("EVAL", "return redis.call('PANIC')", "0"); got[0] != '-' {
		t.Errorf("a panic under a script: %q", got)
	}
	good.expect("$1\r\nv\r\n", "GET", "k")
}

// TestPanicUnderLock strikes with the store's lock held, by a pattern that miniredis does not
// survive when nothing keeps it away.
func TestPanicUnderLock(t *testing.T) {
	s := newStore(t)
	c := dial(t, s)
	c.expect("+OK\r\n", "SET", "k", "v")
	peer := server.NewPeer(bufio.NewWriter(io.Discard))
	s.server.Dispatch(peer, []string{"PING"})
	s.protect(peer, &session{}, "KEYS", func() { s.aside(peer, io.Discard, "KEYS", "\xff") })
	if !peer.Closed() {
		t.Error("nothing panicked, or the connection stays open")
	}
	c.expect("$1\r\nv\r\n", "GET", "k")

	// EXEC unlocks by itself, whatever panics under it.
	stack := []byte("github.com/alicebob/miniredis/v2.withTx(0xc0, 0xc1)\n")
	if !lockedBy(stack) || lockedBy(append(stack, "github.com/alicebob/miniredis/v2.(*Miniredis).cmdExec(0x1)\n"...)) {
		t.Error("lockedBy misreads the stack")
	}
	for _, command := range [][]string{{"KEYS", "\xff"}, {"SCAN", "0", "MATCH", "\xff"}, {"HSCAN", "\xff", "0", "MATCH", "\xff"}} {
		if got := c.do(command...); got[0] != '-' {
			t.Errorf("%q: %q", command, got)
		}
	}
}

// TestEmptySetsAreNotStored checks that set operations leave no key behind when their result
// is empty, alone and in a transaction.
func TestEmptySetsAreNotStored(t *testing.T) {
	c := dial(t, newStore(t))
	c.expect(":1\r\n", "SADD", "a", "m")
	c.expect(":1\r\n", "SADD", "b", "n")
	c.expect(":0\r\n", "SINTERSTORE", "d", "a", "b")
	c.expect(":0\r\n", "EXISTS", "d")
	c.expect("_\r\n", "SRANDMEMBER", "d")
	c.expect("+OK\r\n", "MULTI")
	c.expect("+QUEUED\r\n", "SDIFFSTORE", "d", "a", "a")
	c.expect("*1\r\n:0\r\n", "EXEC")
	c.expect(":0\r\n", "EXISTS", "d")
	c.expect(":2\r\n", "SUNIONSTORE", "d", "a", "b")
	c.expect(":2\r\n", "SCARD", "d")
}

func TestBounds(t *testing.T) {
	c := dial(t, newStore(t))
	c.expect(":1\r\n", "SADD", "s", "m")
	for _, test := range []struct {
		want string
		args []string
	}{
		{"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n", []string{"SETRANGE", "k", "536870912", "x"}},
		{"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n", []string{"SETRANGE", "k", "9223372036854775807", "x"}},
		{"-ERR bit offset is not an integer or out of range\r\n", []string{"SETBIT", "k", "4294967296", "1"}},
		{"-ERR value is out of range\r\n", []string{"SRANDMEMBER", "s", "-9223372036854775808"}},
		{"-ERR value is out of range\r\n", []string{"HRANDFIELD", "h", "-9223372036854775808"}},
		{"-ERR invalid cursor\r\n", []string{"SSCAN", "s", "-1"}},
		{"-ERR value is out of range\r\n", []string{"ZRANDMEMBER", "z", "-1048577"}},
		{"*2\r\n$1\r\nm\r\n$1\r\nm\r\n", []string{"SRANDMEMBER", "s", "-2"}},
		{":6\r\n", []string{"SETRANGE", "k", "5", "x"}},
	} {
		c.expect(test.want, test.args...)
	}
	if got := c.do("EVAL", "return redis.call('SRANDMEMBER', 's', '-9223372036854775808')", "0"); !strings.Contains(got, "out of range") {
		t.Errorf("under a script: %q", got)
	}
}

func TestBlockingCommand(t *testing.T) {
	s := newStore(t)
	waiting, other := dial(t, s), dial(t, s)
	waiting.send("BLPOP", "l", "0")
	other.expect(":1\r\n", "RPUSH", "l", "x")
	if got := waiting.read(); got != "*2\r\n$1\r\nl\r\n$1\r\nx\r\n" {
		t.Errorf("BLPOP: %q", got)
	}
	// One that waits when the store closes must not keep it from closing.
	waiting.send("BLPOP", "l", "0")
	s.Close()
	if _, err := s.Dial(context.Background(), "", ""); err == nil {
		t.Error("a closed store can be dialled")
	}
}

func TestManyConnections(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for range 20 {
		c := dial(t, s)
		wg.Go(func() {
			for range 100 {
				c.send("INCR", "n")
				c.read()
			}
		})
	}
	wg.Wait()
	dial(t, s).expect("$4\r\n2000\r\n", "GET", "n")
	topology, err := s.Topology(context.Background())
	if err != nil || topology.IsCluster() || !topology.Has(Addr) {
		t.Errorf("%v, %v", topology, err)
	}
}
