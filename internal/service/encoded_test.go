package service

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// pool counts the buffers that are given back, and spoils them.
type pool struct{ back int }

func (p *pool) Get(n int) *[]byte { b := make([]byte, n); return &b }

func (p *pool) Put(b *[]byte) {
	p.back++
	clear(*b)
}

// message is bytes in a buffer of p, as gRPC hands them to a codec.
func (p *pool) message(encoded []byte) mem.BufferSlice {
	b := p.Get(max(len(encoded), 2<<10)) // below a size of its own, mem does not count references
	*b = append((*b)[:0], encoded...)
	return mem.BufferSlice{mem.NewBuffer(b, p)}
}

// call calls the method as gRPC does: its handler, with the codec on the message's bytes.
func call(s Handler, data mem.BufferSlice, interceptor grpc.UnaryServerInterceptor) (any, error) {
	defer data.Free()
	return describe(nil).Methods[0].Handler(s, context.Background(),
		func(v any) error { return wire.Codec().Unmarshal(data, v) }, interceptor)
}

// TestBytesAreGivenBack checks that a message's buffer is given back once, however the call
// ends, and not before the executor is done with it.
func TestBytesAreGivenBack(t *testing.T) {
	good, err := proto.Marshal(pipeline(binaryCommand("SET", "k", strings.Repeat("v", 3000)), textCommand("GET", "k")))
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		return nil, status.Error(codes.PermissionDenied, "no")
	}
	pass := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(ctx, req)
	}
	for name, test := range map[string]struct {
		encoded     []byte
		interceptor grpc.UnaryServerInterceptor
		code        codes.Code
	}{
		"carried out":        {good, nil, codes.OK},
		"intercepted":        {good, pass, codes.OK},
		"refused on the way": {good, refuse, codes.PermissionDenied},
		"over a limit":       {in(1, repeat(3000, 2<<3|2, 0)), pass, codes.ResourceExhausted},
		"malformed":          {good[:len(good)-1], pass, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			r, p := &recorder{}, &pool{}
			answer, err := call(New(Config{Executor: r, Limits: Limits{Commands: 100}}), p.message(test.encoded), test.interceptor)
			if status.Code(err) != test.code {
				t.Errorf("got %v", err)
			}
			if p.back != 1 {
				t.Errorf("the buffer was given back %d times", p.back)
			}
			if err != nil {
				return
			}
			if r.calls != 1 || string(r.batch.Commands[0][2]) != strings.Repeat("v", 3000) {
				t.Error("the executor got something else")
			}
			if out, err := decoded(answer); err != nil || len(out.GetResults()) != 2 {
				t.Errorf("got %v, %v", out, err)
			}
		})
	}
}

// keeper is an Executor that says of every batch that a connection may still read its arguments.
type keeper struct{}

func (keeper) Execute(_ context.Context, b executor.Batch, _ options.Options) (*executor.Results, error) {
	b.Owner.Keep()
	return nil, &executor.DeadlineError{Total: len(b.Commands)}
}

// TestHeldBytesAreKept checks that bytes which may still be read are given to nobody else.
func TestHeldBytesAreKept(t *testing.T) {
	good, err := proto.Marshal(pipeline(textCommand("PING")))
	if err != nil {
		t.Fatal(err)
	}
	p := &pool{}
	if _, err := call(New(Config{Executor: keeper{}}), p.message(good), nil); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	if p.back != 0 {
		t.Error("the buffer was given back")
	}
}

// TestReplacedResponse checks that a response that an interceptor withholds is given up.
func TestReplacedResponse(t *testing.T) {
	good, err := proto.Marshal(pipeline(textCommand("PING")))
	if err != nil {
		t.Fatal(err)
	}
	withhold := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if _, err := handler(ctx, req); err != nil {
			return nil, err
		}
		return nil, status.Error(codes.PermissionDenied, "no")
	}
	p := &pool{}
	if _, err := call(New(Config{Executor: &recorder{}}), p.message(good), withhold); status.Code(err) != codes.PermissionDenied || p.back != 1 {
		t.Errorf("got %v, the buffer was given back %d times", err, p.back)
	}
}

func TestMalformed(t *testing.T) {
	badText := in(1, append(in(2, in(2, []byte("PING"))), in(2, append(in(2, []byte("SET")), in(2, []byte("\xff"))...))...))
	for name, test := range map[string]struct {
		encoded []byte
		reason  string
		field   string
	}{
		"no message":        {[]byte("\xff\xff"), wire.ReasonMalformed, ""},
		"truncated":         {[]byte{1<<3 | 2, 5, 0}, wire.ReasonMalformed, ""},
		"truncated batch":   {in(1, []byte{2<<3 | 2, 5}), wire.ReasonMalformed, "batch"},
		"truncated command": {in(1, append(in(2, nil), in(2, []byte{10, 5})...)), wire.ReasonMalformed, "batch.commands[1]"},
		"truncated options": {in(4, []byte{10, 5}), wire.ReasonMalformed, "cluster_options"},
		"text":              {badText, wire.ReasonInvalidText, "batch.commands[1].text_args[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			s := New(Config{Executor: r})
			_, err := executeEncoded(s, test.encoded)
			st, _ := status.FromError(err)
			d := detailsOf(t, st)
			field := ""
			if v := d.bad.GetFieldViolations(); len(v) == 1 {
				field = v[0].GetField()
			}
			if st.Code() != codes.InvalidArgument || d.info.GetReason() != test.reason || field != test.field {
				t.Errorf("got %v %s of %q: %s", st.Code(), d.info.GetReason(), field, st.Message())
			}
			if strings.Contains(st.Message(), "\u00a0") {
				t.Errorf("%q", st.Message())
			}
			if batches, bytes := s.InFlight(); r.calls != 0 || batches != 0 || bytes != 0 {
				t.Errorf("%d calls; in flight %d batches, %d bytes", r.calls, batches, bytes)
			}
		})
	}
}

// TestDescription holds the description to the generated one.
func TestDescription(t *testing.T) {
	names := func(d grpc.ServiceDesc) (out []string) {
		for _, m := range d.Methods {
			out = append(out, m.MethodName)
		}
		for _, s := range d.Streams {
			out = append(out, s.StreamName)
		}
		return append(out, d.ServiceName, fmt.Sprint(d.Metadata))
	}
	if diff := cmp.Diff(names(valkeybatchv1.BatchService_ServiceDesc), names(*describe(nil))); diff != "" {
		t.Error(diff)
	}
}

// FuzzRequest checks that no bytes make the translation panic, that every refusal is a
// complete status, and that nothing stays in flight.
func FuzzRequest(f *testing.F) {
	for _, req := range []*valkeybatchv1.ExecuteBatchRequest{pipeline(textCommand("SET", "a", "b"), binaryCommand("\xff")), pipeline(), {}} {
		seed, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte("\xff"))
	f.Add(in(1, in(2, in(2, []byte("\xff")))))
	s := New(Config{Executor: &recorder{}, Limits: Limits{Commands: 100, Arguments: 200, RequestBytes: 1000}})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		req := &valkeybatchv1.ExecuteBatchRequest{}
		decodeErr := proto.Unmarshal(encoded, req)
		got, err := executeEncoded(s, encoded)
		if batches, bytes := s.InFlight(); batches != 0 || bytes != 0 {
			t.Errorf("left in flight: %d batches, %d bytes", batches, bytes)
		}
		if err != nil {
			st, _ := status.FromError(err)
			d := detailsOf(t, st)
			if undecodable := d.info.GetReason() == wire.ReasonMalformed || d.info.GetReason() == wire.ReasonInvalidText; undecodable && decodeErr == nil {
				t.Errorf("it can be decoded: %v", err)
			}
			return
		}
		if decodeErr != nil || len(got.GetResults()) != len(req.GetBatch().GetCommands()) {
			t.Errorf("%d results for %d commands, %v", len(got.GetResults()), len(req.GetBatch().GetCommands()), decodeErr)
		}
	})
}
