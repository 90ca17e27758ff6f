package wire

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// checkDecode holds Decode to the generated code: the two accept the same bytes and find the
// same in them.
func checkDecode(t *testing.T, b []byte) {
	t.Helper()
	before := bytes.Clone(b)
	r := NewRequest(b)
	defer r.Release()
	got, err := r.Decode()
	req := &valkeybatchv1.ExecuteBatchRequest{}
	if wantErr := proto.Unmarshal(b, req); (wantErr == nil) != (err == nil) {
		t.Fatalf("%x: got %v, the generated code says %v", b, err, wantErr)
	}
	if err != nil {
		var wrong *RequestError
		if !errors.As(err, &wrong) || (wrong.Reason != ReasonMalformed && wrong.Reason != ReasonInvalidText) {
			t.Fatalf("%x: got %v", b, err)
		}
		return
	}
	var commands [][][]byte
	wrong := -1
	for i, command := range req.GetBatch().GetCommands() {
		args := slices.Clone(command.GetArgs())
		for _, text := range command.GetTextArgs() {
			args = append(args, []byte(text))
		}
		both := len(command.GetArgs()) > 0 && len(command.GetTextArgs()) > 0
		if wrong < 0 && (both || len(args) == 0 || len(args[0]) == 0) {
			wrong = i
		}
		if both {
			args = got.Commands[i] // in the order in which they came
		}
		commands = append(commands, args)
		if got.Text(i) != (len(command.GetTextArgs()) > 0) {
			t.Errorf("%x: command %d: text %v", b, i, got.Text(i))
		}
	}
	if diff := cmp.Diff(commands, got.Commands, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%x: %s", b, diff)
	}
	if diff := cmp.Diff(oracleOptions(req), got.Options, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%x: %s", b, diff)
	}
	switch {
	case wrong < 0 && got.FormError != nil:
		t.Errorf("%x: got %v", b, got.FormError)
	case wrong >= 0 && (got.FormError == nil || !strings.HasPrefix(got.FormError.Field, commandField(wrong))):
		t.Errorf("%x: got %v, command %d is wrong", b, got.FormError, wrong)
	}
	if !bytes.Equal(b, before) {
		t.Error("the bytes were changed")
	}
}

func TestDecodeMerges(t *testing.T) {
	raise := []byte{byte(requestRaise) << 3, 1}
	seconds := func(n uint64) []byte { return protowire.AppendVarint([]byte{byte(durationSeconds) << 3}, n) }
	nanos := func(n uint64) []byte { return protowire.AppendVarint([]byte{byte(durationNanos) << 3}, n) }
	cluster := func(b []byte) []byte { return lengthDelimited(nil, requestCluster, b) }
	route := func(b []byte) []byte { return cluster(lengthDelimited(nil, clusterRoute, b)) }
	for name, pieces := range map[string][][]byte{
		"a flag twice":          {raise, {byte(requestRaise) << 3, 0}},
		"a flag as bytes":       {lengthDelimited(nil, requestRaise, []byte("x"))},
		"a flag as large":       {protowire.AppendVarint([]byte{byte(requestRaise) << 3}, 1<<63)},
		"timeout in pieces":     {cluster(lengthDelimited(nil, clusterTimeout, seconds(3))), cluster(lengthDelimited(nil, clusterTimeout, nanos(5)))},
		"nanos cut to 32 bits":  {cluster(lengthDelimited(nil, clusterTimeout, nanos(1<<40+7)))},
		"the other member":      {cluster(lengthDelimited(nil, clusterTimeout, seconds(3))), lengthDelimited(nil, requestStandalone, nil), cluster(nil)},
		"route merged":          {route(lengthDelimited(nil, routeSlotKey, lengthDelimited(nil, slotKeyKey, []byte("a")))), route(lengthDelimited(nil, routeSlotKey, lengthDelimited(nil, slotKeyText, []byte("b"))))},
		"route replaced":        {route(lengthDelimited(nil, routeSlotKey, lengthDelimited(nil, slotKeyKey, []byte("a")))), route(lengthDelimited(nil, routeRandom, nil)), route(lengthDelimited(nil, routeSlotKey, nil))},
		"replaced and bad":      {route(lengthDelimited(nil, routeRandom, []byte{0xff})), route(lengthDelimited(nil, routeSlotID, nil))},
		"bad text, replaced":    {route(lengthDelimited(nil, routeByAddress, lengthDelimited(nil, addressHost, []byte{0xff}))), route(lengthDelimited(nil, routeRandom, nil))},
		"bad text overwritten":  {route(lengthDelimited(nil, routeSlotKey, append(lengthDelimited(nil, slotKeyText, []byte{0xff}), lengthDelimited(nil, slotKeyText, []byte("x"))...)))},
		"batch in pieces":       {encode(t, sample()), raise, encode(t, sample())},
		"negative slot type":    {route(lengthDelimited(nil, routeSlotID, protowire.AppendVarint([]byte{byte(slotIDType) << 3}, ^uint64(0))))},
		"a group in its place":  {{byte(requestCluster)<<3 | 3, byte(requestCluster)<<3 | 4}},
		"a long form of length": {{byte(requestBatch)<<3 | 2, 0x80, 0x80, 0x00}},
		"a long form of tag":    {{byte(requestRaise)<<3 | 0x80, 0x00, 1}},
	} {
		t.Run(name, func(t *testing.T) { checkDecode(t, bytes.Join(pieces, nil)) })
	}
}

func TestDecodeNamesTheField(t *testing.T) {
	inRoute := func(b []byte) []byte {
		return lengthDelimited(nil, requestCluster, lengthDelimited(nil, clusterRoute, b))
	}
	for name, test := range map[string]struct {
		b      []byte
		reason string
		field  string
	}{
		"text": {lengthDelimited(nil, requestBatch, append(lengthDelimited(nil, batchCommands, nil), lengthDelimited(nil, batchCommands,
			append(lengthDelimited(nil, commandText, []byte("SET")), lengthDelimited(nil, commandText, []byte("\xff"))...))...)),
			ReasonInvalidText, "batch.commands[1].text_args[1]"},
		"text key": {inRoute(lengthDelimited(nil, routeSlotKey, lengthDelimited(nil, slotKeyText, []byte("\xff")))),
			ReasonInvalidText, "cluster_options.route.slot_key.text_key"},
		"host": {inRoute(lengthDelimited(nil, routeByAddress, lengthDelimited(nil, addressHost, []byte("\xff")))),
			ReasonInvalidText, "cluster_options.route.by_address.host"},
		"standalone": {lengthDelimited(nil, requestStandalone, []byte{0xff}), ReasonMalformed, "standalone_options"},
		"timeout": {lengthDelimited(nil, requestStandalone, lengthDelimited(nil, standaloneTimeout, []byte{0xff})),
			ReasonMalformed, "standalone_options.timeout"},
		"retry": {lengthDelimited(nil, requestCluster, lengthDelimited(nil, clusterRetry, []byte{8})),
			ReasonMalformed, "cluster_options.retry_strategy"},
		"random": {inRoute(lengthDelimited(nil, routeRandom, []byte{8})), ReasonMalformed, "cluster_options.route.random"},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRequest(test.b)
			defer r.Release()
			_, err := r.Decode()
			var wrong *RequestError
			if !errors.As(err, &wrong) || wrong.Reason != test.reason || wrong.Field != test.field {
				t.Errorf("got %v", err)
			}
			checkDecode(t, test.b)
		})
	}
}

// TestRequestIsReused checks that nothing of one request shows in another that gets its memory.
func TestRequestIsReused(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 60 {
		large := sample()
		for range r.IntN(200) {
			large.Batch.Commands = append(large.Batch.Commands, &valkeybatchv1.Command{TextArgs: []string{"GET", "k"}})
		}
		checkDecode(t, encode(t, large))
		checkDecode(t, randomRequest(r))
	}
}

// TestSplitBuffers checks requests that arrive in pieces, as long ones do.
func TestSplitBuffers(t *testing.T) {
	encoded := encode(t, sample())
	for n := range len(encoded) {
		r := GetRequest()
		data := mem.BufferSlice{mem.SliceBuffer(encoded[:n/2]), mem.SliceBuffer(encoded[n/2 : n]), mem.SliceBuffer(encoded[n:])}
		if err := Codec().Unmarshal(data, r); err != nil {
			t.Fatal(err)
		}
		got, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Commands) != 4 || string(got.Commands[0][1]) != "\xff\x00" || string(got.Commands[1][1]) != "grüß" {
			t.Errorf("split at %d: %q", n, got.Commands)
		}
		r.Release()
	}
}

func TestStreamRequest(t *testing.T) {
	for _, want := range []*valkeybatchv1.StreamBatchesRequest{{}, {Id: 1}, {Id: ^uint64(0), Request: sample()}, {Request: &valkeybatchv1.ExecuteBatchRequest{}}} {
		checkStream(t, encode(t, want))
	}
	request := encode(t, sample())
	checkStream(t, slices.Concat(lengthDelimited(nil, streamRequestRequest, request[:10]), []byte{8, 1, 8, 2},
		lengthDelimited(nil, streamRequestRequest, request), lengthDelimited(nil, 15, request)))
	checkStream(t, slices.Concat(lengthDelimited(nil, streamRequestRequest, request), lengthDelimited(nil, streamRequestRequest, request)))
	checkStream(t, []byte{8})
	checkStream(t, []byte{streamRequestNumber, 200})
}

const streamRequestNumber = byte(streamRequestRequest)<<3 | byte(protowire.BytesType)

// checkStream holds the reading of a StreamBatchesRequest to the generated code. What is wrong
// within its request is found later and belongs to the batch alone.
func checkStream(t *testing.T, b []byte) {
	t.Helper()
	var got StreamRequest
	if err := Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &got); err != nil {
		t.Fatal(err)
	}
	defer got.Request.Release()
	want := &valkeybatchv1.StreamBatchesRequest{}
	if wantErr := proto.Unmarshal(b, want); wantErr != nil {
		if got.Err == nil {
			if _, err := got.Request.Decode(); err == nil {
				t.Errorf("%x: accepted, the generated code says %v", b, wantErr)
			}
		}
		return
	}
	if got.Err != nil || got.ID != want.GetId() {
		t.Fatalf("%x: id %d, %v; want %d", b, got.ID, got.Err, want.GetId())
	}
	req := &valkeybatchv1.ExecuteBatchRequest{}
	if err := proto.Unmarshal(got.Request.encoded, req); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	req.ProtoReflect().SetUnknown(nil)
	if want.Request == nil {
		want.Request = &valkeybatchv1.ExecuteBatchRequest{}
	}
	want.GetRequest().ProtoReflect().SetUnknown(nil)
	if !proto.Equal(req, want.GetRequest()) {
		t.Errorf("%x: got %v, want %v", b, req, want.GetRequest())
	}
}

// FuzzStreamRequest holds the reading of a StreamBatchesRequest to the generated code.
func FuzzStreamRequest(f *testing.F) {
	f.Add(encode(f, &valkeybatchv1.StreamBatchesRequest{Id: 7, Request: sample()}))
	f.Add([]byte{8, 1, 18, 0, 18, 2, 16, 1})
	f.Fuzz(func(t *testing.T, b []byte) { checkStream(t, b) })
}

// BenchmarkDecode decodes a batch of 1,000 commands of three arguments.
func BenchmarkDecode(b *testing.B) {
	req := &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{}}
	for range 1000 {
		req.Batch.Commands = append(req.Batch.Commands, &valkeybatchv1.Command{
			Args: [][]byte{[]byte("SET"), []byte("key:000000000000"), bytes.Repeat([]byte("x"), 64)}})
	}
	encoded := encode(b, req)
	b.ReportAllocs()
	b.SetBytes(int64(len(encoded)))
	for b.Loop() {
		r := NewRequest(encoded)
		if _, err := r.Decode(); err != nil {
			b.Fatal(err)
		}
		r.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/command")
}
