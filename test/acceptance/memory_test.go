package acceptance

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/servertest"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// What big batches take in a server's process follows what is in flight, and not how many there
// have been.
func TestAcceptance125_MemoryIsBounded(t *testing.T) {
	c := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	s := &service{servertest.StartProcess(t, c.Seeds())}
	value := strings.Repeat("v", 100)
	batch := func(commands, caller int) request {
		r := pipeline()
		for i := range commands / 2 {
			k := fmt.Sprintf("%d:%d", caller, i)
			r.Batch.Commands = append(r.Batch.Commands, cmd("SET", k, value), cmd("GET", k))
		}
		return r.within(true, patience)
	}
	checked := func(results []*valkeybatchv1.Value) error {
		for i, v := range results {
			if i%2 == 1 && string(v.GetBytesValue()) != value {
				return fmt.Errorf("result %d is %s", i, render(v))
			}
		}
		return nil
	}
	most := func(what string, allowed int64) {
		t.Helper()
		_, got := s.RSS(t)
		t.Logf("%s: at most %d MiB", what, got>>20)
		if got > allowed {
			t.Errorf("%s took %d MiB, more than %d MiB", what, got>>20, allowed>>20)
		}
	}
	// A batch of 100,000 commands counts as 32 MiB in flight (256 bytes a command, 64 an argument).
	for range 5 {
		if err := checked(s.must(t, batch(100_000, 0))); err != nil {
			t.Fatal(err)
		}
	}
	most("100,000 commands, five times", 8*32<<20)
	// 64 batches of 1,000 count as 20 MiB.
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			for range 5 {
				resp, err := s.send(batch(1_000, i))
				if err == nil {
					err = checked(resp.GetResults())
				}
				if err != nil {
					t.Errorf("caller %d: %v", i, describe(err))
					return
				}
			}
		})
	}
	callers.Wait()
	most("64 callers with 1,000 commands, five times each", 8*32<<20)
}
