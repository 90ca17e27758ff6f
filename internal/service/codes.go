package service

import (
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/valkeybatch/valkeybatch/internal/executor"
)

// serverCodes maps the prefixes of Valkey's errors, and the executor's own codes, to status
// codes for raise_on_error. Prefixes that are not here mean that the command does not fit the
// state of its data: FAILED_PRECONDITION.
var serverCodes = map[string]codes.Code{
	"NOPERM":    codes.PermissionDenied,
	"NOAUTH":    codes.PermissionDenied,
	"WRONGPASS": codes.PermissionDenied,

	"OOM": codes.ResourceExhausted,

	"CROSSSLOT": codes.InvalidArgument,

	"NOSCRIPT": codes.NotFound,

	// Conditions that pass. Others of the batch may have run, so the batch as a whole must not
	// be retried blindly: ABORTED, unless certainly nothing ran (see codeOf).
	"TRYAGAIN":              codes.Aborted,
	"CLUSTERDOWN":           codes.Aborted,
	"LOADING":               codes.Aborted,
	"MASTERDOWN":            codes.Aborted,
	"READONLY":              codes.Aborted,
	"BUSY":                  codes.Aborted,
	"MOVED":                 codes.Aborted,
	"ASK":                   codes.Aborted,
	executor.CodeConnection: codes.Aborted,
	executor.CodeTimeout:    codes.Aborted,

	// Nodes that disagree on the shape of a reply are a defect somewhere.
	executor.CodeReply: codes.Internal,
}

// badRequestTexts are how Valkey words errors with the plain prefix ERR that say that the
// command itself is wrong, whatever data it meets.
var badRequestTexts = []string{
	"ERR syntax error",
	"ERR wrong number of arguments",
	"ERR unknown command",
	"ERR unknown subcommand",
}

// codeOf is the status code that a command's error gives a batch with raise_on_error.
// UNAVAILABLE is for batches of which certainly nothing ran: callers and proxies repeat it blindly.
func codeOf(err *executor.CommandError, nothingRan bool) codes.Code {
	if err.Code == "ERR" {
		for _, text := range badRequestTexts {
			if strings.HasPrefix(err.Message, text) {
				return codes.InvalidArgument
			}
		}
	}
	code, ok := serverCodes[err.Code]
	switch {
	case !ok:
		return codes.FailedPrecondition
	case code == codes.Aborted && nothingRan:
		return codes.Unavailable
	default:
		return code
	}
}
