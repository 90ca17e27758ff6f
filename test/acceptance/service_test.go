package acceptance

import (
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/servertest"
)

// patience bounds whatever a test waits for.
const patience = 60 * time.Second

// service is a running server, in process, and clients of it.
type service struct{ *servertest.Server }

// start starts a server with flags as an operator gives them, on a socket of its own. It
// ends with the test, which prints the server's log when it has failed.
func start(t testing.TB, flags ...string) *service {
	t.Helper()
	return &service{servertest.Start(t, flags...)}
}

// serve starts a server in front of a deployment and returns when it is healthy.
func serve(t testing.TB, seeds []string, flags ...string) *service {
	t.Helper()
	return &service{servertest.Serve(t, seeds, flags...)}
}
