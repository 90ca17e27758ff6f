package executor

import (
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/command"
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

// ownRefusals are the texts, to the letter, with which Valkey and Redis refuse for a passing
// condition to begin with a command, whatever it is.
var ownRefusals = map[string]struct{}{
	"LOADING Valkey is loading the dataset in memory":                                  {},
	"LOADING Redis is loading the dataset in memory":                                   {},
	"CLUSTERDOWN Hash slot not served":                                                 {},
	"CLUSTERDOWN The cluster is down":                                                  {},
	"CLUSTERDOWN The cluster is down and only accepts read commands":                   {},
	"TRYAGAIN Multiple keys request during rehashing of slot":                          {},
	"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": {},
	"MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.": {},
	"READONLY You can't write against a read only replica.":                                                                         {},
	"READONLY Can not run script with write flag on readonly replica":                                                               {},
}

// retriable reports whether the error of a passing condition may be followed by another try. Of
// a command that runs a caller's code only the server's own words may, since other ones come
// from the code, which may have had effects by then.
//
// Code can say the server's words to the letter as well, and is then run again. It deceives
// nobody but its own caller, who has asked for retries on that error, and duplicates nothing but
// its own effects. A READONLY that code has met and hands on is no such case: a node that is a
// replica has refused every write of that code's.
func retriable(err *CommandError, it item) bool {
	if !it.scripted() {
		return true
	}
	_, own := ownRefusals[err.Message]
	return own
}

// raisedInside reports whether an error was met by a script half way, as Valkey marks it.
func raisedInside(text string) bool { return strings.Contains(text, " script: ") }

// serverError makes an error reply the error of a command.
func serverError(f resp.Frame, it item, args [][]byte, addr string) *CommandError {
	e := &CommandError{Code: f.ErrorCode(), Message: f.ErrorText(), Outcome: Failed, Node: addr}
	switch e.Code {
	case CodeConnection, CodeTimeout, CodeReply:
		e.Code = "ERR" // no server says that, but a script can
	}
	if refused(e.Code, e.Message, it, args) {
		e.Outcome = NotExecuted
	}
	return e
}

// refused reports whether an error proves that the node did not run the command.
func refused(code, text string, it item, args [][]byte) bool {
	if it.scripted() {
		// Of a module's command only its absence from the node proves that: the server then
		// names the command, which a module that is there has no reason to.
		return it.info.Has(command.Module) && !it.info.RunsScript() &&
			strings.HasPrefix(text, "ERR unknown command '"+string(args[0])+"', with args beginning with: ")
	}
	if _, ok := refusals[code]; ok {
		return true
	}
	return strings.HasPrefix(text, "ERR wrong number of arguments for ") || strings.HasPrefix(text, "ERR unknown ")
}
