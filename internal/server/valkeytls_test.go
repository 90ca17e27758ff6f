package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/certs/certstest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestValkeyAuthorityRotatedUnderLoad exchanges the authority of Valkey's certificate, trusting
// both while it is done, with new connections at every step, and expects no failed batch.
func TestValkeyAuthorityRotatedUnderLoad(t *testing.T) {
	valkey := valkeytest.StartServer(t, valkeytest.TLS())
	caFile, _, _ := valkey.TLSFiles()
	before, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	after := certstest.NewAuthority(t)
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	trust := func(pem ...[]byte) {
		t.Helper()
		if err := os.WriteFile(trusted, []byte(strings.Join(texts(pem), "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust(before)
	r := start(t, settings(t, "--valkey="+valkey.Addr(), "--valkey-tls", "--valkey-tls-ca="+trusted, "--reload-interval=10ms"))
	client := r.client(t)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var done atomic.Int64
	defer load.Wait()
	defer stop()
	load.Go(func() {
		for ctx.Err() == nil {
			if answer, err := client.ExecuteBatch(testContext(t), batch([]string{"INCR", "n"})); err != nil || answer.GetFailedCount() > 0 {
				t.Errorf("%v, %v", answer, err)
			}
			done.Add(1)
		}
	})
	// anew makes one connection more than there were: each batch that blocks has its own.
	blocked := 0
	anew := func() error {
		blocked++
		var waiting sync.WaitGroup
		failed := make(chan error, blocked)
		within, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range blocked {
			waiting.Go(func() {
				req := batch([]string{"BLPOP", "queue", "1"})
				req.RaiseOnError = true
				_, err := client.ExecuteBatch(within, req)
				failed <- err
			})
		}
		waiting.Wait()
		close(failed)
		var worst error
		for err := range failed {
			if err != nil {
				worst = err
			}
		}
		return worst
	}
	step := func(when string, fine bool) {
		t.Helper()
		if err := anew(); (err == nil) != fine {
			t.Errorf("%s: on a new connection: %v", when, err)
		}
		n := done.Load()
		eventually(t, when+": batches go on", func() bool { return done.Load() > n+10 })
	}
	read := func(times int) {
		t.Helper()
		eventually(t, "the file is read", func() bool { return strings.Count(r.log.String(), "read changed files") == times })
	}
	step("at first", true)
	trust(before, after.PEM)
	read(1)
	step("trusting both", true)
	files := after.Write(t, t.TempDir(), certstest.Names{})
	valkey.MustDo(t, "CONFIG", "SET", "tls-cert-file", files.Cert, "tls-key-file", files.Key, "tls-ca-cert-file", files.CA)
	step("with the new certificate", true)
	trust([]byte("nothing"))
	eventually(t, "the broken file is told of", func() bool { return strings.Contains(r.log.String(), "no PEM certificate") })
	step("with a broken file", true)
	trust(after.PEM)
	read(2)
	step("trusting the new one alone", true)
	trust(before)
	read(3)
	step("trusting the old one alone", false)
}

func texts(list [][]byte) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = string(list[i])
	}
	return out
}
