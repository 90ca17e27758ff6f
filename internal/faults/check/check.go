package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/history"
	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// Limits are how long things may take.
type Limits struct {
	// Grace is how long after its timeout a batch may be answered.
	Grace time.Duration
	// Recovery is how long after a promotion that all nodes see its slots' batches may fail.
	Recovery time.Duration
	// Healing is how long after any fault batches may fail for it.
	Healing time.Duration
}

// Rules, by the names that violations have.
const (
	Lost         = "lost"          // an acknowledged effect is gone, and no server's doing explains it
	Duplicated   = "duplicated"    // an effect happened twice without retry_connection_error
	Ran          = "ran"           // what was said not to have been executed had an effect
	Unfounded    = "unfounded"     // an error that no fault explains, or unknown where more was to be known
	Order        = "order"         // commands of a batch on one slot took effect in another order
	Torn         = "torn"          // an atomic batch took effect in part
	Interleaved  = "interleaved"   // something came between the commands of an atomic batch
	Late         = "late"          // a batch was answered after its deadline
	WrongReply   = "wrong reply"   // a reply that is not this command's
	WrongCount   = "wrong count"   // a counter that does not fit its acknowledged increments
	Unasked      = "unasked"       // the deployment holds what nobody wrote
	GaveUp       = "gave up"       // a retry that was asked for was not made while there was time
	NotRecovered = "not recovered" // batches fail though all is well again
	Incomplete   = "incomplete"    // not one result for each command
)

// Violation is one breach of a rule.
type Violation struct {
	Rule   string
	Detail string
}

// String returns both.
func (v Violation) String() string { return v.Rule + ": " + v.Detail }

// Findings is what checking a history has shown.
type Findings struct {
	Violations []Violation
	// Lost counts acknowledged effects that servers lost, as it is put down to them.
	Lost int
	// Twice counts effects that happened more than once, all with retry_connection_error.
	Twice int
}

// Check checks a history by all rules.
func Check(h *history.History, limits Limits) *Findings {
	c := &checker{History: h, limits: limits, found: &Findings{}}
	c.index()
	for i := range h.Batches {
		b := &h.Batches[i]
		c.answered(b)
		c.errors(b)
		c.replies(b)
	}
	c.pushes()
	c.counters()
	c.registers()
	return c.found
}

type checker struct {
	*history.History
	limits Limits
	found  *Findings

	// places are where each element stands in its list.
	places map[string][]int
	// pushed are the batches of the elements.
	pushed map[string]*pushed
	// executed is whether any server has executed the push of an element.
	executed map[string]bool
}

// pushed is the command that an element comes from.
type pushed struct {
	b   *history.Batch
	i   int
	key string
}

func (p *pushed) slot() []uint16 { return p.b.Commands[p.i].Slots }

func (c *checker) violate(rule string, b *history.Batch, format string, args ...any) {
	detail := fmt.Sprintf(format, args...)
	if b != nil {
		detail = fmt.Sprintf("caller %d, batch %d (%s, %v to %v): %s", b.Caller, b.Number, describe(b),
			b.Start.Round(time.Millisecond), b.End.Round(time.Millisecond), detail)
	}
	c.found.Violations = append(c.found.Violations, Violation{Rule: rule, Detail: detail})
}

func describe(b *history.Batch) string {
	if b.Atomic {
		return fmt.Sprintf("atomic, timeout %v", b.Timeout)
	}
	return fmt.Sprintf("retries of server errors %v, connection errors %v, timeout %v", b.RetryServer, b.RetryConnection, b.Timeout)
}

func (c *checker) index() {
	c.places = make(map[string][]int)
	for _, list := range c.Truth.Lists {
		for at, element := range list {
			c.places[element] = append(c.places[element], at)
		}
	}
	c.pushed = make(map[string]*pushed)
	for i := range c.Batches {
		b := &c.Batches[i]
		for j := range b.Commands {
			if cmd := &b.Commands[j]; cmd.Kind == history.Push {
				c.pushed[cmd.Values[0]] = &pushed{b: b, i: j, key: cmd.Keys[0]}
			}
		}
	}
	c.executed = make(map[string]bool)
	for _, r := range c.Records {
		for _, p := range r.Pushes {
			c.executed[p.Element] = true
		}
	}
}

// lossy are the faults that may have lost what servers acknowledged in a slot.
func (c *checker) lossy(slots []uint16) (faults []*history.Fault) {
	for i := range c.Faults {
		if f := &c.Faults[i]; f.Loses && f.Slots.Any(slots) {
			faults = append(faults, f)
		}
	}
	return faults
}

// answered checks that a batch was answered in time, and as a whole.
func (c *checker) answered(b *history.Batch) {
	if over := b.End - b.Start - b.Timeout; over > c.limits.Grace+c.still(b) {
		c.violate(Late, b, "answered %v after its deadline", over)
	}
	if b.Failure == nil && len(b.Results) != len(b.Commands) {
		c.violate(Incomplete, b, "%d results for %d commands", len(b.Results), len(b.Commands))
	}
}

// still is for how long the machine stood still during a batch.
func (c *checker) still(b *history.Batch) (total time.Duration) {
	for i := range c.Faults {
		if f := &c.Faults[i]; f.Machine && b.Start <= f.End && b.End >= f.Start {
			total += f.End - f.Start
		}
	}
	return total
}

// until is when batches may no longer fail for a fault: a while after a promotion that all
// nodes see, whatever else is done to the node that was replaced; or after the fault.
func (c *checker) until(f *history.Fault) time.Duration {
	if f.Machine {
		return f.End
	}
	if f.Promoted > 0 {
		return f.Promoted + c.limits.Recovery
	}
	return f.End + c.limits.Healing
}

// near are the faults that a batch may have met.
func (c *checker) near(b *history.Batch, slots []uint16) (faults []*history.Fault) {
	for i := range c.Faults {
		if f := &c.Faults[i]; b.Start <= c.until(f) && b.End >= f.Start && f.Slots.Any(slots) {
			faults = append(faults, f)
		}
	}
	return faults
}

// unfounded is the rule that is broken by a failure that no fault explains: perhaps one did that
// should be over.
func (c *checker) unfounded(b *history.Batch, slots []uint16, explains func(f *history.Fault) bool) string {
	for i := range c.Faults {
		f := &c.Faults[i]
		if b.Start > c.until(f) && b.Start <= f.End+10*c.limits.Healing && f.Slots.Any(slots) && explains(f) {
			return NotRecovered
		}
	}
	return Unfounded
}

// errors checks that each failure has its reason.
func (c *checker) errors(b *history.Batch) {
	if b.Failure != nil {
		c.failure(b)
		return
	}
	for i := range b.Results {
		if err := b.Results[i].Err; err != nil && i < len(b.Commands) {
			c.commandError(b, &b.Commands[i], err)
		}
	}
}

func (c *checker) failure(b *history.Batch) {
	if b.Cancelled {
		return
	}
	if f := c.spanned(b); f != nil && b.Failure.Late {
		c.violate(GaveUp, b, "its time ran out, though a promotion was seen at %v, and its commands were to be sent again: %v", f.Promoted, b.Failure)
		return
	}
	explains := func(f *history.Fault) bool {
		refused := b.Failure.Outcome == subject.NotExecuted && (f.Disconnects || len(f.Codes) > 0)
		// A client that does not say what is known may say of a whole batch that its connection was lost.
		return f.Hangs || refused || (!c.Traits.Outcomes && !b.Failure.Late && f.Disconnects)
	}
	rule := Unfounded
	for i := range b.Commands {
		if slices.ContainsFunc(c.near(b, b.Commands[i].Slots), explains) {
			return
		}
		if r := c.unfounded(b, b.Commands[i].Slots, explains); r != Unfounded {
			rule = r
		}
	}
	c.violate(rule, b, "it failed as a whole: %v", b.Failure)
}

// spanned returns the promotion that a batch with all retries had ample time to wait for.
func (c *checker) spanned(b *history.Batch) *history.Fault {
	if !b.RetryServer || !b.RetryConnection {
		return nil
	}
	for i := range c.Faults {
		f := &c.Faults[i]
		if f.Promoted > 0 && b.Start <= f.Promoted && b.Start+b.Timeout > f.Promoted+4*c.limits.Recovery+c.limits.Healing &&
			b.End >= f.Start && b.Touches(f.Slots) {
			return f
		}
	}
	return nil
}

func (c *checker) commandError(b *history.Batch, cmd *history.Command, err *subject.Error) {
	if c.Traits.Outcomes && err.Outcome != subject.NotExecuted && err.Outcome != subject.Failed && err.Outcome != subject.Unknown {
		c.violate(Unfounded, b, "%s has an error without an outcome: %+v", cmd.Kind, *err)
	}
	explains := func(f *history.Fault) bool { return c.explains(f, err) }
	if !slices.ContainsFunc(c.near(b, cmd.Slots), explains) {
		c.violate(c.unfounded(b, cmd.Slots, explains), b, "%s of slots %v: %s (%s, of %s) has no fault that explains it", cmd.Kind, cmd.Slots, err.Message, err.Outcome, err.Node)
		return
	}
	if left := b.Timeout - (b.End - b.Start); left > giveUp(b.Timeout) && !b.Cancelled {
		switch {
		case passing(err.Code) && b.RetryServer:
			c.violate(GaveUp, b, "%s in place with %v left", err.Code, left)
		case connection(err.Code) && b.RetryConnection:
			c.violate(GaveUp, b, "%s in place with %v left", err.Code, left)
		}
	}
	// An earlier try may have been written and never answered, whatever the last one was told; and
	// of a command that was split, another part than the one whose error is shown.
	split := len(cmd.Slots) != 1
	if err.Outcome == subject.Unknown && !connection(err.Code) && !b.RetryConnection && !split {
		c.violate(Unfounded, b, "%s says that nothing is known of its effects, which a node's own word is not: %s", err.Code, err.Message)
	}
}

// explains reports whether a fault is a reason for an error.
func (c *checker) explains(f *history.Fault, err *subject.Error) bool {
	if connection(err.Code) && !c.Traits.Outcomes {
		return f.Disconnects || f.Hangs // it does not say which node
	}
	if connection(err.Code) {
		// Nobody but the nodes that it was done to can be lost by it: this one, or the one that an
		// earlier try was lost by, when that left a retry elsewhere too little time.
		return (f.Disconnects || f.Hangs) && slices.ContainsFunc(f.Nodes, func(node string) bool {
			return node == err.Node || strings.Contains(err.Message, "before: "+node+":")
		})
	}
	return slices.Contains(f.Codes, err.Code)
}

func connection(code string) bool { return code == "CONNECTION" || code == "TIMEOUT" }

// passing are the errors that retry_server_error is for.
func passing(code string) bool {
	switch code {
	case "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY":
		return true
	}
	return false
}

// giveUp is with how much of the time left it is right to make no further try: the margin in
// which what is known is still to reach the caller, and the shortest pause with as long again
// for the answer.
func giveUp(timeout time.Duration) time.Duration {
	return min(max(timeout/20, 5*time.Millisecond), 250*time.Millisecond) + 250*time.Millisecond
}
