package acceptance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
)

func TestAcceptance050_051_ErrorsInPlaceOrRaised(t *testing.T) {
	matrix(t, "SC", "AP", func(t *testing.T, e *env) {
		batch := func() request {
			return e.batch(
				cmd("SET", e.k("s"), "v"),
				cmd("LPOP", e.k("s")),
				cmd("DEL", e.k("s")),
				cmd("RENAME", e.k("missing"), e.k("other")),
			)
		}
		e.want(t, batch(), "OK",
			"!WRONGTYPE Operation against a key holding the wrong kind of value", "1", "!ERR no such key")

		f := e.fail(t, batch().raise(), codes.FailedPrecondition)
		if !strings.Contains(f.message, "WRONGTYPE") {
			t.Errorf("raised %s, want WRONGTYPE, the error with the lowest index", f.message)
		}
		for key, want := range map[string]string{"code": "WRONGTYPE", "index": "1", "failed_count": "2", "outcome": "OUTCOME_FAILED"} {
			if f.metadata[key] != want {
				t.Errorf("metadata[%s] = %q, want %q", key, f.metadata[key], want)
			}
		}
	})
}
