package command

import "strings"

// Reasons for which a command is refused.
const (
	transactionReason = "batches are sent one way only: set is_atomic for a transaction"
	subscribeReason   = "subscriptions need a connection of their own, and batches share connections"
	sessionReason     = "it would change the state of a connection that other callers' batches share"
	streamReason      = "it would turn a connection that other callers' batches share into a stream"
	closeReason       = "it would close a connection that other callers' batches share"
)

// refusals are the commands that would break a connection shared with other batches. SELECT
// is not among them: the executor selects the former database again behind it.
var refusals = map[string]string{
	"multi":   transactionReason,
	"exec":    transactionReason,
	"discard": transactionReason,
	"watch":   "what is watched is a matter of one connection, and batches share connections",
	"unwatch": "what is watched is a matter of one connection, and batches share connections",

	"subscribe":    subscribeReason,
	"unsubscribe":  subscribeReason,
	"psubscribe":   subscribeReason,
	"punsubscribe": subscribeReason,
	"ssubscribe":   subscribeReason,
	"sunsubscribe": subscribeReason,

	"monitor":  streamReason,
	"sync":     streamReason,
	"psync":    streamReason,
	"replconf": streamReason,
	// The node that imports slots from another makes its connection a replication stream so.
	"cluster syncslots": streamReason,

	"auth":      sessionReason,
	"hello":     sessionReason,
	"readonly":  sessionReason,
	"readwrite": sessionReason,
	"asking":    sessionReason,
	// The scripts that follow on the connection would run in the debugger.
	"script debug": sessionReason,

	"reset": closeReason,
	"quit":  closeReason,
}

// harmlessClient are the subcommands of CLIENT that leave their own connection as it is. All
// others are refused, those of newer servers too, as CLIENT is where commands that change
// the connection (REPLY, TRACKING, NO-EVICT, SETNAME, CAPA, ...) are added.
var harmlessClient = map[string]bool{
	"getname":      true,
	"getredir":     true,
	"help":         true,
	"id":           true,
	"info":         true,
	"kill":         true,
	"list":         true,
	"pause":        true,
	"trackinginfo": true,
	"unblock":      true,
	"unpause":      true,
}

// refusalOf returns why the command of that name is refused, or "".
func refusalOf(name string) string {
	if reason, ok := refusals[name]; ok {
		return name + " is refused: " + reason
	}
	if name == "client" {
		return "client with this subcommand is refused: it is not known to leave alone a connection that other callers' batches share"
	}
	if sub, ok := strings.CutPrefix(name, "client "); ok && !harmlessClient[sub] {
		return name + " is refused: " + sessionReason
	}
	return ""
}

// Refused reports whether the command would break a connection that it shares with other
// batches, with the reason in a sentence for the caller. It holds whatever the operator's
// policy says, and whatever the arguments are.
func (c *Info) Refused() (reason string, refused bool) {
	if c == nil {
		return "", false
	}
	return c.refusal, c.refusal != ""
}
