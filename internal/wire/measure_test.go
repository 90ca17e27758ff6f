package wire

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// encode is the generated code's encoding.
func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lengthDelimited appends a field with its tag.
func lengthDelimited(b []byte, num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), value)
}

// sample holds every kind of field.
func sample() *valkeybatchv1.ExecuteBatchRequest {
	return &valkeybatchv1.ExecuteBatchRequest{
		RaiseOnError: true,
		Batch: &valkeybatchv1.Batch{IsAtomic: true, Commands: []*valkeybatchv1.Command{
			{Args: [][]byte{[]byte("SET"), []byte("\xff\x00"), {}}},
			{TextArgs: []string{"GET", "grüß"}},
			{},
			{Args: [][]byte{[]byte("a")}, TextArgs: []string{"a", "longest of all"}},
		}},
		Options: &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &valkeybatchv1.ClusterBatchOptions{
			Timeout: durationpb.New(1), Route: &valkeybatchv1.Route{Kind: &valkeybatchv1.Route_SlotKey{
				SlotKey: &valkeybatchv1.SlotKeyRoute{TextKey: "k"}}}}},
	}
}

func TestMeasure(t *testing.T) {
	req := sample()
	got, err := Measure(encode(t, req))
	if err != nil {
		t.Fatal(err)
	}
	want := Size{
		Atomic:   true,
		Commands: 4, Arguments: 8,
		ArgumentBytes: 3 + 2 + 0 + 3 + 6 + 1 + 1 + 14,
		CommandBytes:  int64(proto.Size(&valkeybatchv1.Batch{Commands: req.GetBatch().GetCommands()})),
		OtherBytes:    int64(2 + proto.Size(&valkeybatchv1.ExecuteBatchRequest{RaiseOnError: true, Options: req.GetOptions()})),
		Longest:       Argument{Command: 3, Index: 1, Text: true, Bytes: 14},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if field := got.Longest.Field(); field != "batch.commands[3].text_args[1]" {
		t.Errorf("field %q", field)
	}
	if got, err := Measure(nil); err != nil || got != (Size{}) {
		t.Errorf("an empty message: %+v, %v", got, err)
	}
}

func TestMalformed(t *testing.T) {
	good := encode(t, sample())
	badCommand := lengthDelimited(lengthDelimited(nil, batchCommands, nil), batchCommands, []byte{0x0a, 5, 'x'})
	for name, test := range map[string]struct {
		b     []byte
		field string
		err   error
	}{
		"truncated":                {good[:len(good)-1], "", errTruncated},
		"a tag alone":              {[]byte{0x0a}, "", errTruncated},
		"field number zero":        {[]byte{0x02, 0}, "", errEncoding},
		"field number too large":   {protowire.AppendVarint(nil, uint64(protowire.MaxValidNumber+1)<<3), "", errEncoding},
		"reserved type":            {[]byte{0x0f}, "", errEncoding},
		"an end without its group": {[]byte{0x0c}, "", errEncoding},
		"groups crossed":           {[]byte{0x2b, 0x33, 0x2c, 0x34}, "", errEncoding},
		"an endless varint":        {bytes.Repeat([]byte{0xff}, 11), "", errEncoding},
		"within batch":             {lengthDelimited(nil, requestBatch, []byte{0x12, 5}), "batch", errTruncated},
		"within a command":         {lengthDelimited(nil, requestBatch, badCommand), "batch.commands[1]", errTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Measure(test.b)
			var wrong *RequestError
			if !errors.As(err, &wrong) || wrong.Field != test.field || wrong.Reason != ReasonMalformed || !strings.Contains(wrong.Message, test.err.Error()) {
				t.Errorf("got %v, want %q: %v", err, test.field, test.err)
			}
			check(t, test.b)
		})
	}
}

func TestMeasureAllocatesNothing(t *testing.T) {
	b := encode(t, sample())
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Measure(b); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// check holds Measure to the generated code: it accepts all that the generated code accepts,
// and counts what the generated code finds.
func check(t *testing.T, b []byte) {
	t.Helper()
	checkDecode(t, b)
	got, err := Measure(b)
	req := &valkeybatchv1.ExecuteBatchRequest{}
	if decodeErr := proto.Unmarshal(b, req); decodeErr != nil {
		return
	}
	if err != nil {
		t.Fatalf("%x: %v, but it can be decoded", b, err)
	}
	want := Size{Atomic: req.GetBatch().GetIsAtomic()}
	for i, command := range req.GetBatch().GetCommands() {
		want.Arguments += len(command.GetArgs()) + len(command.GetTextArgs())
		for _, arg := range command.GetArgs() {
			want.ArgumentBytes += int64(len(arg))
			want.Longest.Bytes = max(want.Longest.Bytes, len(arg))
		}
		for _, arg := range command.GetTextArgs() {
			want.ArgumentBytes += int64(len(arg))
			want.Longest.Bytes = max(want.Longest.Bytes, len(arg))
		}
		want.Commands = i + 1
	}
	if got.Atomic != want.Atomic || got.Commands != want.Commands || got.Arguments != want.Arguments || got.ArgumentBytes != want.ArgumentBytes ||
		got.Longest.Bytes != want.Longest.Bytes {
		t.Errorf("%x: measured %+v, decoded %+v", b, got, want)
	}
	if longest := got.Longest; longest.Bytes > 0 {
		command := req.GetBatch().GetCommands()[longest.Command]
		var n int
		if longest.Text {
			n = len(command.GetTextArgs()[longest.Index])
		} else {
			n = len(command.GetArgs()[longest.Index])
		}
		if n != longest.Bytes {
			t.Errorf("%x: %s has %d bytes, not %d", b, longest.Field(), n, longest.Bytes)
		}
	}
	if got.CommandBytes+got.OtherBytes > int64(len(b)) {
		t.Errorf("%x: %+v of %d bytes", b, got, len(b))
	}
	// In the generated code's own encoding the commands take what the contract's size says.
	req.ProtoReflect().SetUnknown(nil)
	again, err := Measure(encode(t, req))
	if err != nil {
		t.Fatal(err)
	}
	if size := int64(proto.Size(&valkeybatchv1.Batch{Commands: req.GetBatch().GetCommands()})); again.CommandBytes != size {
		t.Errorf("%x: commands take %d bytes, measured %d", b, size, again.CommandBytes)
	}
}

// TestRandomRequests holds Measure to the generated code on what fuzzing finds slowly: requests
// in pieces, with unknown fields and groups between, whole and damaged.
func TestRandomRequests(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 600 {
		b := randomRequest(r)
		check(t, b)
		if len(b) > 0 {
			damaged := bytes.Clone(b)
			damaged[r.IntN(len(b))] = byte(r.Uint32())
			check(t, damaged)
			check(t, b[:r.IntN(len(b))])
		}
	}
}

// randomRequest is an encoded request, most often a well-formed one.
func randomRequest(r *rand.Rand) []byte {
	repeat := func(most int, piece func([]byte) []byte) []byte {
		b := []byte{}
		for range r.IntN(most) {
			b = piece(b)
		}
		return b
	}
	value := func() []byte { return bytes.Repeat([]byte("v"), r.IntN(150)) }
	var odd func(b []byte, depth int) []byte
	odd = func(b []byte, depth int) []byte {
		num := protowire.Number(1 + r.IntN(20))
		switch r.IntN(5) {
		case 0:
			return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), r.Uint64())
		case 1:
			return protowire.AppendFixed32(protowire.AppendTag(b, num, protowire.Fixed32Type), r.Uint32())
		case 2:
			return protowire.AppendFixed64(protowire.AppendTag(b, num, protowire.Fixed64Type), r.Uint64())
		case 3:
			return lengthDelimited(b, num+20, value())
		default:
			b = protowire.AppendTag(b, num, protowire.StartGroupType)
			if depth > 0 {
				b = odd(b, depth-1)
			}
			return protowire.AppendTag(b, num, protowire.EndGroupType)
		}
	}
	field := func(num protowire.Number, inner func() []byte) func([]byte) []byte {
		return func(b []byte) []byte {
			if r.IntN(8) == 0 {
				return odd(b, 3)
			}
			return lengthDelimited(b, num, inner())
		}
	}
	argument := func(b []byte) []byte { return field(protowire.Number(1+r.IntN(2)), value)(b) }
	command := func() []byte { return repeat(5, argument) }
	flag := func(b []byte) []byte { return protowire.AppendVarint(append(b, 1<<3), uint64(r.IntN(3))) }
	batch := func() []byte {
		return repeat(5, func(b []byte) []byte {
			if r.IntN(6) == 0 {
				return flag(b)
			}
			return field(batchCommands, command)(b)
		})
	}
	// Messages of the options: of each, a few of its fields, in any order and any number.
	var options func(depth int) []byte
	options = func(depth int) []byte {
		return repeat(5, func(b []byte) []byte {
			num := protowire.Number(1 + r.IntN(4))
			switch {
			case depth == 0 || r.IntN(3) == 0:
				return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), r.Uint64()>>r.IntN(64))
			case r.IntN(4) == 0:
				return lengthDelimited(b, num, value())
			case r.IntN(8) == 0:
				return odd(b, 2)
			}
			return lengthDelimited(b, num, options(depth-1))
		})
	}
	return repeat(6, func(b []byte) []byte {
		switch r.IntN(5) {
		case 0:
			return protowire.AppendVarint(append(b, byte(requestRaise)<<3), uint64(r.IntN(3)))
		case 1, 2:
			return lengthDelimited(b, protowire.Number(3+r.IntN(2)), options(3))
		}
		return field(requestBatch, batch)(b)
	})
}

// FuzzMeasure holds Measure to the generated code on any bytes.
func FuzzMeasure(f *testing.F) {
	f.Add([]byte{})
	f.Add(encode(f, sample()))
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		f.Add(randomRequest(r))
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}

// BenchmarkMeasure measures a batch of 1,000 commands of three arguments.
func BenchmarkMeasure(b *testing.B) {
	req := &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{}}
	for range 1000 {
		req.Batch.Commands = append(req.Batch.Commands, &valkeybatchv1.Command{
			Args: [][]byte{[]byte("SET"), []byte("key:000000000000"), bytes.Repeat([]byte("x"), 64)}})
	}
	wire := encode(b, req)
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		if _, err := Measure(wire); err != nil {
			b.Fatal(err)
		}
	}
}
