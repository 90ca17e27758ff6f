package acceptance

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// A deployment behind a unix socket is served like any other.
func TestUnixSeed(t *testing.T) {
	v := valkeytest.StartServer(t, valkeytest.UnixSocket())
	s := serve(t, []string{"unix://" + v.Socket()})
	s.want(t, pipeline(cmd("SET", "k", "v"), cmd("GET", "k")), "OK", `"v"`)
	s.want(t, atomicBatch(cmd("APPEND", "k", "w"), cmd("GET", "k")), "2", `"vw"`)
	s.want(t, pipeline(cmd("RPUSH", "l", "x"), cmd("BLPOP", "l", "1")), "1", `["l" "x"]`)
}
