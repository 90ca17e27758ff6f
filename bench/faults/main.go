// Command faults puts GLIDE to the same test as the service: the same deployments, callers,
// faults and seeds, and the same rules, as far as they can be asked of a client that does not say
// what is known of a failed command's effects. It prints the tally of both and, with -page,
// writes the comparison into docs/guarantees.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/run"
	"github.com/valkeybatch/valkeybatch/internal/faults/service"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// compared are the scenarios in the order of the table.
var compared = []string{"kill", "stop", "failover", "crash", "freeze", "cut", "dead", "drops", "drops-all", "resets", "migrate", "migrate-long", "migrate-drops", "join-leave", "loading", "blackout", "restart", "alone-restart"}

func main() {
	seed := flag.Uint64("seed", 1, "seed of the runs")
	length := flag.Duration("length", 10*time.Second, "how long the faults of each scenario go on")
	names := flag.String("run", strings.Join(compared, ","), "the scenarios, by name")
	page := flag.String("page", "", "the page to write the comparison into")
	flag.Parse()
	if err := compare(strings.Split(*names, ","), *seed, *length, *page); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func compare(names []string, seed uint64, length time.Duration, page string) error {
	var all []*run.Report
	for _, name := range names {
		s, ok := run.Scenarios[name]
		if !ok {
			return fmt.Errorf("there is no scenario %q", name)
		}
		s.Name = name
		for _, maker := range []subject.Maker{service.Unary, glideMaker} {
			o := run.Options{
				Maker: maker, Seed: seed, Length: length, Hold: 1500 * time.Millisecond, Calm: time.Second, After: 5 * time.Second,
				Limits: check.Limits{Grace: time.Second, Recovery: time.Second, Healing: 4 * time.Second},
			}
			r, err := run.Run(context.Background(), s, o)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", name, maker.Name, err)
			}
			fmt.Printf("%s, %s: %d batches, %d violations %v\n", name, maker.Name, r.Batches, len(r.Violations), r.ByRule())
			all = append(all, r)
		}
	}
	for _, who := range []string{service.Unary.Name, glideMaker.Name} {
		var own []*run.Report
		for _, r := range all {
			if r.Subject == who {
				own = append(own, r)
			}
		}
		fmt.Println("\n" + who)
		run.Tally(os.Stdout, own)
	}
	if page == "" {
		return nil
	}
	return write(page, all, seed, length)
}
