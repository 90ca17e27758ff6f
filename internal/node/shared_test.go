package node_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/credential"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestPipelineAnswersInOrder(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := getNode(t, s.Addr())
	key := valkeytest.Key(t)
	for _, target := range []node.Target{ordinary, {Class: node.Bulk}, blocking, {Replica: true}, {Class: node.Blocking, Replica: true}} {
		b := do(t, n, target, command("SET", key, "1"), command("INCR", key), command("GET", key), command("LPUSH", key, "x"), command("GET", key+"-none"), command("NOSUCH"))
		wantOK(t, b, "+OK\r\n", ":2\r\n", bulk("2"), "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "_\r\n",
			"-ERR unknown command 'NOSUCH', with args beginning with: \r\n")
	}
	empty := batch()
	n.Do(context.Background(), ordinary, empty)
	if empty.Err() != nil || empty.Len() != 0 {
		t.Errorf("empty batch: %v", empty.Err())
	}
	if f, state := empty.Reply(0); f != nil || state != node.NotSent {
		t.Errorf("out of range: %q %v", f, state)
	}
}

// TestReplyTypes: every type arrives as the server says it, byte for byte.
func TestReplyTypes(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := getNode(t, s.Addr())
	key := valkeytest.Key(t)
	do(t, n, ordinary, command("DEL", key))
	for _, tc := range []struct {
		args [][]byte
		want string
	}{
		{command("PING"), "+PONG\r\n"},
		{command("DEBUG", "PROTOCOL", "string"), bulk("Hello World")},
		{command("DEBUG", "PROTOCOL", "integer"), ":12345\r\n"},
		{command("DEBUG", "PROTOCOL", "double"), ",3.141\r\n"},
		{command("DEBUG", "PROTOCOL", "null"), "_\r\n"},
		{command("DEBUG", "PROTOCOL", "array"), "*3\r\n:0\r\n:1\r\n:2\r\n"},
		{command("DEBUG", "PROTOCOL", "set"), "~3\r\n:0\r\n:1\r\n:2\r\n"},
		{command("DEBUG", "PROTOCOL", "map"), "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"},
		{command("DEBUG", "PROTOCOL", "bignum"), "(1234567999999999999999999999999999999\r\n"},
		{command("DEBUG", "PROTOCOL", "true"), "#t\r\n"},
		{command("DEBUG", "PROTOCOL", "false"), "#f\r\n"},
		{command("DEBUG", "PROTOCOL", "verbatim"), "=29\r\ntxt:This is a verbatim\nstring\r\n"},
		{command("DEBUG", "PROTOCOL", "attrib"), bulk("Some real reply following the attribute")},
		{command("DEBUG", "PROTOCOL", "push"), bulk("Some real reply following the push reply")},
		{command("EVAL", "redis.setresp(3); return {double=tonumber('inf')}", "0"), ",inf\r\n"},
		{command("ZADD", key, "inf", "a", "-inf", "b", "1e300", "c"), ":3\r\n"},
		{command("ZSCORE", key, "b"), ",-inf\r\n"},
		{command("ZSCORE", key, "c"), ",1.0000000000000001e+300\r\n"},
		{command("EVAL", "redis.setresp(3); return {map={[1]={1,{2}},['a']=false}}", "0"), ""},
		{command("EVAL", "return {1,{err='MY err'},{ok='fine'}}", "0"), "*3\r\n:1\r\n-MY err\r\n+fine\r\n"},
		{command("EVAL", "return {err='MOVED'}", "0"), "-MOVED\r\n"},
		{command("ECHO", "a\r\n\x00\xff"), bulk("a\r\n\x00\xff")},
		{command("ECHO", ""), bulk("")},
	} {
		b := do(t, n, ordinary, tc.args, command("PING"))
		if tc.want == "" {
			if f, _ := b.Reply(0); f.Type() != '%' {
				t.Errorf("%s: %q", tc.args, f)
			}
			continue
		}
		// The double's exact digits depend on the server's build.
		if f, _ := b.Reply(0); strings.HasPrefix(tc.want, ",1.0") && f.Type() == ',' {
			continue
		}
		wantOK(t, b, tc.want, "+PONG\r\n")
	}
}

func TestLargeArgumentsAndReplies(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := getNode(t, s.Addr())
	key := valkeytest.Key(t)
	for _, size := range []int{node.LargeArg - 1, node.LargeArg, 100 << 10, 1 << 20, 20 << 20} {
		value := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		set := [][]byte{[]byte("SET"), []byte(key), value}
		b := do(t, n, node.Target{Class: node.Bulk}, command("PING"), set, set, command("STRLEN", key), command("GET", key), command("PING"), command("DEL", key))
		wantOK(t, b, "+PONG\r\n", "+OK\r\n", "+OK\r\n", fmt.Sprintf(":%d\r\n", size), bulk(string(value)), "+PONG\r\n", ":1\r\n")
		if want := b.Bytes(); want < 2*size {
			t.Errorf("Bytes %d", want)
		}
	}
}

func TestManyCommands(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := getNode(t, s.Addr())
	const count = 100000
	b := node.NewBatch(count, node.NewBudget(100<<20))
	for i := range count {
		b.Add(command("ECHO", fmt.Sprint(i)))
	}
	n.Do(context.Background(), ordinary, b)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	for i := range count {
		if f, _ := b.Reply(i); string(f) != bulk(fmt.Sprint(i)) {
			t.Fatalf("reply %d: %q", i, f)
		}
	}
}

// TestHammer: many callers on the same connections each get their own replies, while others
// give up at any moment.
func TestHammer(t *testing.T) {
	s := valkeytest.SharedServer(t)
	n := newPool(t, node.Config{MaxInFlight: 16, MaxInFlightBytes: 256 << 10}).Get(s.Addr())
	large := strings.Repeat("L", node.LargeArg)
	var wg sync.WaitGroup
	for caller := range 64 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(caller), 1))
			for round := range 60 {
				target := ordinary
				if rnd.IntN(4) == 0 {
					target.Class = node.Bulk
				}
				var want []string
				b := node.NewBatch(0, nil)
				for i := range 1 + rnd.IntN(50) {
					text := fmt.Sprintf("%d-%d-%d", caller, round, i)
					if rnd.IntN(100) == 0 {
						text += large
					}
					b.Add(command("ECHO", text))
					want = append(want, bulk(text))
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				if caller%4 == 3 {
					cancel()
					ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rnd.IntN(2000))*time.Microsecond)
				}
				n.Do(ctx, target, b)
				cancel()
				for i := range b.Len() {
					f, state := b.Reply(i)
					if state == node.Acknowledged && string(f) != want[i] {
						t.Errorf("caller %d got %.60q, want %.60q", caller, f, want[i])
					}
					if state != node.Acknowledged && caller%4 != 3 {
						t.Errorf("caller %d: %v: %v", caller, state, b.Err())
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestClientNameAndProtocol(t *testing.T) {
	s := valkeytest.StartServer(t)
	n := newPool(t, node.Config{ClientName: "the-batches"}).Get(s.Addr())
	b := do(t, n, ordinary, command("CLIENT", "GETNAME"), command("CLIENT", "INFO"))
	f, _ := b.Reply(0)
	info, _ := b.Reply(1)
	if string(f) != bulk("the-batches") || !strings.Contains(string(info), "resp=3") {
		t.Errorf("%q %q", f, info)
	}
}

func TestAuthentication(t *testing.T) {
	s := valkeytest.StartServer(t, valkeytest.Password("secret"))
	s.MustDo(t, "ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all")
	for _, tc := range []struct {
		user, password, who, refusal string
	}{
		{"", "secret", "default", ""}, {"app", "pw", "app", ""},
		{"app", "wrong", "", "WRONGPASS"}, {"", "", "", "NOAUTH"},
	} {
		n := newPool(t, node.Config{Username: tc.user, Password: credential.Fixed(tc.password), ClientName: "x"}).Get(s.Addr())
		b := do(t, n, ordinary, command("ACL", "WHOAMI"))
		if tc.refusal == "" {
			wantOK(t, b, bulk(tc.who))
			continue
		}
		wantConnectionError(t, b, node.OpHandshake)
		wantOutcome(t, b, "not sent")
		if !strings.Contains(fmt.Sprint(b.Err()), tc.refusal) {
			t.Errorf("error %v, want %s in it", b.Err(), tc.refusal)
		}
	}
}

func TestTLS(t *testing.T) {
	s := valkeytest.StartServer(t, valkeytest.TLS())
	n := newPool(t, node.Config{TLS: always(s.TLS())}).Get(s.Addr())
	large := strings.Repeat("x", 3<<20)
	b := do(t, n, ordinary, command("PING"), command("SET", "k", large), command("GET", "k"), command("PING"))
	wantOK(t, b, "+PONG\r\n", "+OK\r\n", bulk(large), "+PONG\r\n")
	wantOK(t, do(t, n, transaction, command("INCR", "n")), "+QUEUED\r\n")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				text := fmt.Sprint(i, "-", j)
				wantOK(t, do(t, n, ordinary, command("ECHO", text)), bulk(text))
			}
		})
	}
	wg.Wait()
	distrustful := s.TLS().Clone()
	distrustful.RootCAs = nil
	b = do(t, newPool(t, node.Config{TLS: always(distrustful)}).Get(s.Addr()), ordinary, command("PING"))
	wantConnectionError(t, b, node.OpHandshake)
	plain := newPool(t, node.Config{}).Get(s.Addr())
	b = do(t, plain, ordinary, command("PING"))
	wantConnectionError(t, b, node.OpHandshake)
}

func TestRedisServer(t *testing.T) {
	s := valkeytest.StartServer(t, valkeytest.Binary("redis-server"))
	n := getNode(t, s.Addr())
	wantOK(t, do(t, n, ordinary, command("SET", "k", "v"), command("GET", "k")), "+OK\r\n", bulk("v"))
	// It refuses READONLY outside of a cluster; a standalone replica serves reads as it is.
	wantOK(t, do(t, n, node.Target{Replica: true}, command("GET", "k")), bulk("v"))
	b := do(t, newPool(t, node.Config{Cluster: true}).Get(s.Addr()), node.Target{Replica: true}, command("GET", "k"))
	wantConnectionError(t, b, node.OpHandshake)
	wantOutcome(t, b, "not sent")
	b = do(t, n, transaction, command("GET", "k"))
	wantOK(t, b, "+QUEUED\r\n")
	if string(b.Exec()) != "*1\r\n"+bulk("v") {
		t.Errorf("EXEC: %q", b.Exec())
	}
}

func BenchmarkDo(b *testing.B) {
	s := valkeytest.SharedServer(b)
	n := newPool(b, node.Config{}).Get(s.Addr())
	key := valkeytest.Key(b)
	s.MustDo(b, "SET", key, "0123456789abcdef")
	get := command("GET", key)
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sub := node.NewBatch(size, nil)
				for range size {
					sub.Add(get)
				}
				n.Do(context.Background(), ordinary, sub)
				if sub.Err() != nil {
					b.Fatal(sub.Err())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/command")
		})
	}
}

// TestReplica: READONLY connections read from a cluster's replica, and writes point to its
// primary.
func TestReplica(t *testing.T) {
	c := valkeytest.SharedCluster(t)
	primary := c.Primaries()[0]
	key := c.KeyFor(t, primary, valkeytest.Key(t))
	p := newPool(t, node.Config{Cluster: true})
	wantOK(t, do(t, p.Get(primary.Addr()), ordinary, command("SET", key, "v"), command("WAIT", "1", "5000")), "+OK\r\n", ":1\r\n")
	n := p.Get(c.Replicas(primary)[0].Addr())
	for _, class := range []node.Class{node.Ordinary, node.Bulk, node.Blocking} {
		wantOK(t, do(t, n, node.Target{Class: class, Replica: true}, command("GET", key)), bulk("v"))
		b := do(t, n, node.Target{Class: class}, command("GET", key))
		if f, _ := b.Reply(0); f.ErrorCode() != "MOVED" {
			t.Errorf("without READONLY: %q", f)
		}
	}
	b := do(t, n, node.Target{Class: node.Atomic, Replica: true}, command("GET", key))
	if string(b.Exec()) != "*1\r\n"+bulk("v") {
		t.Errorf("EXEC: %q %v", b.Exec(), b.Err())
	}
}
