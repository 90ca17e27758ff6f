// Package client is the process that measures one subject in one scenario: it connects,
// warms up, sends batches for a time, and says what came of it.
package client

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/proc"
	"github.com/valkeybatch/valkeybatch/bench/internal/stats"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

// Order is what is to be measured.
type Order struct {
	Subject string
	Target  subject.Target
	Spec    workload.Spec
	Callers int
	WarmUp  time.Duration
	Time    time.Duration
	Profile string // file for a CPU profile of the measurement; empty: none
}

// Result is what one client measured of itself and of its batches.
type Result struct {
	Batches  int
	Commands int           // keys, for MGET
	Time     time.Duration // from the first batch's begin to the last one's end
	CPU      time.Duration // of this process
	Mallocs  uint64        // Go heap objects
	Bytes    uint64        // of those
	Peak     uint64        // resident memory, in bytes
	P50      time.Duration // of a batch
	P99      time.Duration
	P999     time.Duration
}

// measurement is one client with its callers.
type measurement struct {
	order   Order
	ops     []workload.Op
	client  subject.Client
	callers []caller
}

type caller struct {
	subject.Caller
	cursor *workload.Cursor
	times  []time.Duration
	units  int
}

// newMeasurement connects and warms up: every caller sends at least one batch.
func newMeasurement(order Order) (*measurement, error) {
	s, err := subject.ByName(order.Subject)
	if err != nil {
		return nil, err
	}
	m := &measurement{order: order, ops: order.Spec.Ops()}
	m.client, err = s.New(subject.Config{Target: order.Target, Callers: order.Callers, Atomic: order.Spec.Atomic})
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	m.callers = make([]caller, order.Callers)
	for i := range m.callers {
		c := &m.callers[i]
		if c.Caller, err = m.client.Caller(); err != nil {
			return nil, fmt.Errorf("connecting: %w", err)
		}
		c.cursor = workload.NewCursor(m.ops, order.Spec.Batch, i, order.Callers)
		c.times = make([]time.Duration, 0, 1<<16)
	}
	if err := m.run(order.WarmUp); err != nil {
		return nil, fmt.Errorf("warming up: %w", err)
	}
	return m, nil
}

// run has every caller send batches until the time is over, at least one.
func (m *measurement) run(d time.Duration) error {
	errs := make([]error, len(m.callers))
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for i := range m.callers {
		wg.Go(func() { errs[i] = m.callers[i].run(end) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // one tells enough: what fails usually fails all callers
		}
	}
	return nil
}

func (c *caller) run(end time.Time) error {
	c.times, c.units = c.times[:0], 0
	for begin := time.Now(); ; {
		batch := c.cursor.Next()
		if err := c.Do(batch); err != nil {
			return err
		}
		now := time.Now()
		c.times = append(c.times, now.Sub(begin))
		c.units += len(batch) * batch[0].Units()
		if begin = now; !now.Before(end) {
			return nil
		}
	}
}

// measure runs for the order's time.
func (m *measurement) measure() (Result, error) {
	stop, err := proc.Profile(m.order.Profile)
	if err != nil {
		return Result{}, err
	}
	before, err := proc.Self()
	if err != nil {
		return Result{}, err
	}
	begin := time.Now()
	err = m.run(m.order.Time)
	elapsed := time.Since(begin)
	if err != nil {
		return Result{}, err
	}
	after, err := proc.Self()
	if err := errors.Join(err, stop()); err != nil {
		return Result{}, err
	}
	r := Result{
		Time:    elapsed,
		CPU:     after.CPU - before.CPU,
		Mallocs: after.Mallocs - before.Mallocs,
		Bytes:   after.Bytes - before.Bytes,
		Peak:    after.Peak,
	}
	var times []time.Duration
	for i := range m.callers {
		times = append(times, m.callers[i].times...)
		r.Commands += m.callers[i].units
	}
	slices.Sort(times)
	r.Batches = len(times)
	r.P50 = stats.Quantile(times, 0.5)
	r.P99 = stats.Quantile(times, 0.99)
	r.P999 = stats.Quantile(times, 0.999)
	return r, nil
}
