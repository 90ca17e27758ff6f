package service

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// The most bytes of a status's parts. The message travels twice, once percent-encoded (up to
// three bytes for one) and once base64-encoded with the details; all together stay below
// 8 KiB, the cap that gRPC implementations suggest.
const (
	maxMessage       = 768
	maxDescription   = 512
	maxMetadataValue = 256
	maxMetadata      = 1280
)

// bounded returns s as valid UTF-8 of at most n bytes. What is cut off is marked.
func bounded(s string, n int) string {
	const mark = "..."
	if len(s) > n {
		cut := n - len(mark)
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
		return boundedValid(s, n-len(mark)) + mark
	}
	return boundedValid(s, n)
}

// boundedValid replaces bad bytes by one question mark each, so that the text cannot grow.
func boundedValid(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	return s[:min(len(s), n)]
}

// boundedMetadata returns the entries that fit, in the order of their keys.
func boundedMetadata(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	room := maxMetadata
	for _, key := range slices.Sorted(maps.Keys(in)) {
		value := bounded(in[key], maxMetadataValue)
		if room -= len(key) + len(value); room < 0 {
			break
		}
		out[key] = value
	}
	return out
}

// commandMetadata describes the failed command that a status is about.
func commandMetadata(index int, command string, err *executor.CommandError, failed int) map[string]string {
	metadata := map[string]string{
		"command":      command,
		"code":         err.Code,
		"outcome":      outcomeName(err.Outcome),
		"failed_count": strconv.Itoa(failed),
	}
	if index >= 0 {
		metadata["index"] = strconv.Itoa(index)
	}
	if err.Node != "" {
		metadata["node"] = err.Node
	}
	return metadata
}

// outcomeName is the contract's name of an outcome.
func outcomeName(o executor.Outcome) string { return valkeybatchv1.Outcome(o).String() }

// withIndex adds the index of the command in question, where there is one.
func withIndex(in map[string]string, index int) map[string]string {
	if index < 0 {
		return in
	}
	out := make(map[string]string, len(in)+1)
	maps.Copy(out, in)
	out["index"] = strconv.Itoa(index)
	return out
}

// fieldOf is the path of the field that an error of the executor is about, in the form that
// the caller used: the executor knows arguments only, not in which of the contract's two forms they came.
func fieldOf(batch *wire.Batch, e *executor.InvalidError) string {
	if e.Index < 0 || batch == nil || !batch.Text(e.Index) {
		return e.Field
	}
	binary := fmt.Sprintf("batch.commands[%d].args", e.Index)
	if rest, ok := strings.CutPrefix(e.Field, binary); ok && (rest == "" || rest[0] == '[') {
		return fmt.Sprintf("batch.commands[%d].text_args%s", e.Index, rest)
	}
	return e.Field
}
