package httpapi

import (
	"regexp"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

const (
	// commandWeight and argumentWeight are what a command and an argument take while JSON is
	// decoded, besides the argument's bytes: as much as once they are.
	commandWeight  = 256
	argumentWeight = 64
	// otherObjects is more than the objects of a request that are no commands: the request, the
	// batch, options and what is in these.
	otherObjects = 32
)

// weigh returns what JSON takes at most while it is decoded. It refuses JSON that holds more
// objects or elements than a request within the limits can: the figures are those that it counts, before
// anything is known of what they mean.
func weigh(b []byte, limits Limits) (int64, error) {
	var objects, elements int64
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{':
			objects++
		case ',', '[':
			elements++
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	if most := int64(limits.Commands) + otherObjects; objects > most {
		return 0, &service.LimitError{Field: "batch.commands", What: "JSON objects per batch", Unit: "objects",
			Setting: service.SettingCommands, Actual: objects, Allowed: most}
	}
	// Every command begins one list and stands behind one comma; its arguments are the rest.
	if most := int64(limits.Arguments) + 2*int64(limits.Commands) + otherObjects; elements > most {
		return 0, &service.LimitError{Field: "batch.commands", What: "JSON elements per batch", Unit: "elements",
			Setting: service.SettingArguments, Actual: elements, Allowed: most}
	}
	return int64(len(b)) + objects*commandWeight + elements*argumentWeight, nil
}

// fromJSON returns the encoding of a message that JSON describes. Its error is a
// [*wire.RequestError] that repeats no values: they may be secrets.
func fromJSON(b []byte, into proto.Message) ([]byte, error) {
	if len(strings.TrimSpace(string(b[:min(len(b), 64)]))) == 0 && len(strings.TrimSpace(string(b))) == 0 {
		return nil, &wire.RequestError{Reason: wire.ReasonMalformed,
			Message: `the body is empty: send a JSON object, such as {"batch": {"commands": [{"text_args": ["PING"]}]}}`}
	}
	if err := protojson.Unmarshal(b, into); err != nil {
		return nil, jsonError(err)
	}
	encoded, err := proto.Marshal(into)
	if err != nil {
		return nil, &wire.RequestError{Reason: wire.ReasonMalformed, Message: "the request cannot be encoded: a text is not valid UTF-8"}
	}
	return encoded, nil
}

// The errors of protojson, which has no types for them: where, what, and the name of the field. What
// follows a name is a value.
var (
	unknownField = regexp.MustCompile(`^\(line (\d+:\d+)\): (unknown|duplicate) field "?([^"]{1,100}?)"?$`)
	wrongValue   = regexp.MustCompile(`(?s)^\(line (\d+:\d+)\): invalid value for (\w+) field (\w+): `)
	wrongOneof   = regexp.MustCompile(`^\(line (\d+:\d+)\): error parsing "?(\w+)"?, oneof ([\w.]+) is already set`)
	anywhere     = regexp.MustCompile(`\(line (\d+:\d+)\): (unexpected token|invalid value|exceeded max recursion depth|unexpected character|invalid UTF-8|invalid character|invalid escape code|missing)?`)
)

// jsonError says what is wrong with JSON.
func jsonError(err error) error {
	// protojson begins its errors with "proto:" and one of two kinds of space.
	text := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
	out := &wire.RequestError{Reason: wire.ReasonMalformed}
	if m := unknownField.FindStringSubmatch(text); m != nil {
		out.Field, out.Message = m[3], "the JSON has an "+m[2]+" field of this name at "+place(m[1])
		if m[2] == "duplicate" {
			out.Message = "the JSON has this field twice, the second time at " + place(m[1])
		}
		return out
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil {
		out.Field, out.Message = m[3], "the value at "+place(m[1])+" is not a valid "+m[2]+hint(m[2])
		return out
	}
	if m := wrongOneof.FindStringSubmatch(text); m != nil {
		out.Field = m[2]
		out.Message = "the field at " + place(m[1]) + " excludes another that is set already: one of " + m[3][strings.LastIndex(m[3], ".")+1:] + " is allowed"
		return out
	}
	out.Message = "the body is not the JSON of a request"
	switch m := anywhere.FindStringSubmatch(text); {
	case m != nil && m[2] == "":
		out.Message += ": it is wrong at " + place(m[1])
	case m != nil:
		out.Message += ": " + m[2] + " at " + place(m[1])
	case strings.Contains(text, "unexpected EOF"):
		out.Message += ": it ends early"
	}
	return out
}

// hint says how a value of a kind is written.
func hint(kind string) string {
	switch kind {
	case "bytes":
		return ": write base64, or use the field's text form (text_args, text_key)"
	case "string":
		return ": write it in quotes"
	}
	return ""
}

// place writes "2:17" in words.
func place(at string) string {
	line, column, _ := strings.Cut(at, ":")
	return "line " + line + ", column " + column
}
