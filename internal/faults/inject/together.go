package inject

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
)

// Together is several faults at the same time.
func Together(name string, faults ...Fault) Fault {
	return Fault{Name: name, Do: func(ctx context.Context, e *Env) error {
		errs := make([]error, len(faults))
		var all sync.WaitGroup
		for i, f := range faults {
			// Each decides by chance for itself.
			own := &Env{
				Deployment: e.Deployment, Slots: e.Slots, Hold: e.Hold, Began: e.Began,
				Random: rand.New(rand.NewPCG(e.Random.Uint64(), 0)),
			}
			all.Go(func() {
				errs[i] = f.Do(ctx, own)
				e.mu.Lock()
				defer e.mu.Unlock()
				e.faults = append(e.faults, own.faults...)
			})
		}
		all.Wait()
		return errors.Join(errs...)
	}}
}
