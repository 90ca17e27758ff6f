package isolation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/servertest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Ten thousand streams on which nothing happens take little, and no place of those who work. One
// more than may be open is refused with figures.
func TestIdleStreams(t *testing.T) {
	const streams, perConnection, eachKiB = 10_000, 1000, 48
	v := valkeytest.StartServer(t)
	s := servertest.StartProcess(t, []string{v.Addr()}, "--max-streams", fmt.Sprint(streams+100))
	before, _ := s.RSS(t)
	var clients []*raw
	ping := message(t, &valkeybatchv1.StreamBatchesRequest{Id: 1, Request: pipeline(cmd("PING"))})
	open := func(n int) {
		c := dialRaw(t, s.Target, true, 60<<10)
		clients = append(clients, c)
		for i := range uint32(n) {
			if err := c.open(2*i+1, streamPath); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 { // some have done something
				if err := c.data(2*i+1, ping, false); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for range streams / perConnection {
		open(perConnection)
	}
	canaries := release(t, s, false, false)
	valkeytest.Eventually(t, "answers on the streams", func() error {
		for _, c := range clients {
			c.mu.Lock()
			received := c.received
			c.mu.Unlock()
			if received < perConnection/10*10 {
				return fmt.Errorf("%d bytes on a connection", received)
			}
		}
		return nil
	})
	now, _ := s.RSS(t)
	t.Logf("an idle stream takes %d bytes", (now-before)/streams)
	if (now-before)/streams > eachKiB<<10 {
		t.Errorf("%d idle streams take %d MiB", streams, (now-before)>>20)
	}
	canaries.awaitAloft(t)
	open(200)
	last := clients[len(clients)-1]
	valkeytest.Eventually(t, "a refusal", func() error {
		last.mu.Lock()
		defer last.mu.Unlock()
		for _, err := range last.statuses {
			f := refusalOf(err)
			if f.code != codes.ResourceExhausted || f.reason != "OVERLOADED" || !f.retry || f.metadata["setting"] != "max-streams" || f.metadata["allowed"] != fmt.Sprint(streams+100) {
				t.Errorf("a stream too many ended with %v", f)
			}
			return nil
		}
		return errors.New("none")
	})
	for _, c := range clients { // they hang up
		c.conn.Close()
	}
	canaries.done(t)
	if err := worksFor(s); err != nil {
		t.Error(err)
	}
}

// worksFor sends a batch on a new connection.
func worksFor(s *servertest.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.Client.ExecuteBatch(ctx, pipeline(cmd("PING")))
	return err
}

// Connections on which nothing happens, or that say nothing at all, are bounded; one too many is
// told so, and there is room when the others have gone.
func TestIdleConnections(t *testing.T) {
	v := valkeytest.StartServer(t)
	s := servertest.Serve(t, []string{v.Addr()}, "--max-connections", "300")
	canaries := release(t, s, false, false)
	canaries.awaitAloft(t) // they have their connections
	var idle []*raw
	for range 320 {
		idle = append(idle, dialRaw(t, s.Target, true, 60<<10))
	}
	told := 0
	valkeytest.Eventually(t, "refused connections", func() error {
		told = 0
		for _, c := range idle {
			c.mu.Lock()
			if strings.Contains(c.goAway, "ENHANCE_YOUR_CALM too many connections: 301 with this one, 300 are allowed (set by the server's max-connections)") {
				told++
			}
			c.mu.Unlock()
		}
		if told < 20 {
			return fmt.Errorf("%d were told", told)
		}
		return nil
	})
	// A client of gRPC's shows why.
	conn := servertest.Dial(t, s.Target)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := valkeybatchv1.NewBatchServiceClient(conn).ExecuteBatch(ctx, pipeline(cmd("PING")))
	if f := refusalOf(err); f.code != codes.Unavailable {
		t.Errorf("on a connection too many: %v", f)
	} else {
		t.Logf("on a connection too many: %v", f)
	}
	for _, c := range idle {
		c.conn.Close()
	}
	valkeytest.Eventually(t, "room for it", func() error {
		if state := conn.GetState(); state == connectivity.TransientFailure {
			conn.ResetConnectBackoff()
		}
		_, err := valkeybatchv1.NewBatchServiceClient(conn).ExecuteBatch(ctx, pipeline(cmd("PING")))
		return err
	})
	canaries.done(t)
}
