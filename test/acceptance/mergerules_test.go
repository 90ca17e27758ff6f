package acceptance

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// What is split over the slots of a cluster and merged again must come out as one server
// answers it whole: the same batches of split commands, with keys that repeat, are missing, or
// are of another type, go to a cluster and to a standalone server.
func TestAcceptance078_129_SplitCommandsMergeAsOneServerAnswers(t *testing.T) {
	cluster := serve(t, valkeytest.SharedCluster(t).Seeds())
	standalone := serve(t, []string{valkeytest.SharedServer(t).Addr()})
	rng := rand.New(rand.NewPCG(1, 129))
	key := func() string { return fmt.Sprintf("merge:%d", rng.IntN(40)) }
	for batch := range 40 {
		var commands []*valkeybatchv1.Command
		for range 25 {
			name := []string{"MGET", "MSET", "DEL", "UNLINK", "EXISTS", "TOUCH", "RPUSH"}[rng.IntN(7)]
			words := []string{name}
			switch name {
			case "RPUSH": // so that some keys hold no strings
				words = append(words, key(), "element")
			default:
				for range 1 + rng.IntN(8) {
					words = append(words, key())
					if name == "MSET" {
						words = append(words, fmt.Sprint(rng.IntN(1000)))
					}
				}
			}
			commands = append(commands, cmd(words...))
		}
		want := renderAll(standalone.must(t, pipeline(commands...)))
		got := renderAll(cluster.must(t, pipeline(commands...)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("batch %d: %v (-standalone +cluster):\n%s", batch, commands, diff)
		}
	}
}
