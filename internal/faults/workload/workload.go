// Package workload is callers who send batches, of which every effect can be told apart from
// every other.
package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// Config says what callers do.
type Config struct {
	Callers int // 64 when 0
	// Slots are the slots in use, some of every shard.
	Slots []uint16
	// Commands is how many commands a pipeline has at most; 12 when 0.
	Commands int
	// Timeouts are those that batches have, by chance.
	Timeouts []time.Duration
	// Patient is the timeout of the callers who ask for both retries: they are to get through
	// whatever happens. 0: one of Timeouts.
	Patient time.Duration
	// AtomicShare is the share of atomic batches, of 100; 25 when 0, none when negative.
	AtomicShare int
	// CancelShare is the share of batches, of 100, whose callers go away.
	CancelShare int
	// Pause is the longest pause between two batches of a caller.
	Pause time.Duration
	// Round makes keys others than those of other rounds on the same deployment, so that what is
	// still under way from one round concerns no other.
	Round int
	Seed  uint64
}

// FixedPerSlot is how many keys of each slot never change.
const FixedPerSlot = 20

// WithDefaults fills in what is not given.
func (c Config) WithDefaults() Config {
	if c.Callers == 0 {
		c.Callers = 64
	}
	if c.Commands == 0 {
		c.Commands = 12
	}
	if len(c.Timeouts) == 0 {
		c.Timeouts = []time.Duration{time.Second, 3 * time.Second, 8 * time.Second}
	}
	if c.AtomicShare == 0 {
		c.AtomicShare = 25
	}
	if c.Pause == 0 {
		c.Pause = 60 * time.Millisecond
	}
	return c
}

// FixedKey is a key that never changes, and its value.
func FixedKey(slot uint16, n int) (key, value string) {
	return keyIn(slot, "fixed", n), fmt.Sprintf("%d/%d", slot, n)
}

func keyIn(slot uint16, kind string, n int) string {
	return "{" + local.Tag(slot) + "}" + kind + ":" + strconv.Itoa(n)
}

// key is a key of the caller's round.
func (c *caller) key(slot uint16, kind string, n int) string {
	return keyIn(slot, kind+":"+strconv.Itoa(c.Round), n)
}

// Prepare writes what never changes.
func (c Config) Prepare(ctx context.Context, d *deploy.Deployment) error {
	for _, slot := range c.Slots {
		owner, err := d.Owner(ctx, slot)
		if err != nil {
			return err
		}
		line := []string{"MSET"}
		for n := range FixedPerSlot {
			key, value := FixedKey(slot, n)
			line = append(line, key, value)
		}
		if _, err := owner.MustOK(ctx, line...); err != nil {
			return err
		}
	}
	return nil
}

// Run has the callers send batches until stop is closed, and returns all of them.
func Run(c Config, s subject.Subject, began time.Time, stop <-chan struct{}) []history.Batch {
	c = c.WithDefaults()
	all := make([][]history.Batch, c.Callers)
	var callers sync.WaitGroup
	for i := range c.Callers {
		callers.Go(func() {
			caller := newCaller(c, i)
			for {
				select {
				case <-stop:
					all[i] = caller.sent
					return
				case <-time.After(time.Duration(caller.random.Int64N(int64(c.Pause)))):
					caller.send(s, began)
				}
			}
		})
	}
	callers.Wait()
	return slices.Concat(all...)
}

// caller is one caller: everything it does follows from the seed and its number.
type caller struct {
	Config
	id     int
	random *rand.Rand
	sent   []history.Batch
	value  int
}

func newCaller(c Config, id int) *caller {
	return &caller{Config: c, id: id, random: rand.New(rand.NewPCG(c.Seed, uint64(id)))}
}

func (c *caller) send(s subject.Subject, began time.Time) {
	b := c.batch()
	b.Start = time.Since(began)
	ctx, cancel := context.WithCancel(context.Background())
	if c.CancelShare > 0 && c.random.IntN(100) < c.CancelShare {
		b.Cancelled = true
		timer := time.AfterFunc(time.Duration(c.random.Int64N(int64(20*time.Millisecond))), cancel)
		defer timer.Stop()
	}
	defer cancel()
	b.Results, b.Failure = s.Execute(ctx, b.Batch)
	b.End = time.Since(began)
	b.Batch.Commands = nil
	c.sent = append(c.sent, b)
}

// batch makes the caller's next batch.
func (c *caller) batch() history.Batch {
	b := history.Batch{Caller: c.id, Number: len(c.sent)}
	// All four settings of retries.
	b.RetryServer, b.RetryConnection = c.id&1 != 0, c.id&2 != 0
	b.Timeout = c.Timeouts[c.random.IntN(len(c.Timeouts))]
	if c.Patient > 0 && b.RetryServer && b.RetryConnection {
		b.Timeout = c.Patient
	}
	switch share := c.random.IntN(100); {
	case share < c.AtomicShare:
		b.Atomic, b.RetryServer, b.RetryConnection = true, false, false
		c.atomic(&b)
	case share < c.AtomicShare+15:
		c.oneShard(&b)
	case share < c.AtomicShare+25:
		c.manySlots(&b)
	case share < c.AtomicShare+30:
		c.blocking(&b)
	default:
		c.pipeline(&b)
	}
	for i := range b.Commands {
		b.Batch.Commands = append(b.Batch.Commands, b.Commands[i].Line)
	}
	return b
}

func (c *caller) slot() uint16 { return c.Slots[c.random.IntN(len(c.Slots))] }

func add(b *history.Batch, cmd history.Command) { b.Commands = append(b.Commands, cmd) }

// pipeline is pushes, bumps, sets and gets over several slots.
func (c *caller) pipeline(b *history.Batch) {
	n := 2 + c.random.IntN(c.Commands-1)
	few := make([]uint16, 1+c.random.IntN(3))
	for i := range few {
		few[i] = c.slot()
	}
	for range n {
		add(b, c.one(b, few[c.random.IntN(len(few))]))
	}
}

// oneShard is the same in one slot.
func (c *caller) oneShard(b *history.Batch) {
	slot := c.slot()
	for range 2 + c.random.IntN(4) {
		add(b, c.one(b, slot))
	}
}

// atomic is pushes to one list, and more of the same slot around them.
func (c *caller) atomic(b *history.Batch) {
	slot := c.slot()
	if c.random.IntN(2) == 0 {
		add(b, c.set(slot))
	}
	for range 2 + c.random.IntN(4) {
		add(b, c.push(b, slot))
	}
	add(b, c.bump(b, slot))
	if c.random.IntN(2) == 0 {
		add(b, c.get(slot))
	}
}

// manySlots is commands of which each concerns several nodes.
func (c *caller) manySlots(b *history.Batch) {
	slots := c.some(2 + c.random.IntN(3))
	set := history.Command{Kind: history.SetMany, Slots: slots, Line: []string{"MSET"}}
	get := history.Command{Kind: history.GetMany, Slots: slots, Line: []string{"MGET"}}
	for _, slot := range slots {
		// Two keys in each slot: while it migrates a node may have one of them only (TRYAGAIN).
		for _, key := range []string{c.register(slot), c.second(slot)} {
			value := c.next()
			set.Keys, set.Values = append(set.Keys, key), append(set.Values, value)
			set.Line = append(set.Line, key, value)
			get.Keys = append(get.Keys, key)
		}
	}
	get.Line = append(get.Line, get.Keys...)
	add(b, set)
	add(b, get)
	add(b, c.fixed())
	if c.random.IntN(4) == 0 {
		add(b, history.Command{Kind: history.Count, Line: []string{"DBSIZE"}})
	}
	add(b, c.push(b, slots[0]))
}

// blocking waits for what never comes, between commands that do not.
func (c *caller) blocking(b *history.Batch) {
	slot := c.slot()
	add(b, c.push(b, slot))
	key := c.key(slot, "never", c.id)
	add(b, history.Command{Kind: history.Wait, Keys: []string{key}, Slots: []uint16{slot}, Line: []string{"BLPOP", key, "0.02"}})
	add(b, c.push(b, slot))
}

// one is one command of a slot.
func (c *caller) one(b *history.Batch, slot uint16) history.Command {
	switch n := c.random.IntN(10); {
	case n < 5:
		return c.push(b, slot)
	case n < 6:
		return c.bump(b, slot)
	case n < 8:
		return c.set(slot)
	}
	return c.get(slot)
}

// listLength is of how many batches of a caller the pushes go to one list.
const listLength = 64

func (c *caller) push(b *history.Batch, slot uint16) history.Command {
	key := c.key(slot, "list", b.Number/listLength)
	element := fmt.Sprintf("%d.%d.%d.%d", c.Round, c.id, b.Number, len(b.Commands))
	return history.Command{Kind: history.Push, Keys: []string{key}, Values: []string{element}, Slots: []uint16{slot}, Line: []string{"RPUSH", key, element}}
}

// bump makes callers whose commands may run twice use counters of their own.
func (c *caller) bump(b *history.Batch, slot uint16) history.Command {
	kind := "counter"
	if b.RetryConnection {
		kind = "twice"
	}
	key := c.key(slot, kind, c.random.IntN(4))
	return history.Command{Kind: history.Bump, Keys: []string{key}, Slots: []uint16{slot}, Line: []string{"INCR", key}}
}

func (c *caller) register(slot uint16) string { return c.key(slot, "register", c.id) }

func (c *caller) second(slot uint16) string { return c.key(slot, "second", c.id) }

// next is a value that no other SET has.
func (c *caller) next() string {
	c.value++
	return fmt.Sprintf("%d.%d", c.id, c.value)
}

func (c *caller) set(slot uint16) history.Command {
	key, value := c.register(slot), c.next()
	return history.Command{Kind: history.Set, Keys: []string{key}, Values: []string{value}, Slots: []uint16{slot}, Line: []string{"SET", key, value}}
}

func (c *caller) get(slot uint16) history.Command {
	key := c.register(slot)
	return history.Command{Kind: history.Get, Keys: []string{key}, Slots: []uint16{slot}, Line: []string{"GET", key}}
}

func (c *caller) fixed() history.Command {
	cmd := history.Command{Kind: history.Fixed, Line: []string{"MGET"}}
	for _, slot := range c.some(len(c.Slots)) {
		key, value := FixedKey(slot, c.random.IntN(FixedPerSlot))
		cmd.Keys, cmd.Values, cmd.Slots = append(cmd.Keys, key), append(cmd.Values, value), append(cmd.Slots, slot)
	}
	cmd.Line = append(cmd.Line, cmd.Keys...)
	return cmd
}

// some are n different slots.
func (c *caller) some(n int) []uint16 {
	order := c.random.Perm(len(c.Slots))
	slots := make([]uint16, 0, n)
	for _, i := range order[:min(n, len(order))] {
		slots = append(slots, c.Slots[i])
	}
	return slots
}

// Wanted are the keys that the batches wrote to.
func Wanted(batches []history.Batch) deploy.Wanted {
	lists, values := map[string]bool{}, map[string]bool{}
	for i := range batches {
		for _, cmd := range batches[i].Commands {
			for _, key := range cmd.Keys {
				switch cmd.Kind {
				case history.Push:
					lists[key] = true
				case history.Bump, history.Set, history.SetMany:
					values[key] = true
				}
			}
		}
	}
	var w deploy.Wanted
	for key := range lists {
		w.Lists = append(w.Lists, key)
	}
	for key := range values {
		w.Strings = append(w.Strings, key)
	}
	slices.Sort(w.Lists)
	slices.Sort(w.Strings)
	return w
}
