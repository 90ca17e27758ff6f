package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/inject"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
	"github.com/valkeybatch/valkeybatch/internal/faults/workload"
)

// atRandom are the faults that a soak draws from.
var atRandom = []inject.Fault{
	inject.Kill, inject.Stop, inject.Failover, inject.Restart, inject.Freeze, inject.Cut, inject.Dead, inject.Slow,
	inject.MidReply, inject.MidRequest, inject.Drops, inject.DropsAll, inject.KillClients, inject.Swap,
	inject.Migrate, inject.Open, inject.JoinLeave, inject.Full,
	inject.Together("migration, resets", inject.Migrate, inject.DropsAll),
}

// Sample is what the process holds after a round, when nobody calls.
type Sample struct {
	Heap        uint64 // bytes in use after a collection
	Goroutines  int
	Connections int // at the proxies
}

// roundLength is how long callers of one round send batches.
const roundLength = 20 * time.Second

// Soak runs faults at random against one subject on one deployment, round by round, until the
// time is over. It returns the report and the sample of each round, and writes them as it goes.
func Soak(ctx context.Context, o Options, w io.Writer) (reports []*Report, samples []Sample, err error) {
	d, err := deploy.Start(ctx, deploy.Config{Replicas: 1, NodeTimeout: 2 * time.Second, Seed: o.Seed})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	random := rand.New(rand.NewPCG(o.Seed, 0))
	slots, err := choose(ctx, d, random)
	if err != nil {
		return nil, nil, err
	}
	sub, err := o.Maker.Start(ctx, subject.Options{Cluster: true, Seeds: d.Seeds(), Callers: 64})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	end := time.Now().Add(o.Length)
	for n := 0; n == 0 || time.Now().Before(end); n++ {
		r, err := round(ctx, d, sub, o, n, slots, random)
		if err != nil {
			return reports, samples, fmt.Errorf("round %d: %w", n, err)
		}
		s := sample(d)
		reports, samples = append(reports, r), append(samples, s)
		fmt.Fprintf(w, "round %d: %d batches, %d commands, %d faults, %d violations; heap %.1f MiB, %d goroutines, %d connections\n",
			n, r.Batches, r.Commands, r.Faults, len(r.Violations), float64(s.Heap)/(1<<20), s.Goroutines, s.Connections)
	}
	return reports, samples, nil
}

// round is a few faults by chance, checked by themselves.
func round(ctx context.Context, d *deploy.Deployment, sub subject.Subject, o Options, n int, slots []uint16, random *rand.Rand) (*Report, error) {
	w := workload.Config{Slots: slots, Round: n, Seed: random.Uint64(), CancelShare: 5 * random.IntN(3), AtomicShare: 10 + random.IntN(40)}.WithDefaults()
	if random.IntN(5) == 0 {
		w.Commands, w.Pause = 500, 300*time.Millisecond
	}
	if err := w.Prepare(ctx, d); err != nil {
		return nil, err
	}
	s := Scenario{Name: fmt.Sprintf("round %d", n)}
	for range 3 {
		s.Faults = append(s.Faults, atRandom[random.IntN(len(atRandom))])
	}
	env := &inject.Env{Deployment: d, Slots: slots, Hold: o.Hold, Random: random, Began: time.Now()}
	within := o
	within.Length = roundLength
	batches, faulted, err := load(ctx, s, within, w, sub, env)
	if err != nil {
		return nil, err
	}
	h := &history.History{Batches: batches, Faults: faulted, Keys: len(slots) * workload.FixedPerSlot, Traits: o.Maker.Traits}
	if err := d.Settle(ctx); err != nil {
		return nil, err
	}
	if h.Truth, err = d.Read(ctx, workload.Wanted(batches)); err != nil {
		return nil, err
	}
	if h.Records, err = d.Records(); err != nil {
		return nil, err
	}
	r := newReport(s.Name, o, h, check.Check(h, o.Limits))
	return r, d.Forget(ctx)
}

func sample(d *deploy.Deployment) Sample {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := Sample{Heap: m.HeapAlloc, Goroutines: runtime.NumGoroutine()}
	for _, n := range d.Nodes() {
		s.Connections += n.Proxy.Connections()
	}
	return s
}

// Flat returns what has grown from the first third of the samples to the last, or that they are too
// few to tell; nil when nothing has grown. The most of either third is compared: connections come
// and go with the faults.
func Flat(samples []Sample) error {
	third := len(samples) / 3
	if third == 0 {
		return fmt.Errorf("%d rounds are too few to tell whether anything grows", len(samples))
	}
	first, last := most(samples[:third]), most(samples[len(samples)-third:])
	var errs []error
	grown := func(what string, from, to, slack float64) {
		if to > 1.25*from+slack {
			errs = append(errs, fmt.Errorf("%s grew from %.0f to %.0f", what, from, to))
		}
	}
	grown("the heap", float64(first.Heap), float64(last.Heap), 16<<20)
	grown("the number of goroutines", float64(first.Goroutines), float64(last.Goroutines), 500)
	grown("the number of connections", float64(first.Connections), float64(last.Connections), 200)
	return errors.Join(errs...)
}

// most is the largest figure of each kind.
func most(samples []Sample) (m Sample) {
	for _, s := range samples {
		m.Heap = max(m.Heap, s.Heap)
		m.Goroutines = max(m.Goroutines, s.Goroutines)
		m.Connections = max(m.Connections, s.Connections)
	}
	return m
}
