package node_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// FuzzServer: whatever a server says, in whatever pieces, a sub-batch ends with exactly the
// replies that are whole, and the connection ends with the breach.
func FuzzServer(f *testing.F) {
	for _, s := range []string{
		"+OK\r\n:1\r\n$3\r\nabc\r\n", "+OK\r\n", "*2\r\n:1\r\n", "$-7\r\n", ">1\r\n+p\r\n+OK\r\n|1\r\n+a\r\n:1\r\n:2\r\n_\r\n+more\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n+OK\r\n+OK\r\n", "$99999999\r\nabc",
	} {
		f.Add([]byte(s), uint16(1))
		f.Add([]byte(s), uint16(4096))
	}
	f.Fuzz(func(t *testing.T, says []byte, piece uint16) {
		const depth = 4
		p := node.NewPool(node.Config{MaxDepth: depth, Dialer: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				buf := make([]byte, 4096)
				server.Read(buf)
				io.WriteString(server, "%0\r\n")
				server.Read(buf)
				for rest := says; len(rest) > 0; {
					n := min(int(piece)+1, len(rest))
					if _, err := server.Write(rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
			}()
			return client, nil
		}})
		defer p.Close()
		var want []string
		s := resp.Scanner{MaxDepth: depth}
		for rest := says; len(rest) > 0 && len(want) < 3; {
			n, done, err := s.Scan(rest)
			if err != nil || !done || (s.TooDeep() && s.Type() != resp.TypePush && s.Type() != resp.TypeAttribute) {
				break
			}
			if s.Type() != resp.TypePush && s.Type() != resp.TypeAttribute {
				want = append(want, string(rest[:n]))
			}
			rest = rest[n:]
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		b := node.NewBatch(3, node.NewBudget(1<<20))
		for range 3 {
			b.Add(command("X"))
		}
		began := time.Now()
		p.Get("fuzz:1").Do(ctx, ordinary, b)
		if ctx.Err() != nil {
			t.Fatalf("no end in %v", time.Since(began))
		}
		if _, beyond := b.Reply(len(want)); beyond == node.Acknowledged || (b.Err() == nil) != (len(want) == 3) {
			t.Fatalf("%q, want %q; %v", outcome(b), want, b.Err())
		}
		for i, w := range want {
			if got, _ := b.Reply(i); string(got) != w {
				t.Fatalf("reply %d: %q, want %q", i, got, w)
			}
		}
	})
}
