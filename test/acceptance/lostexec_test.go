package acceptance

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// A transaction of which a command was not queued does not run, and that is known when the
// connection is lost, or the time is up, before EXEC's answer comes.
func TestAcceptance105_120_RefusedAndNoAnswerToExec(t *testing.T) {
	// A real node cannot be lost at that moment; so it is scripted.
	for _, end := range []string{"lost", "silent"} {
		t.Run(end, func(t *testing.T) {
			var ended sync.Map // connections that were asked for EXEC
			srv := valkeytest.StartScripted(t, func(conn int, args []string) []byte {
				if _, silent := ended.Load(conn); silent {
					return valkeytest.NoReply
				}
				switch args[0] {
				case "SET":
					return []byte("+QUEUED\r\n")
				case "INCR":
					return []byte("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
				case "EXEC":
					if end == "lost" {
						return valkeytest.CloseMark
					}
					ended.Store(conn, true)
					return valkeytest.NoReply
				case "HELLO", "PING", "MULTI", "DISCARD", "CLIENT":
					return nil
				}
				return []byte("-ERR unknown command\r\n")
			})
			s := serve(t, []string{srv.Addr()}, unasked...)
			f := s.fail(t, atomicBatch(cmd("SET", "a", "1"), cmd("INCR", "b")).within(false, time.Second), codes.ResourceExhausted)
			f.wantMetadata(t, map[string]string{"code": "OOM", "index": "1", "outcome": "OUTCOME_NOT_EXECUTED"})
		})
	}
}
