package inject

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/history"
)

// pauseOf is a pause by chance.
func pauseOf(e *Env) time.Duration { return time.Duration(e.Random.Int64N(int64(4 * pause))) }

// Migrate moves a few slots that are in use to another primary, and back, for as long as it
// lasts. Each stays half moved for a moment.
var Migrate = Fault{Name: "slots migrating back and forth", Do: func(ctx context.Context, e *Env) error {
	end := time.Now().Add(e.Hold)
	for first := true; first || time.Now().Before(end); first = false {
		primaries, err := e.Primaries(ctx)
		if err != nil {
			return err
		}
		slot := e.Slots[e.Random.IntN(len(e.Slots))]
		from, err := e.Owner(ctx, slot)
		if err != nil {
			return err
		}
		to := primaries[e.Random.IntN(len(primaries))]
		if to == from {
			to = primaries[(e.Random.IntN(len(primaries)-1)+indexOf(primaries, from)+1)%len(primaries)]
		}
		for range 2 {
			if err := e.move(ctx, slot, from, to); err != nil {
				return err
			}
			from, to = to, from
		}
	}
	return nil
}}

func indexOf(nodes []*deploy.Node, n *deploy.Node) int {
	for i, o := range nodes {
		if o == n {
			return i
		}
	}
	return 0
}

// moving is what may come of a migration: commands whose keys are apart meanwhile.
func moving(slot uint16, from, to *deploy.Node) history.Effects {
	return history.Effects{Nodes: names(from, to), Slots: history.Slots{slot: true}, Codes: []string{"TRYAGAIN"}, Moves: true}
}

// move moves a slot, slowly enough for callers to see it half moved.
func (e *Env) move(ctx context.Context, slot uint16, from, to *deploy.Node) error {
	w := e.begin("migration", moving(slot, from, to))
	c := e.Local()
	if err := c.BeginMigration(ctx, slot, from.Node, to.Node); err != nil {
		return err
	}
	if err := e.hold(ctx, pause); err != nil {
		return err
	}
	if err := e.half(ctx, slot, from, to); err != nil {
		return err
	}
	if err := e.hold(ctx, pause+pauseOf(e)); err != nil {
		return err
	}
	if err := c.MigrateKeys(ctx, slot, from.Node, to.Node); err != nil {
		return err
	}
	if err := c.FinishMigration(ctx, slot, from.Node, to.Node); err != nil {
		return err
	}
	w.end()
	return nil
}

// half moves some of the keys.
func (e *Env) half(ctx context.Context, slot uint16, from, to *deploy.Node) error {
	reply, err := from.MustOK(ctx, "CLUSTER", "GETKEYSINSLOT", strconv.Itoa(int(slot)), "40")
	if err != nil {
		return err
	}
	keys, err := reply.Strings()
	if err != nil || len(keys) == 0 {
		return err
	}
	e.Random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return e.Local().MigrateKeys(ctx, slot, from.Node, to.Node, keys[:1+len(keys)/2]...)
}

// Open begins a slot's migration, leaves it half moved for as long as it lasts, and finishes it.
var Open = Fault{Name: "a migration that takes long", Do: func(ctx context.Context, e *Env) error {
	n, err := e.victim(ctx)
	if err != nil {
		return err
	}
	primaries, err := e.Primaries(ctx)
	if err != nil {
		return err
	}
	to := primaries[(indexOf(primaries, n)+1)%len(primaries)]
	for _, slot := range e.Slots {
		owner, err := e.Owner(ctx, slot)
		if err != nil {
			return err
		}
		if owner != n {
			continue
		}
		effects := moving(slot, n, to)
		effects.Unserved = true
		w := e.begin("open migration", effects)
		c := e.Local()
		err = errors.Join(c.BeginMigration(ctx, slot, n.Node, to.Node), e.half(ctx, slot, n, to), e.hold(ctx, e.Hold),
			c.MigrateKeys(ctx, slot, n.Node, to.Node), c.FinishMigration(ctx, slot, n.Node, to.Node))
		if err != nil {
			return err
		}
		w.end()
		return e.move(ctx, slot, to, n)
	}
	return errors.New("the primary serves none of the slots in use")
}}

// JoinLeave adds a node, moves a slot of every primary there and back, and takes the node away.
var JoinLeave = Fault{Name: "a node added, and removed", Do: func(ctx context.Context, e *Env) error {
	primaries, err := e.Primaries(ctx)
	if err != nil {
		return err
	}
	joined, err := e.Join(ctx)
	if err != nil {
		return err
	}
	moved := map[uint16]*deploy.Node{}
	for _, p := range primaries {
		for _, slot := range e.Slots {
			if owner, err := e.Owner(ctx, slot); err != nil || owner != p {
				continue
			}
			if err := e.move(ctx, slot, p, joined); err != nil {
				return err
			}
			moved[slot] = p
			break
		}
	}
	if err := e.hold(ctx, e.Hold); err != nil {
		return err
	}
	for slot, p := range moved {
		if err := e.move(ctx, slot, joined, p); err != nil {
			return err
		}
	}
	if err := e.hold(ctx, 4*pause); err != nil {
		return err
	}
	slots := history.Slots{}
	for slot := range moved {
		slots[slot] = true
	}
	w := e.begin("leave", history.Effects{Nodes: names(joined), Slots: slots, Disconnects: true})
	if err := e.Leave(ctx, joined); err != nil {
		return err
	}
	if err := e.Settle(ctx); err != nil {
		return err
	}
	w.end()
	return nil
}}
