package valkeytest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// serviceName is what the service calls its connections unless it is told otherwise.
const serviceName = "valkeybatch"

// connectionsLeft returns an error when a service that has ended has left connections to the
// node open. Its node learns of the end of a connection a moment later, so that is waited for.
func connectionsLeft(node *local.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for {
		reply, err := node.Do(ctx, "CLIENT", "LIST")
		if err == nil {
			err = reply.Err()
		}
		if err != nil {
			return fmt.Errorf("asking %s for its connections: %w", node.Addr(), err)
		}
		var left []string
		for line := range strings.Lines(reply.Text()) {
			if strings.Contains(line, " name="+serviceName+" ") {
				left = append(left, strings.TrimSpace(line))
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s has %d connections of the service left: %s", node.Addr(), len(left), strings.Join(left, "; "))
		}
	}
}
