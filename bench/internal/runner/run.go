package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/deploy"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// ClientCommand is the subcommand that makes the benchmark's own program a client process.
const ClientCommand = "client"

// Config says what is run.
type Config struct {
	Self      string // the benchmark's program
	Service   string // the service's program
	Scenarios []*scenario.Scenario
	Subjects  func(name string) bool // which of the scenarios' subjects
	Rounds    int
	WarmUp    time.Duration       // of each measurement
	Time      time.Duration       // of each measurement
	Log       io.Writer           // a line for each measurement
	Profiles  string              // absolute directory for CPU profiles; empty: none
	Where     []scenario.Profiled // what is profiled after the rounds
}

type runner struct {
	config  Config
	running map[deploy.Kind]*deploy.Deployment
	current *deploy.Deployment // the one that is not standing still
}

// startTimeout is how long a deployment may take to start.
const startTimeout = 2 * time.Minute

// Run measures every subject once in every scenario in every round, and then finds out where
// the time goes.
func Run(ctx context.Context, config Config) (cells []result.Cell, profiles []result.Profile, err error) {
	r := &runner{config: config, running: map[deploy.Kind]*deploy.Deployment{}}
	if err := r.check(); err != nil {
		return nil, nil, err
	}
	defer func() {
		for _, d := range r.running {
			err = errors.Join(err, d.Close())
		}
	}()
	if cells, err = r.rounds(ctx); err == nil {
		profiles, err = r.profiles(ctx)
	}
	return cells, profiles, err
}

func (r *runner) rounds(ctx context.Context) (cells []result.Cell, err error) {
	for round := range r.config.Rounds {
		for i, s := range r.config.Scenarios {
			d, err := r.prepare(ctx, s)
			if err != nil {
				return cells, err
			}
			often := max(s.Often, 1)
			for n := round * often; n < (round+1)*often; n++ {
				// Everybody has every place in the order once in a while.
				for _, who := range rotated(r.subjects(s), n+i) {
					c := r.cell(ctx, d, task{s, who, n, s.Time(r.config.Time), r.config.Profiles})
					if err := ctx.Err(); err != nil {
						return cells, err
					}
					r.log(fmt.Sprint(round+1), &c)
					cells = append(cells, c)
				}
			}
		}
	}
	return cells, nil
}

// subjects are those of the scenario that are asked for.
func (r *runner) subjects(s *scenario.Scenario) []*subject.Subject {
	var subjects []*subject.Subject
	for _, who := range subject.All {
		if s.Has(who.Name) && r.config.Subjects(who.Name) {
			subjects = append(subjects, who)
		}
	}
	return subjects
}

// check says what is missing on this machine before anything is measured.
func (r *runner) check() error {
	if _, err := os.Stat(r.config.Service); err != nil {
		return fmt.Errorf("the service's program is not there (make bench builds it): %w", err)
	}
	for _, s := range r.config.Scenarios {
		for _, who := range r.subjects(s) {
			if who.Needs != subject.Webdis {
				continue
			}
			if _, err := webdisBinary(); err != nil {
				return fmt.Errorf("webdis is not installed (scripts/install-bench.sh installs it, -skip webdis does without it): %w", err)
			}
		}
	}
	return nil
}

// prepare returns the scenario's deployment with the scenario's keys in it.
func (r *runner) prepare(ctx context.Context, s *scenario.Scenario) (*deploy.Deployment, error) {
	d, err := r.use(ctx, s.Deploy)
	if err != nil {
		return nil, err
	}
	return d, d.Load(ctx, s.Spec)
}

// use returns the deployment, started if need be, with all others standing still.
func (r *runner) use(ctx context.Context, kind deploy.Kind) (*deploy.Deployment, error) {
	d := r.running[kind]
	if d != nil && d == r.current {
		return d, nil
	}
	if r.current != nil {
		if err := r.current.Pause(); err != nil {
			return nil, err
		}
		r.current = nil
	}
	if d == nil {
		starting, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		var err error
		if d, err = deploy.Start(starting, kind); err != nil {
			return nil, err
		}
		r.running[kind] = d
	} else if err := d.Resume(); err != nil {
		return nil, err
	}
	r.current = d
	return d, nil
}

// rotated returns the list beginning with its n-th element.
func rotated[T any](list []T, n int) []T {
	if len(list) == 0 {
		return nil
	}
	n %= len(list)
	return append(append(make([]T, 0, len(list)), list[n:]...), list[:n]...)
}

// log tells of a measurement: of which round, or what else it is.
func (r *runner) log(of string, c *result.Cell) {
	if c.Error != "" {
		fmt.Fprintf(r.config.Log, "%s %-24s %-10s FAILED: %s\n", of, c.Scenario, c.Subject, c.Error)
		return
	}
	fmt.Fprintf(r.config.Log, "%s %-24s %-10s %9.0f/s  cpu %6.2f + %5.2f us  p50 %8.0f p99 %8.0f us  allocs %5.2f + %5.3f  peak %4.0f + %4.0f MiB\n",
		of, c.Scenario, c.Subject, result.Rate.Of(c), c.ClientCPU, c.ServiceCPU, c.P50, c.P99,
		c.ClientAllocs, c.ServiceAllocs, c.ClientPeak/(1<<20), c.ServicePeak/(1<<20))
}
