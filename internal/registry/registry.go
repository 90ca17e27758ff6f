// Package registry keeps the command table that batches are planned with: the table built
// into the binary, topped up with what the connected deployment knows (modules, newer
// servers), at start, after the topology changed, and once per command or subcommand that is
// missing, within a budget of questions.
package registry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/valkeybatch/valkeybatch/internal/command"
)

// Source is a deployment that can be asked about its commands.
type Source interface {
	// Commands returns every command the deployment has.
	Commands(ctx context.Context) ([]*command.Info, error)
	// CommandInfo returns one command with its subcommands, or nothing if the deployment has
	// none of that name.
	CommandInfo(ctx context.Context, name string) ([]*command.Info, error)
}

// Config is what a Registry works with. Base is required.
type Config struct {
	// Base is the table that everything learned is added to.
	Base *command.Table
	// Source is asked for what Base lacks. Nil: nothing is ever learned.
	Source Source
	// Timeout bounds one question to the source. Default 5 s.
	Timeout time.Duration
	// BackoffMin and BackoffMax bound the pause after a failed top-up. Defaults 500 ms and 30 s.
	BackoffMin, BackoffMax time.Duration
	// Logger receives top-ups and their failures. Default: none.
	Logger *slog.Logger
}

// Registry holds the table. It is safe for concurrent use and must be closed.
type Registry struct {
	cfg       Config
	table     atomic.Pointer[command.Table]
	questions singleflight.Group
	slots     chan struct{} // one token per question under way
	wake      chan struct{} // holds one token while a top-up is wanted

	ctx    context.Context // ends with Close, and with it everything under way
	cancel context.CancelFunc
	owned  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	misses  map[string]time.Time // unknown name -> when to ask again
	budget  budget
	topped  bool      // a top-up has succeeded
	hurried time.Time // when the budget's end last brought a top-up forward
}

// New returns a Registry and, if it has a source, starts to top the table up.
func New(cfg Config) *Registry {
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.BackoffMin, 500*time.Millisecond)
	setDefault(&cfg.BackoffMax, 30*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		cfg:    cfg,
		slots:  make(chan struct{}, maxQuestions),
		wake:   make(chan struct{}, 1),
		misses: make(map[string]time.Time),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.table.Store(cfg.Base)
	if cfg.Source != nil {
		r.Trigger()
		r.owned.Go(r.run)
	}
	return r
}

func setDefault(field *time.Duration, value time.Duration) {
	if *field <= 0 {
		*field = value
	}
}

// Close ends everything under way and waits for it. The table stays readable.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.owned.Wait()
}

// Table returns the table as it is now.
func (r *Registry) Table() *command.Table { return r.table.Load() }

// Trigger asks for the whole table to be topped up again soon, as after a topology change.
func (r *Registry) Trigger() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run tops the table up whenever that is wanted, until it has succeeded.
func (r *Registry) run() {
	backoff := time.Duration(0)
	for {
		var again <-chan time.Time // never, unless the last top-up failed
		if backoff > 0 {
			again = time.After(backoff)
		}
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
		case <-again:
		}
		if err := r.topUp(); err != nil && r.ctx.Err() == nil {
			if backoff == 0 {
				r.cfg.Logger.Warn("the deployment's commands could not be read; the built-in table is used meanwhile", "error", err)
			}
			backoff = min(max(2*backoff, r.cfg.BackoffMin), r.cfg.BackoffMax)
			continue
		}
		backoff = 0
	}
}

// topUp replaces the table by the base table with the deployment's commands added.
func (r *Registry) topUp() error {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timeout)
	defer cancel()
	infos, err := r.cfg.Source.Commands(ctx)
	if err != nil {
		return err
	}
	table := r.cfg.Base.With(infos)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table.Store(table)
	r.topped = true
	clear(r.misses)
	return nil
}
