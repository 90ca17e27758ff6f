package executor

import (
	"time"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// part is one command as it is sent to one node: a whole command, or a piece of one that
// was split over slots or fanned out over nodes.
type part struct {
	// reply is the node's answer, once the part is done without an error.
	reply resp.Frame
	// err is why there is none, once the part is done with an error.
	err *CommandError
	// args is what is sent.
	args [][]byte
	// node is the address that was asked last.
	node string
	// home is the address that a fan-out's part was planned for; homeSlot is a slot of that
	// shard, by which the part finds the shard's primary after a failover, or keyless.
	home     string
	homeSlot int32
	// trouble is what stood in the way so far; nil while nothing did.
	trouble *trouble
	// cmd is the index of the command in the batch.
	cmd int32
	// slot is the hash slot by which the part is routed, or keyless.
	slot int32
	// done is whether the part's fate is settled.
	done bool
}

// trouble is the history of a part that one round did not settle.
type trouble struct {
	// to is where a redirect sends the part next; empty: resolve it anew.
	to string
	// asking is whether the redirect was ASK, so that ASKING goes first.
	asking bool
	// owner is the slot's primary when ASK was given: while it stays so, the slot is still
	// migrating and retries keep to the redirect.
	owner string
	// last is the error that stays in place if no retry brings another answer.
	last *CommandError
	// redirects counts redirects followed, attempts sends that failed.
	redirects, attempts int
	// strangers counts redirects to nodes that are not known.
	strangers int
	// asked are the nodes that redirected a script's command since its last failure.
	asked []string
	// again is what the report is to count once the part is sent again.
	again again
	// unsure is whether an earlier try was written and never answered, so that the command
	// may have taken effect whatever a later try is told.
	unsure bool
	// due is when the part may be sent again.
	due time.Time
}

// troubled returns the part's trouble, making it when there was none.
func (p *part) troubled() *trouble {
	if p.trouble == nil {
		p.trouble = &trouble{}
	}
	return p.trouble
}

// finish settles the part with a reply.
func (p *part) finish(f resp.Frame) { p.reply, p.err, p.trouble, p.done = f, nil, nil, true }

// fail settles the part with an error, which is the part's own.
func (p *part) fail(err *CommandError) {
	if p.trouble != nil && p.trouble.unsure {
		err.Outcome = Unknown
	}
	p.reply, p.err, p.trouble, p.done = nil, err, nil, true
}
