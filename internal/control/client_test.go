package control

import (
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// TestTidy closes the connections to nodes that are no longer part of the deployment,
// and those that lie idle.
func TestTidy(t *testing.T) {
	s := server(t, local.Config{})
	c := client(t, Config{Seeds: []string{s.Addr()}, ClientName: "control"})
	connections := func() int { return strings.Count(must(t, s, "CLIENT", "LIST"), "name=control ") }
	gone := func(why string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); connections() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the connection stays", why)
			}
		}
	}
	elsewhere := slotmap.Standalone("127.0.0.1:1")

	topology(t, c)
	c.tidy(elsewhere)
	if connections() != 1 {
		t.Error("a seed stays, whether or not it is part of the deployment")
	}
	c.peers[s.Addr()].used = time.Now().Add(-2 * idle)
	c.tidy(elsewhere)
	gone("idle")
	topology(t, c)

	before := c.peers[s.Addr()]
	c.config.Seeds = nil
	c.tidy(elsewhere)
	gone("no longer known")
	if len(c.peers) != 0 {
		t.Error("the node is still remembered")
	}
	// Somebody who had the peer in hand leaves nothing behind.
	if _, err := before.ask(within(t), []string{"PING"}); err != nil {
		t.Error(err)
	}
	gone("asked too late")
}
