package attribution

import (
	"strings"
	"testing"
)

// What runs in stacks of both processes, the innermost function first.
const (
	read = "internal/runtime/syscall/linux.Syscall6 syscall.RawSyscall6 syscall.Syscall syscall.read syscall.Read " +
		"internal/poll.ignoringEINTRIO internal/poll.(*FD).Read net.(*netFD).Read net.(*conn).Read "
	alloc = "runtime.memclrNoHeapPointers runtime.mallocgcSmallScanNoHeader runtime.mallocgc runtime.newobject "
	mark  = "runtime.scanObject runtime.gcDrainN runtime.gcAssistAlloc1 runtime.gcAssistAlloc.func2 runtime.systemstack " +
		"runtime.gcAssistAlloc runtime.mallocgc runtime.growslice "
	wake      = "runtime.futex runtime.futexwakeup runtime.notewakeup runtime.startm runtime.wakep runtime.ready runtime.chansend "
	transport = "google.golang.org/grpc/internal/transport."
)

func TestServiceSamplesGoToTheInnermostOwner(t *testing.T) {
	const (
		vb   = "github.com/valkeybatch/valkeybatch/internal/"
		call = vb + "executor.(*Executor).Execute " + vb + "service.(*Service).ExecuteBatch " + vb + "server.callLog.func1 " +
			"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery.UnaryServerInterceptor.func1 " +
			"google.golang.org/grpc.(*Server).processRPC google.golang.org/grpc.(*Server).serverWorker"
		reader = vb + "node.(*reader).run " + vb + "node.(*conn).readLoop " + vb + "node.(*Pool).start.func1"
	)
	check(t, Service, []expectation{
		{"reading from Valkey", read + reader, KernelNodes},
		{"writing to Valkey below a call", read + vb + "node.(*Round).Flush " + call, KernelNodes},
		{"reading from callers", read + transport + "(*framer).readFrame " + transport + "(*http2Server).HandleStreams", KernelCalls},
		{"reading through HTTP/2's framer", read + "io.ReadFull golang.org/x/net/http2.readFrameHeader", KernelCalls},
		{"the runtime's part of a system call", "runtime.futex runtime.reentersyscall runtime.entersyscall syscall.Syscall syscall.write " + transport + "(*bufWriter).Flush", KernelCalls},
		{"a system call of nobody above", read + "main.answer main.main runtime.main", Other},
		{"decoding", vb + "wire.(*Batch).decode " + call, Protobuf},
		{"replies read for encoding", vb + "resp.Frame.Bulk " + vb + "wire.(*values).plain " + call, Nodes},
		{"scanning replies", vb + "resp.(*Scanner).Scan " + reader, Nodes},
		{"waiting for replies", "runtime.gopark internal/poll.runtime_pollWait net.(*conn).Read " + reader, Nodes},
		{"waking a call", wake + vb + "node.(*Round).nudge " + reader, Nodes},
		{"finding slots", "indexbytebody bytes.IndexByte " + vb + "slotmap.hashTag " + call, Executor},
		{"the command table", "runtime.mapaccess1_faststr " + vb + "command.(*Table).Lookup " + call, Executor},
		{"product code that owns nothing", vb + "options.Parse " + call, Executor},
		{"libraries without an owner", "time.Now github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery.UnaryServerInterceptor.func1 google.golang.org/grpc.(*Server).processRPC", GRPC},
		{"headers", "golang.org/x/net/http/httpguts.IsTokenRune golang.org/x/net/http2/hpack.(*Decoder).Write " + transport + "(*http2Server).HandleStreams", GRPC},
		{"the executor's allocations", alloc + call, Executor},
		{"gRPC's allocations", alloc + "google.golang.org/grpc.(*Server).processRPC", GRPC},
		{"collecting for an allocation", mark + vb + "wire.NewResponse " + call, Protobuf},
		{"looking for work", "internal/runtime/syscall/linux.Syscall6 internal/runtime/syscall/linux.EpollWait runtime.netpoll runtime.findRunnable runtime.schedule runtime.park_m runtime.mcall", Runtime},
		{"collecting in the background", "runtime.scanObject runtime.gcDrain runtime.gcBgMarkWorker.func2 runtime.systemstack runtime.gcBgMarkWorker", Runtime},
		{"assembly without a caller", "gogo", Runtime},
		{"writing the profile", "compress/flate.(*compressor).deflate runtime/pprof.profileWriter", Other},
		{"the benchmark's door", "github.com/valkeybatch/valkeybatch/bench/internal/proc.Self main.answer runtime.main", Other},
		{"a name that only begins like an owner's", "google.golang.org/grpcextra.Do", Other},
		{"nothing", "", Other},
	})
}

func TestClientSamplesGoToTheInnermostOwner(t *testing.T) {
	const (
		own    = "github.com/valkeybatch/valkeybatch/bench/internal/"
		caller = own + "subject.(*unaryClient).Do " + own + "client.(*caller).run " + own + "client.(*measurement).run.func1"
		gen    = "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1."
		pb     = "google.golang.org/protobuf/"
		invoke = "google.golang.org/grpc.(*ClientConn).Invoke " + gen + "(*batchServiceClient).ExecuteBatch " + caller
	)
	check(t, Client, []expectation{
		{"decoding", pb + "internal/impl.consumeMessageSliceInfo " + pb + "proto.Unmarshal google.golang.org/grpc/encoding/proto.(*codecV2).Unmarshal " + invoke, Protobuf},
		{"decoding's allocations", alloc + "reflect.New " + pb + "internal/impl.consumeMessageSliceInfo " + invoke, Protobuf},
		{"generated code below protobuf", gen + "(*Value).ProtoReflect " + pb + "proto.Unmarshal " + invoke, Protobuf},
		{"generated code below a caller", gen + "(*Value).GetKind " + own + "subject.checkResult " + caller, Benchmark},
		{"gRPC's copies", "runtime.memmove google.golang.org/grpc/mem.BufferSlice.MaterializeToBuffer " + invoke, GRPC},
		{"generic functions", "google.golang.org/grpc.(*GenericClientStream[go.shape.struct{a/b.c}]).Recv " + caller, GRPC},
		{"writing", read + transport + "(*bufWriter).Flush " + transport + "(*loopyWriter).run", KernelCalls},
		{"building requests", alloc + own + "subject.request " + caller, Benchmark},
		{"waiting for another caller", wake + "sync.(*Mutex).lockSlow " + own + "subject.(*streamCaller).Do " + caller, Benchmark},
		{"a system call of the benchmark", "syscall.Getrusage " + own + "proc.Self " + own + "client.(*measurement).measure main.main runtime.main", Benchmark},
		{"switching goroutines", "runtime.casgstatus runtime.schedule runtime.park_m runtime.mcall", Runtime},
	})
}

type expectation struct {
	what, stack string
	want        Category
}

func check(t *testing.T, r *Rules, expectations []expectation) {
	t.Helper()
	for _, e := range expectations {
		if got := r.Of(strings.Fields(e.stack)); got != e.want {
			t.Errorf("%s: %s, want %s", e.what, got, e.want)
		}
	}
}

func TestEveryOwnerIsInTables(t *testing.T) {
	listed := map[Category]bool{}
	for _, c := range All {
		if listed[c] || c.Title() == "" {
			t.Errorf("%s is listed twice or has no title", c)
		}
		listed[c] = true
	}
	for _, r := range []*Rules{Service, Client} {
		for pkg, c := range r.owners {
			if !listed[c] {
				t.Errorf("%s belongs to %s, which no table has", pkg, c)
			}
		}
		for _, c := range r.kernel {
			if !listed[c] {
				t.Errorf("no table has %s", c)
			}
		}
	}
}
