package inject

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
)

// Fault is one kind of fault.
type Fault struct {
	Name string
	// Do does the fault to the deployment and undoes it. Afterwards the deployment is as well
	// as it was before.
	Do func(ctx context.Context, e *Env) error
}

// Env is what faults are done in.
type Env struct {
	*deploy.Deployment
	// Slots are the slots that callers use.
	Slots []uint16
	// Hold is how long a fault lasts where it is up to the fault.
	Hold time.Duration
	// Random decides whom it meets.
	Random *rand.Rand
	// Began is when the run did.
	Began time.Time

	mu     sync.Mutex
	faults []history.Fault
}

// Faults are those that were done so far.
func (e *Env) Faults() []history.Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.faults
}

// window is a fault under way.
type window struct {
	e *Env
	f history.Fault
}

// begin opens a fault, before it is done.
func (e *Env) begin(name string, effects history.Effects) *window {
	return &window{e: e, f: history.Fault{Name: name, Start: time.Since(e.Began), Effects: effects}}
}

// promoted takes note that all nodes see a promotion.
func (w *window) promoted() { w.f.Promoted = time.Since(w.e.Began) }

// end closes the fault, after it was undone.
func (w *window) end() {
	w.f.End = time.Since(w.e.Began)
	w.e.mu.Lock()
	defer w.e.mu.Unlock()
	w.e.faults = append(w.e.faults, w.f)
}

// hold waits.
func (e *Env) hold(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a fault was cut short: %w", context.Cause(ctx))
	}
}

// victim returns one of the primaries.
func (e *Env) victim(ctx context.Context) (*deploy.Node, error) {
	primaries, err := e.Primaries(ctx)
	if err != nil {
		return nil, err
	}
	return primaries[e.Random.IntN(len(primaries))], nil
}

// slotsOf are the slots in use that a node serves.
func (e *Env) slotsOf(ctx context.Context, nodes ...*deploy.Node) (history.Slots, error) {
	slots := history.Slots{}
	for _, slot := range e.Slots {
		owner, err := e.Owner(ctx, slot)
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			if n == owner {
				slots[slot] = true
			}
		}
	}
	return slots, nil
}

// names are the names that clients know nodes by. A node that does not know another's host name
// yet, after a restart, names it by its address, past the proxy.
func names(nodes ...*deploy.Node) []string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name, n.Addr())
	}
	return all
}

// aimed chooses a primary and fills in what concerns it.
func (e *Env) aimed(ctx context.Context, effects history.Effects) (*deploy.Node, history.Effects, error) {
	n, err := e.victim(ctx)
	if err != nil {
		return nil, effects, err
	}
	effects.Nodes = names(n)
	effects.Slots, err = e.slotsOf(ctx, n)
	return n, effects, err
}
