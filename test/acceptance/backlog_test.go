package acceptance

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// awaitBacklog waits until a paused server has been sent at least so many bytes that it has
// not read, and is sent no more: the sockets in between are full.
func awaitBacklog(t *testing.T, port, least int) {
	t.Helper()
	var last int
	var since time.Time
	valkeytest.Eventually(t, "bytes that a paused server does not read", func() error {
		n := backlog(t, port)
		if n != last {
			last, since = n, time.Now()
		}
		if n < least || time.Since(since) < 300*time.Millisecond {
			return fmt.Errorf("%d bytes", n)
		}
		return nil
	})
}

// backlog is how many bytes a server on this machine has been sent and has not read, which only
// Linux tells.
func backlog(t *testing.T, port int) (total int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	local := fmt.Sprintf(":%04X", port)
	for line := range bytes.Lines(table) {
		// Number, local address, remote address, state, and the queues to be sent and to be read.
		fields := strings.Fields(string(line))
		if len(fields) < 5 || !strings.HasSuffix(fields[1], local) || fields[3] != "01" {
			continue
		}
		_, unread, _ := strings.Cut(fields[4], ":")
		n, err := strconv.ParseInt(unread, 16, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		total += int(n)
	}
	return total
}
