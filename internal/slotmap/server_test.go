package slotmap_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// TestAcceptance130_HashTags holds Slot against the server's own CLUSTER KEYSLOT, for
// braces in every arrangement and for random keys.
func TestAcceptance130_HashTags(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := local.Start(ctx, local.Config{Cluster: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := server.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	keys := []string{"", "foo", "123456789", "\x00\xff\r\n", strings.Repeat("long", 1000)}
	// Every string of up to five of these four letters: all arrangements of braces.
	level := []string{""}
	for range 5 {
		var next []string
		for _, s := range level {
			for _, c := range "{}ab" {
				next = append(next, s+string(c))
			}
		}
		keys = append(keys, next...)
		level = next
	}
	for range 500 {
		b := make([]byte, rand.IntN(40))
		for i := range b {
			if b[i] = byte(rand.Uint32()); rand.IntN(6) == 0 {
				b[i] = "{}"[rand.IntN(2)]
			}
		}
		keys = append(keys, string(b))
	}
	for _, key := range keys {
		reply, err := conn.Do(ctx, "CLUSTER", "KEYSLOT", key)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(slotmap.Slot([]byte(key))); got != reply.Text() {
			t.Errorf("%q: slot %s, the server says %s", key, got, reply.Text())
		}
	}
}
