package inject

import (
	"context"

	"github.com/valkeybatch/valkeybatch/internal/faults/history"
)

// Full is a primary that has reached its maxmemory and refuses what needs more (OOM).
var Full = Fault{Name: "OOM", Do: func(ctx context.Context, e *Env) error {
	return e.configured(ctx, "full", history.Effects{Codes: []string{"OOM"}, Unserved: true},
		[]string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"})
}}

// ReadOnly is a standalone server that is made a replica, of one that is not there. It hangs up
// on clients that are blocked.
var ReadOnly = Fault{Name: "READONLY", Do: func(ctx context.Context, e *Env) error {
	return e.configured(ctx, "read only", history.Effects{Codes: []string{"READONLY", "UNBLOCKED"}, Disconnects: true, Unserved: true},
		[]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"})
}}

// configured makes a primary refuse commands for a while.
func (e *Env) configured(ctx context.Context, name string, effects history.Effects, do, undo []string) error {
	n, effects, err := e.aimed(ctx, effects)
	if err != nil {
		return err
	}
	w := e.begin(name, effects)
	if _, err := n.MustOK(ctx, do...); err != nil {
		return err
	}
	if err := e.hold(ctx, e.Hold); err != nil {
		return err
	}
	if _, err := n.MustOK(ctx, undo...); err != nil {
		return err
	}
	w.end()
	return nil
}
