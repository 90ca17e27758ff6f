package executor

import (
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// verdict is what an error reply asks of the caller's client.
type verdict uint8

const (
	// final: the error is the command's result.
	final verdict = iota
	// redirected: the command belongs to another node.
	redirected
	// passing: the condition passes; the command was refused and may be sent again
	// (TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN, READONLY).
	passing
)

// refusals are the codes with which a node refuses a command before running it. None of
// them proves that of a script, which may run commands that earn them half way.
var refusals = map[string]struct{}{
	"MOVED": {}, "ASK": {}, "TRYAGAIN": {}, "CLUSTERDOWN": {}, "CROSSSLOT": {},
	"LOADING": {}, "MASTERDOWN": {}, "READONLY": {}, "NOREPLICAS": {}, "MISCONF": {},
	"OOM": {}, "NOPERM": {}, "NOAUTH": {}, "EXECABORT": {}, "BUSY": {}, "NOSCRIPT": {},
}

// classify reads an error reply's code.
func classify(code string) verdict {
	switch code {
	case "MOVED", "ASK":
		return redirected
	case "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY":
		return passing
	}
	return final
}

// raisedInside reports whether an error was met by a script half way, as Valkey marks it:
// the script may have had effects, so it is not simply run again.
func raisedInside(text string) bool { return strings.Contains(text, " script: ") }

// serverError makes an error reply the error of a command.
func serverError(f resp.Frame, it item, addr string) *CommandError {
	e := &CommandError{Code: f.ErrorCode(), Message: f.ErrorText(), Outcome: Failed, Node: addr}
	if refused(e.Code, e.Message, it) {
		e.Outcome = NotExecuted
	}
	return e
}

// refused reports whether an error proves that the node did not run the command.
func refused(code, text string, it item) bool {
	if it.scripted() {
		return false
	}
	if _, ok := refusals[code]; ok {
		return true
	}
	return strings.HasPrefix(text, "ERR wrong number of arguments for ") || strings.HasPrefix(text, "ERR unknown ")
}
