// Package registry keeps the command table that batches are planned with: the table built
// into the binary, topped up with what the connected deployment knows (modules, newer
// servers), at start, after the topology changed, and once per command that is missing.
package registry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
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

// The bounds of what callers can make a Registry remember and ask.
const (
	// maxName is the longest command name, in bytes, that is worth a question.
	maxName = 64
	// maxMisses is how many unknown names are remembered.
	maxMisses = 1024
	// missTTL is how long an unknown name is believed to be unknown; modules can be loaded.
	missTTL = 10 * time.Second
	// maxQuestions is how many questions are under way at once.
	maxQuestions = 4
)

// ErrClosed is what [Registry.Learn] returns after Close.
var ErrClosed = errors.New("registry: closed")

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

	mu     sync.Mutex
	closed bool
	misses map[string]time.Time // unknown name -> when to ask again
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
	clear(r.misses)
	return nil
}

// Learn asks the deployment about a command that the table lacks, and adds it. Known is
// whether it is in the table afterwards. An error means that the deployment could not be
// asked. Names that were unknown a moment ago are not asked about again.
func (r *Registry) Learn(ctx context.Context, name string) (known bool, err error) {
	name = strings.ToLower(name)
	if r.cfg.Source == nil || !askable(name) || r.missed(name) {
		return false, nil
	}
	if _, ok := r.Table().Lookup([][]byte{[]byte(name)}); ok {
		return true, nil
	}
	if !r.own() {
		return false, ErrClosed
	}
	// The question outlives the caller who asked first: others may wait for the same answer.
	answer := r.questions.DoChan(name, func() (any, error) { return r.ask(name) })
	select {
	case result := <-answer:
		r.owned.Done()
		if result.Err != nil {
			return false, result.Err
		}
		return result.Val.(bool), nil
	case <-ctx.Done():
		// The answer is awaited all the same, so that Close can wait for the question's end.
		go func() {
			defer r.owned.Done()
			<-answer
		}()
		return false, ctx.Err()
	}
}

// own takes part in what Close waits for, unless it is too late for that.
func (r *Registry) own() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.owned.Add(1)
	return true
}

// ask puts the question to the deployment and remembers the answer.
func (r *Registry) ask(name string) (known bool, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	infos, err := r.cfg.Source.CommandInfo(ctx, name)
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(infos) == 0 {
		r.remember(name)
		return false, nil
	}
	r.table.Store(r.table.Load().With(infos))
	return true, nil
}

// remember notes an unknown name. When the memory is full, what has expired is dropped, and
// everything if nothing has: forgetting costs one question, remembering without bound costs
// the process.
func (r *Registry) remember(name string) {
	now := time.Now()
	if len(r.misses) >= maxMisses {
		for other, until := range r.misses {
			if now.After(until) {
				delete(r.misses, other)
			}
		}
		if len(r.misses) >= maxMisses {
			clear(r.misses)
		}
	}
	r.misses[name] = now.Add(missTTL)
}

// missed reports whether the deployment said a moment ago that it has no such command.
func (r *Registry) missed(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.misses[name]
	return ok && time.Now().Before(until)
}

// askable reports whether a name could be a command's: printable ASCII without spaces. No
// other name is worth a round trip.
func askable(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}
