package service

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// measured is the size of a request.
func measured(t *testing.T, req *valkeybatchv1.ExecuteBatchRequest) wire.Size {
	t.Helper()
	encoded, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	size, err := wire.Measure(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// allocated is how many bytes do allocates.
func allocated(do func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestLimitsOnBothSides checks each limit at its figure and one above.
func TestLimitsOnBothSides(t *testing.T) {
	req := pipeline(textCommand("PING"), binaryCommand("SET", "", strings.Repeat("x", 127)),
		binaryCommand("SET", "k", strings.Repeat("x", 128)), textCommand("GET", strings.Repeat("y", 20_000)))
	bytes := int64(proto.Size(req.GetBatch()))
	exact := Limits{Commands: 4, Arguments: 9, RequestBytes: bytes}
	if err := exact.check(measured(t, req)); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	for what, test := range map[string]struct {
		limits Limits
		want   LimitError
	}{
		"commands": {Limits{Commands: 3, Arguments: 9, RequestBytes: bytes},
			LimitError{Field: "batch.commands", What: "commands per batch", Unit: "commands", Setting: SettingCommands, Actual: 4, Allowed: 3}},
		"arguments": {Limits{Commands: 4, Arguments: 8, RequestBytes: bytes},
			LimitError{Field: "batch.commands", What: "arguments per batch", Unit: "arguments", Setting: SettingArguments, Actual: 9, Allowed: 8}},
		"bytes": {Limits{Commands: 4, Arguments: 9, RequestBytes: bytes - 1},
			LimitError{Field: "batch", What: "request bytes", Unit: "bytes", Setting: SettingRequestBytes, Actual: bytes, Allowed: bytes - 1}},
	} {
		var got *LimitError
		if err := test.limits.check(measured(t, req)); !errors.As(err, &got) || *got != test.want {
			t.Errorf("%s: got %v", what, err)
		}
	}
	defaults := Limits{}.withDefaults()
	longest := wire.Argument{Command: 2, Index: 1, Text: true, Bytes: MaxArgumentBytes}
	if err := defaults.check(wire.Size{Longest: longest, OtherBytes: MaxOtherBytes}); err != nil {
		t.Errorf("at the fixed limits: %v", err)
	}
	longest.Bytes++
	var limit *LimitError
	if err := defaults.check(wire.Size{Longest: longest}); !errors.As(err, &limit) || limit.Field != "batch.commands[2].text_args[1]" ||
		limit.Actual != MaxArgumentBytes+1 || limit.Allowed != MaxArgumentBytes {
		t.Errorf("an argument: got %v", err)
	}
	if err := defaults.check(wire.Size{OtherBytes: MaxOtherBytes + 1}); !errors.As(err, &limit) || limit.Actual != MaxOtherBytes+1 {
		t.Errorf("options: got %v", err)
	}
}

// repeat is a message of about n bytes that holds a piece over and over.
func repeat(n int, piece ...byte) []byte {
	b := make([]byte, 0, n)
	for len(b)+len(piece) <= n {
		b = append(b, piece...)
	}
	return b
}

// in is a message with one field.
func in(num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), value)
}

// TestRefusedWithoutDecoding sends what takes little room on the wire and much in memory: the
// refusal names the figures and costs nothing.
func TestRefusedWithoutDecoding(t *testing.T) {
	const size = 4 << 20
	commands := in(1, repeat(size, 2<<3|2, 0))
	for name, test := range map[string]struct {
		encoded []byte
		code    codes.Code
		says    []string
	}{
		"empty commands":                 {commands, codes.ResourceExhausted, []string{"2097152", "250000", SettingCommands}},
		"empty commands, then malformed": {append(commands[:len(commands):len(commands)], 7), codes.InvalidArgument, []string{"decoded"}},
		"empty arguments": {in(1, in(2, repeat(3*size, 1<<3|2, 0))), codes.ResourceExhausted,
			[]string{"6291456", "4000000", SettingArguments}},
		"options by turns": {repeat(size, 3<<3|2, 0, 4<<3|2, 0), codes.ResourceExhausted, []string{"4194304", "65536"}},
		"unknown fields":   {repeat(size, 9<<3, 1), codes.ResourceExhausted, []string{"4194304", "65536"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			s := New(Config{Executor: r})
			var err error
			spent := allocated(func() { _, err = executeEncoded(s, test.encoded) })
			st, _ := status.FromError(err)
			detailsOf(t, st)
			if st.Code() != test.code {
				t.Errorf("got %v", st)
			}
			for _, part := range test.says {
				if !strings.Contains(st.Message(), part) {
					t.Errorf("%q does not say %q", st.Message(), part)
				}
			}
			if spent > 1<<20 {
				t.Errorf("%d bytes were allocated", spent)
			}
			if batches, bytes := s.InFlight(); r.calls != 0 || batches != 0 || bytes != 0 {
				t.Errorf("%d calls; in flight %d batches, %d bytes", r.calls, batches, bytes)
			}
		})
	}
}

// TestWeight holds what a batch counts as to what decoding it allocates, for batches of every
// shape. Slices that grow are allocated several times over, so that all of it together is more
// than what remains.
func TestWeight(t *testing.T) {
	limits := Limits{InFlightBytes: 1 << 40}.withDefaults()
	for name, encoded := range map[string][]byte{
		"empty commands":  in(1, repeat(200_000, 2<<3|2, 0)),
		"short commands":  in(1, repeat(500_000, 2<<3|2, 3, 1<<3|2, 1, 'x')),
		"five arguments":  in(1, repeat(500_000, 2<<3|2, 15, 10, 1, 'x', 10, 1, 'x', 10, 1, 'x', 10, 1, 'x', 10, 1, 'x')),
		"as text":         in(1, repeat(500_000, 2<<3|2, 9, 18, 1, 'x', 18, 1, 'x', 18, 1, 'x')),
		"empty arguments": in(1, in(2, repeat(1_000_000, 1<<3|2, 0))),
		"long arguments":  in(1, in(2, repeat(1_000_000, append([]byte{1<<3 | 2, 100}, make([]byte, 100)...)...))),
		"one argument":    in(1, in(2, in(1, make([]byte, 4<<20)))),
	} {
		t.Run(name, func(t *testing.T) {
			req := wire.NewRequest(encoded)
			defer req.Release()
			size, err := req.Measure()
			if err != nil {
				t.Fatal(err)
			}
			weight := limits.weight(size)
			spent := allocated(func() {
				if _, err := req.Decode(); err != nil {
					t.Error(err)
				}
			})
			if spent > 5*weight/2 {
				t.Errorf("%d bytes were allocated, the request counts as %d", spent, weight)
			}
			if weight < size.CommandBytes {
				t.Errorf("it counts as %d, less than its %d bytes", weight, size.CommandBytes)
			}
		})
	}
}

// TestWeightIsBounded: what is within the limits of one request is admitted when it is alone.
func TestWeightIsBounded(t *testing.T) {
	s := New(Config{Executor: &recorder{}, Limits: Limits{RequestBytes: 1024, InFlightBytes: 1024}})
	req := pipeline()
	for range 100 {
		req.Batch.Commands = append(req.Batch.Commands, textCommand("PING"))
	}
	if _, err := execute(s, req); err != nil {
		t.Error(err)
	}
}
