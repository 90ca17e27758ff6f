package executor

import (
	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/poison"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// Batch is what a caller wants carried out.
type Batch struct {
	// Atomic asks for MULTI/EXEC on one node; otherwise the batch is a pipeline.
	Atomic bool
	// Commands holds each command as its name and arguments, which must stay unchanged until
	// Execute returns.
	Commands [][][]byte
	// Access is what the caller may do, within the operator's policy. Nil: everything.
	Access *command.Access
	// Pool, if set, has the connections that the batch uses instead of [Config.Pool].
	Pool *node.Pool
	// Owner, if set, is who owns the arguments' bytes.
	Owner Owner
}

// Owner owns the bytes of a batch's arguments.
type Owner interface {
	// Keep says that a connection may still read arguments after Execute has returned: those of
	// a sub-pipeline that was given up while it was written. Their bytes must not be reused then.
	Keep()
}

// Results is what came of a batch.
type Results struct {
	// Results has one entry per command, in the order of the commands.
	Results []Result
	// Failed counts the entries whose Err is set.
	Failed int
	// Budget is what the replies take of [Config.Replies]. Whoever has the results releases it
	// when the frames, and what was made of them, are no longer needed.
	Budget *node.Budget

	guard poison.Guard
	list  *[]Result // what Results came from
}

// Result is what came of one command: exactly one of Frame and Err is set.
type Result struct {
	// Frame is the reply, which is not itself an error but may hold errors inside.
	Frame resp.Frame
	// Err says why there is no proper reply.
	Err *CommandError
	// Node is the host:port that gave the reply, and so any error inside Frame. Empty when
	// several nodes did.
	Node string
}
