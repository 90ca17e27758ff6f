// Package history is what happened in a run: every batch with what was answered, every fault
// with what it may excuse, and what the deployment held in the end.
package history

import (
	"slices"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/deploy"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// Kind is what a command does, as far as rules differ.
type Kind uint8

// Kinds of commands.
const (
	// Push is RPUSH of one element, unlike every other of the run, to a list that callers share.
	// Its reply is the element's place in the list, from 1.
	Push Kind = iota
	// Bump is INCR of a counter that callers share.
	Bump
	// Set and Get are SET and GET of a register, which belongs to one caller.
	Set
	Get
	// SetMany and GetMany are MSET and MGET of registers in several slots.
	SetMany
	GetMany
	// Fixed is MGET of keys of all slots whose values never change.
	Fixed
	// Count is DBSIZE: of all shards.
	Count
	// Wait is BLPOP with a short timeout of a list that nobody pushes to.
	Wait
)

// String returns the command that it is.
func (k Kind) String() string {
	return [...]string{"RPUSH", "INCR", "SET", "GET", "MSET", "MGET", "MGET (fixed)", "DBSIZE", "BLPOP"}[k]
}

// Writes reports whether the command may change anything.
func (k Kind) Writes() bool {
	return k == Push || k == Bump || k == Set || k == SetMany
}

// Command is one command of a batch.
type Command struct {
	Kind Kind
	Keys []string
	// Values are the element of a Push, the values of a Set and of a SetMany, and those that a
	// Fixed has to give.
	Values []string
	// Slots are the keys' slots, without repetition; none: all.
	Slots []uint16
	// Line is the command as it is sent.
	Line []string
}

// Batch is one batch and what came of it.
type Batch struct {
	Caller, Number int
	subject.Batch
	Commands []Command // in the place of subject.Batch.Commands, which is not kept
	// Start and End are since the run began.
	Start, End time.Duration
	// Cancelled is whether its caller went away before it was answered.
	Cancelled bool
	Failure   *subject.Failure
	Results   []subject.Result
}

// Of returns what was said of the effects of the i-th command.
func (b *Batch) Of(i int) subject.Outcome {
	switch {
	case b.Failure != nil:
		return b.Failure.Outcome
	case i >= len(b.Results):
		return subject.Unknown
	case b.Results[i].Err != nil:
		return b.Results[i].Err.Outcome
	}
	return subject.Succeeded
}

// Touches reports whether the batch concerns one of the slots.
func (b *Batch) Touches(slots Slots) bool {
	return slices.ContainsFunc(b.Commands, func(c Command) bool { return slots.Any(c.Slots) })
}

// Slots is a set of hash slots; nil: all.
type Slots map[uint16]bool

// Any reports whether one of the slots given is in the set. None given stands for all.
func (s Slots) Any(of []uint16) bool {
	return s == nil || len(of) == 0 || slices.ContainsFunc(of, func(slot uint16) bool { return s[slot] })
}

// Fault is a fault, from before it was done until after it was undone.
type Fault struct {
	Name string
	// Start and End are since the run began.
	Start, End time.Duration
	// Promoted is when a promotion was seen by all nodes that run; 0: there was none.
	Promoted time.Duration
	Effects
}

// Effects is what may come of a fault. Whatever else comes of it is a violation.
type Effects struct {
	// Nodes are the names of the nodes that it was done to.
	Nodes []string
	// Slots are those whose commands may fail for it.
	Slots Slots
	// Codes are the errors that servers may give for it, or for what it does to their view of
	// the cluster.
	Codes []string
	// Disconnects is whether connections to its nodes are lost, so that commands may be unknown.
	Disconnects bool
	// Hangs is whether its nodes fall silent, so that batches may run out of time.
	Hangs bool
	// Loses is whether servers may lose what they acknowledged.
	Loses bool
	// Unserved is whether commands of its slots cannot succeed for as long as it lasts.
	Unserved bool
	// Machine is whether nobody did it: the machine had no time to spare.
	Machine bool
	// Moves is whether keys go from node to node, so that a count over all nodes may miss some.
	Moves bool
}

// History is everything that happened in a run.
type History struct {
	Batches []Batch
	Faults  []Fault
	Truth   *deploy.Truth
	Records []deploy.Record
	// Keys is how many keys there are in any case, for Count.
	Keys int
	// Traits are what the subject promises.
	Traits subject.Traits
}
