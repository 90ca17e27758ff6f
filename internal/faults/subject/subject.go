// Package subject is what can be put to the test: whatever carries out batches and says what
// came of every command.
package subject

import (
	"context"
	"fmt"
	"time"
)

// Outcome is what a subject says of a command's effects.
type Outcome uint8

// Outcomes. Their numbers are the contract's.
const (
	// Succeeded: there is a reply.
	Succeeded Outcome = iota
	// NotExecuted: it certainly had no effect.
	NotExecuted
	// Failed: it ran and was answered with an error.
	Failed
	// Unknown: nothing is known.
	Unknown
)

// String returns the outcome in words.
func (o Outcome) String() string {
	return [...]string{"succeeded", "not executed", "failed", "unknown"}[o]
}

// Batch is what a subject is asked for.
type Batch struct {
	Atomic                       bool
	Commands                     [][]string
	Timeout                      time.Duration
	RetryServer, RetryConnection bool
}

// Result is what came of one command: a reply, or an error.
type Result struct {
	// Reply is an int64, a string, nil, or a []any of those.
	Reply any
	Err   *Error
}

// Error is why a command has no reply.
type Error struct {
	Code, Message, Node string
	Outcome             Outcome
}

// Failure is why a whole batch has no results.
type Failure struct {
	// Status is the kind of failure, in the subject's words.
	Status, Message string
	// Outcome holds for every command: NotExecuted or Unknown.
	Outcome Outcome
	// Late is whether the time was up.
	Late bool
}

// Error returns what failed.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %s", f.Status, f.Message) }

// Subject carries out batches, any number at once.
type Subject interface {
	// Execute carries out one batch. When ctx ends the caller has gone.
	Execute(ctx context.Context, b Batch) ([]Result, *Failure)
	// Close ends it. It returns when nothing of it runs any more.
	Close() error
}

// Options are what a subject is started with.
type Options struct {
	Cluster bool
	Seeds   []string
	Callers int
}

// Traits are what a subject promises, as far as promises differ.
type Traits struct {
	Name string
	// Outcomes is whether it says of errors what is known of the effects. Of one that does not,
	// the rules on outcomes cannot be asked.
	Outcomes bool
}

// Maker starts a subject.
type Maker struct {
	Traits
	Start func(ctx context.Context, o Options) (Subject, error)
}
