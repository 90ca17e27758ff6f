// Package service implements the contract's gRPC methods: it carries out requests as batches of
// the executor, translates typed errors into statuses, and holds the limits that are checked
// before anything is sent.
package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// Executor carries out batches. [executor.Executor] is the one there is; the interface marks
// how little of it this package needs.
type Executor interface {
	// Execute carries out a batch and returns one result per command, or one of the executor
	// package's typed errors.
	Execute(ctx context.Context, batch executor.Batch, opts options.Options) (*executor.Results, error)
}

// Config is what a Service works with. Executor is required; zero values of the rest mean
// their defaults.
type Config struct {
	// Executor carries out the batches.
	Executor Executor
	// Deployment tells the kind of the deployment, or [options.KindAny] while it is not known.
	// Nil: not known; the executor then finds a mismatch out by itself.
	Deployment func() options.Kind
	// Caller tells who calls. Nil: callers are not told apart.
	Caller func(context.Context) *auth.Identity
	// UserPool returns the connections of a Valkey user for a batch, and what is called when the
	// batch has ended. Required where Caller tells of users.
	UserPool func(*auth.User) (pool *node.Pool, done func())
	// Timeouts are the default and the longest time of a batch. Defaults: 5 s and 5 min.
	Timeouts options.Defaults
	// Limits bound single requests and what is in flight.
	Limits Limits
	// Logger receives what operators should see and callers must not. Default slog.Default().
	Logger *slog.Logger
}

// The defaults of [Config.Timeouts].
const (
	DefaultTimeout    = 5 * time.Second
	DefaultMaxTimeout = 5 * time.Minute
)

// Service implements BatchService. It is safe for concurrent use.
type Service struct {
	executor   Executor
	deployment func() options.Kind
	caller     func(context.Context) *auth.Identity // nil: see Config
	userPool   func(*auth.User) (*node.Pool, func())
	known      func(context.Context) error // nil: see AskFirst
	timeouts   options.Defaults
	limits     Limits
	admission  *Admission
	arriving   arriving
	streams    calls
	awaited    calls // calls of their own whose request has not arrived
	logger     *slog.Logger
	drain      sync.Once
	draining   chan struct{} // closed by drain
}

// New returns a Service that works with cfg.
func New(cfg Config) *Service {
	if cfg.Deployment == nil {
		cfg.Deployment = func() options.Kind { return options.KindAny }
	}
	if cfg.Timeouts.Timeout <= 0 {
		cfg.Timeouts.Timeout = DefaultTimeout
	}
	if cfg.Timeouts.MaxTimeout <= 0 {
		cfg.Timeouts.MaxTimeout = DefaultMaxTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	limits := cfg.Limits.withDefaults()
	return &Service{
		executor:   cfg.Executor,
		deployment: cfg.Deployment,
		caller:     cfg.Caller,
		userPool:   cfg.UserPool,
		timeouts:   cfg.Timeouts,
		limits:     limits,
		admission:  NewAdmission(limits.InFlightBatches, limits.InFlightBytes, limits.BatchesPerSecond),
		arriving:   arriving{max: limits.InFlightBytes},
		streams:    calls{what: "open streams", max: limits.Streams},
		awaited:    calls{what: "calls whose request has not arrived", max: limits.Streams},
		logger:     cfg.Logger,
		draining:   make(chan struct{}),
	}
}

// AskFirst has known asked of each call of its own, before room is taken for a long request, whether
// it is known who makes it; its error is a status. It is called before the service is used.
func (s *Service) AskFirst(known func(context.Context) error) { s.known = known }

// ExecuteBatch implements [Handler]: the contract's method of that name. Nothing is decoded
// before the request is within the limits and admitted.
func (s *Service) ExecuteBatch(ctx context.Context, in *wire.Request) (*wire.Response, error) {
	var who *auth.Identity
	if s.caller != nil {
		who = s.caller(ctx)
	}
	weight, err := s.admit(in, who)
	if err != nil {
		return nil, s.statusError(ctx, nil, err)
	}
	defer s.release(weight, who)
	batch, err := in.Decode()
	if err != nil {
		return nil, s.statusError(ctx, nil, err)
	}
	results, err := s.execute(ctx, in, batch, who)
	if err != nil {
		return nil, s.statusError(ctx, batch, err)
	}
	resp := wire.NewResponse(batch, results)
	results.Release()
	return resp, nil
}

// admit holds a request to the limits and takes its place among those in flight, of the weight
// that it returns, and among those of its caller.
func (s *Service) admit(in *wire.Request, who *auth.Identity) (weight int64, err error) {
	defer s.arrived(in)
	size, err := in.Measure()
	if err != nil {
		return 0, err
	}
	if err := s.limits.check(size); err != nil {
		return 0, err
	}
	weight = s.limits.weight(size)
	// The caller's own limit is first: what is over it takes nothing from others.
	if err := who.Acquire(weight, s.admission.Acquire); err != nil {
		return 0, err
	}
	return weight, nil
}

// release ends what admit began.
func (s *Service) release(weight int64, who *auth.Identity) {
	s.admission.Release(weight)
	who.Release(weight)
}

// execute returns the typed errors of packages wire, options and executor.
func (s *Service) execute(ctx context.Context, in *wire.Request, batch *wire.Batch, who *auth.Identity) (*executor.Results, error) {
	opts, err := options.Parse(batch.Options, s.timeouts)
	if err != nil {
		return nil, err
	}
	if len(batch.Commands) == 0 && !batch.Options.Atomic {
		return nil, &wire.RequestError{Field: "batch.commands", Reason: wire.ReasonEmptyPipeline,
			Message: "a pipeline needs at least one command"}
	}
	if batch.FormError != nil {
		return nil, batch.FormError
	}
	if err := opts.CheckKind(s.deployment()); err != nil {
		return nil, err
	}
	todo := executor.Batch{Atomic: batch.Options.Atomic, Commands: batch.Commands, Owner: in}
	if who == nil {
		return s.executor.Execute(ctx, todo, opts)
	}
	if todo.Access = who.Access; who.User != nil {
		pool, done := s.userPool(who.User)
		defer done()
		todo.Pool = pool
	}
	results, err := s.executor.Execute(ctx, todo, opts)
	var denied *executor.DeniedError
	if errors.As(err, &denied) {
		err = &deniedError{DeniedError: denied, identity: who.Name}
	}
	return results, err
}

// InFlight returns how many batches are carried out at this moment, and what they count as in
// bytes (see [Limits.InFlightBytes]).
func (s *Service) InFlight() (batches, bytes int64) { return s.admission.InFlight() }

// Arriving returns how many bytes of long messages are on their way in, not admitted yet.
func (s *Service) Arriving() int64 { return s.arriving.bytes.Load() }
