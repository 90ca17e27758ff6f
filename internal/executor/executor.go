package executor

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// Commands is the command table as it is now, and a way to ask the deployment about a
// command that the table lacks.
type Commands interface {
	// Table returns the current table.
	Table() *command.Table
	// Learn asks the deployment about a command by name and tops the table up if it is
	// known there. An error means that the deployment could not be asked.
	Learn(ctx context.Context, name string) (known bool, err error)
}

// Config is what an Executor works with. Map, Pool, Commands and Policy are required.
type Config struct {
	// Map holds the topology.
	Map *slotmap.Map
	// Pool holds the connections to the nodes.
	Pool *node.Pool
	// Commands is the command table.
	Commands Commands
	// Policy is the operator's allow and deny list.
	Policy *command.Policy
	// MaxReplyBytes bounds the reply bytes of one batch over all nodes. Default 128 MiB.
	MaxReplyBytes int64
	// Replies bounds the reply bytes of all batches together, from their receipt until
	// the release of [Results.Budget]. Nil: without bounds.
	Replies *node.Budget
	// MaxRedirects bounds how often one command is redirected (MOVED, ASK) before the
	// redirect stays in place as its error. Default 16.
	MaxRedirects int
	// BulkBytes and BulkCommands are the sizes of a sub-pipeline from which it travels on
	// the node's bulk connection, so that small ones do not wait behind it. Defaults 256 KiB and 4,096.
	BulkBytes, BulkCommands int
	// MaxBlocking bounds the pipelines with blocking commands that are carried out at once, over all
	// nodes: a caller who only waits is not to take the room of those who do not. Zero: without bounds.
	MaxBlocking int64
	// Zone is the availability zone whose replicas replica routes prefer. Empty: none.
	Zone string
	// Observer is told of every batch; nil: nobody is, and nothing is spent on it.
	Observer Observer
	// Logger receives what operators should see. Default slog.Default().
	Logger *slog.Logger
}

// Executor carries out batches on one deployment. It is safe for concurrent use.
type Executor struct {
	cfg Config
	// blocking is how many pipelines with blocking commands are carried out.
	blocking atomic.Int64
	// turn makes choices among equal primaries rotate.
	turn atomic.Uint32
	// replicaTurns makes the choice among a slot's replicas rotate. Each slot has a turn of its
	// own: with one for all, a caller who reads two slots by turns, or reads and writes by
	// turns, would always meet the same one of two replicas.
	replicaTurns [slotmap.Slots]atomic.Uint32
}

// New returns an Executor that works with cfg.
func New(cfg Config) *Executor {
	setDefault(&cfg.MaxReplyBytes, 128<<20)
	setDefault(&cfg.MaxRedirects, 16)
	setDefault(&cfg.BulkBytes, 256<<10)
	setDefault(&cfg.BulkCommands, 4096)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Executor{cfg: cfg}
}

func setDefault[T int | int64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Execute carries out a batch within o.Timeout and ctx, whichever ends first. On success
// there is one result per command. Every error it returns is of one of this package's
// types, or [*options.KindError] when the options are for another kind of deployment; unless
// the type says otherwise, commands may have taken effect.
func (e *Executor) Execute(ctx context.Context, b Batch, o options.Options) (*Results, error) {
	if len(b.Commands) == 0 {
		if !b.Atomic {
			return nil, &InvalidError{Field: "batch.commands", Index: -1, Reason: "EMPTY_PIPELINE",
				Message: "a pipeline needs at least one command"}
		}
		return &Results{}, nil
	}
	start := time.Now()
	deadline := start.Add(o.Timeout)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	within := &deadlineContext{Context: ctx, deadline: deadline}
	defer within.stop()
	s := takeScratch()
	r := &s.run
	*r = run{
		Executor: e,
		scratch:  s,
		batch:    b,
		pool:     cmp.Or(b.Pool, e.cfg.Pool),
		opts:     o,
		start:    start,
		deadline: deadline,
		caller:   ctx,
		timeout:  deadline.Sub(start),
		budget:   node.NewBudget(e.cfg.MaxReplyBytes).Within(e.cfg.Replies),
	}
	if e.cfg.Observer != nil {
		r.report = &s.report
		r.report.begin(r)
	}
	budget, held := r.budget, false // by the results
	defer func() {
		if !held {
			budget.Release()
		}
	}()
	results, err := r.execute(within)
	if err == nil && o.RaiseOnError && results.Failed > 0 {
		err = r.raise(results)
	}
	if r.report != nil {
		r.tell(results, err)
	}
	r.recycle()
	if err != nil {
		return nil, err
	}
	results.Budget, held = budget, true
	return results, nil
}

// topology returns the current snapshot, waiting for a first one if there is none.
func (e *Executor) topology(ctx context.Context) (*slotmap.Topology, error) {
	if t := e.cfg.Map.Load(); t != nil {
		return t, nil
	}
	t, err := e.cfg.Map.Refresh(ctx)
	if err == nil {
		return t, nil
	}
	if ctx.Err() != nil && e.cfg.Map.Err() == nil {
		return nil, ctx.Err()
	}
	return nil, &UnavailableError{Cause: err}
}

// nextTurn returns the next number of the rotation that a batch on the route takes part in.
func (e *Executor) nextTurn(rt options.Route) int {
	if rt.Kind == options.RouteSlot && rt.Replica {
		// Slots begin at different replicas, so that single reads of many slots spread too.
		return int((e.replicaTurns[rt.Slot].Add(1) + uint32(rt.Slot)) & 0x7fffffff)
	}
	return int(e.turn.Add(1) & 0x7fffffff)
}

// raise picks the error with the lowest index.
func (r *run) raise(results *Results) error {
	raised := &RaisedError{Index: -1, Failed: results.Failed, NothingRan: results.Failed == len(results.Results)}
	for i := range results.Results {
		err := results.Results[i].Err
		if err == nil {
			continue
		}
		if raised.Index < 0 {
			raised.Index, raised.Err, raised.Command = i, err, r.items[i].name(r.batch.Commands[i])
		}
		raised.NothingRan = raised.NothingRan && err.Outcome == NotExecuted
	}
	return raised
}

// timeUp reports whether ctx has ended because the batch's time is up, so that somebody may
// still wait for what is known, and not because the caller has gone.
func timeUp(ctx context.Context) bool { return errors.Is(ctx.Err(), context.DeadlineExceeded) }

// deadlineError words the end of ctx, with how far the batch had got.
func (r *run) deadlineError(ctx context.Context, answered int) error {
	cause := context.DeadlineExceeded
	if errors.Is(ctx.Err(), context.Canceled) {
		cause = context.Canceled
	}
	return &DeadlineError{Answered: answered, Total: len(r.batch.Commands), Timeout: r.timeout, Cause: cause}
}
