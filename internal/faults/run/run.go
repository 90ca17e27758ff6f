package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/check"
	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/inject"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
	"github.com/valkeybatch/valkeybatch/internal/faults/workload"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// Scenario is a deployment, what callers do, and what befalls them.
type Scenario struct {
	// Name is for people, and for flags that choose.
	Name string
	// Deploy is the deployment; its seed is the run's.
	Deploy deploy.Config
	// Faults are done one after the other, over and over.
	Faults []inject.Fault
	// Workload is what callers do; its slots and its seed are the run's.
	Workload workload.Config
}

// Options say how a scenario is run.
type Options struct {
	Maker subject.Maker
	// Seed decides everything that is not a matter of timing.
	Seed uint64
	// Length is how long faults go on. The last one is finished.
	Length time.Duration
	// Hold is how long one fault lasts where it is up to the fault.
	Hold time.Duration
	// Calm is the time before and between the faults, After that after the last.
	Calm, After time.Duration
	Limits      check.Limits
}

// perShard is how many slots of each shard callers use.
const perShard = 4

// Run runs a scenario. An error means that it could not be run; what the subject did wrong is in
// the report.
func Run(ctx context.Context, s Scenario, o Options) (report *Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.Length+5*time.Minute)
	defer cancel()
	s.Deploy.Seed = o.Seed
	d, err := deploy.Start(ctx, s.Deploy)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()

	w := s.Workload.WithDefaults()
	w.Seed = o.Seed
	random := rand.New(rand.NewPCG(o.Seed, 0))
	if w.Slots, err = choose(ctx, d, random); err != nil {
		return nil, err
	}
	if err := w.Prepare(ctx, d); err != nil {
		return nil, err
	}
	sub, err := o.Maker.Start(ctx, subject.Options{Cluster: d.Cluster(), Seeds: d.Seeds(), Callers: w.Callers})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()

	began := time.Now()
	env := &inject.Env{Deployment: d, Slots: w.Slots, Hold: o.Hold, Random: random, Began: began}
	batches, faulted, err := load(ctx, s, o, w, sub, env)
	if err != nil {
		return nil, err
	}
	h := &history.History{Batches: batches, Faults: faulted, Keys: len(w.Slots) * workload.FixedPerSlot, Traits: o.Maker.Traits}
	if err := d.Settle(ctx); err != nil {
		return nil, err
	}
	if h.Truth, err = d.Read(ctx, workload.Wanted(batches)); err != nil {
		return nil, err
	}
	if h.Records, err = d.Records(); err != nil {
		return nil, err
	}
	return newReport(s.Name, o, h, check.Check(h, o.Limits)), nil
}

// load has callers send batches while the faults are done, and returns both.
func load(ctx context.Context, s Scenario, o Options, w workload.Config, sub subject.Subject, env *inject.Env) ([]history.Batch, []history.Fault, error) {
	stop, over := make(chan struct{}), make(chan struct{})
	var batches []history.Batch
	var stood []history.Fault
	var watching, calling sync.WaitGroup
	watching.Go(func() { stood = stalls(env.Began, over) })
	calling.Go(func() { batches = workload.Run(w, sub, env.Began, stop) })
	err := faults(ctx, s, o, env)
	close(stop)
	calling.Wait()
	close(over)
	watching.Wait()
	return batches, append(env.Faults(), stood...), err
}

func faults(ctx context.Context, s Scenario, o Options, env *inject.Env) error {
	if err := rest(ctx, o.Calm); err != nil {
		return err
	}
	end := time.Now().Add(o.Length)
	for i := 0; i < len(s.Faults) || (len(s.Faults) > 0 && time.Now().Before(end)); i++ {
		f := s.Faults[i%len(s.Faults)]
		if err := f.Do(ctx, env); err != nil {
			return fmt.Errorf("the fault %q: %w", f.Name, err)
		}
		if err := rest(ctx, o.Calm); err != nil {
			return err
		}
	}
	return rest(ctx, o.After)
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// choose takes a few slots of every shard.
func choose(ctx context.Context, d *deploy.Deployment, random *rand.Rand) ([]uint16, error) {
	if !d.Cluster() {
		slots := make([]uint16, perShard)
		for i := range slots {
			slots[i] = uint16(random.IntN(local.Slots))
		}
		return slots, nil
	}
	primaries, err := d.Primaries(ctx)
	if err != nil {
		return nil, err
	}
	var slots []uint16
	for i := range primaries {
		first, last := local.Slots*i/len(primaries), local.Slots*(i+1)/len(primaries)
		for n := range perShard {
			// One of each quarter, so that none comes twice.
			width := (last - first) / perShard
			slots = append(slots, uint16(first+n*width+random.IntN(width)))
		}
	}
	return slots, nil
}
