package wire

import (
	"runtime"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/mem"

	"github.com/valkeybatch/valkeybatch/internal/poison"
)

// Request is an ExecuteBatchRequest as it came: its bytes, not decoded. Decoding waits until
// the request is measured and admitted. A Request is for one call and not safe for concurrent
// use.
type Request struct {
	guard   poison.Guard
	buffer  mem.Buffer // owns encoded; nil when nobody needs it back
	encoded []byte
	kept    bool // encoded may be read after Release

	// Response is what the method made of it, until it is sent.
	Response *Response

	// Arrived is what the request counts as among those on their way in, until it is admitted.
	Arrived int64

	measured bool
	size     Size
	err      error

	batch Batch
}

var requests = sync.Pool{New: func() any { return new(Request) }}

// What requests are made of.
var (
	requestKind = poison.NewKind("requests", true)
	messageKind = poison.NewKind("messages' buffers", false) // of a message that is kept: dropped
	messagePool = poison.Buffers(messageKind, mem.DefaultBufferPool())
)

// maxScratch is how many arguments a request may have had whose memory is worth keeping.
const maxScratch = 256 << 10

// maxPooled is the longest message whose memory is kept for the next one. A longer one is left to
// the garbage collector, and that is told: with as much garbage about, the heap would grow to
// twice the size of such a message before it is collected by itself.
const maxPooled = 16 << 20

// GetRequest returns a request for a codec to fill. It ends with Release.
func GetRequest() *Request {
	r := requests.Get().(*Request)
	r.guard.Take(requestKind)
	return r
}

// NewRequest returns the request that is encoded in these bytes. It keeps them, unchanged,
// until Release.
func NewRequest(encoded []byte) *Request {
	r := GetRequest()
	r.encoded = encoded
	return r
}

// Measure returns what the request asks for. Its error is a [*RequestError].
func (r *Request) Measure() (Size, error) {
	r.guard.Check()
	if !r.measured {
		r.size, r.err = Measure(r.encoded)
		r.measured = true
	}
	return r.size, r.err
}

// Decode returns what the request says, in memory that is its own until Release. Its error is
// a [*RequestError].
func (r *Request) Decode() (*Batch, error) {
	size, err := r.Measure()
	if err != nil {
		return nil, err
	}
	if err := r.batch.decode(r.encoded, size); err != nil {
		return nil, err
	}
	return &r.batch, nil
}

// Keep leaves the request's bytes to the garbage collector instead of giving them back with
// Release, because a connection may still read arguments from them.
func (r *Request) Keep() {
	r.guard.Check()
	r.kept = true
}

// Release ends the request. Nothing of it is valid afterwards.
func (r *Request) Release() {
	r.guard.Give()
	if r.buffer != nil && !r.kept {
		r.buffer.Free()
	}
	huge := 0
	if len(r.encoded) > maxPooled {
		huge = len(r.encoded)
	}
	if cap(r.batch.args) > maxScratch || cap(r.batch.Commands) > maxScratch {
		r.batch = Batch{}
	}
	r.batch.forget()
	*r = Request{guard: r.guard, batch: r.batch}
	requests.Put(r)
	if huge > 0 {
		collect(int64(huge))
	}
}

// uncollected is how many bytes of messages were left to the garbage collector since it was
// told last, and collecting whether it is at work.
var (
	uncollected atomic.Int64
	collecting  atomic.Bool
)

// collectAfter is how many bytes are worth a collection.
const collectAfter = 64 << 20

// collect tells the garbage collector of n bytes more, once there are enough of them.
func collect(n int64) {
	if uncollected.Add(n) < collectAfter || !collecting.CompareAndSwap(false, true) {
		return
	}
	uncollected.Store(0)
	go func() {
		defer collecting.Store(false)
		runtime.GC()
	}()
}

// Receive takes over the bytes of a message; the data stays the caller's to free.
func (r *Request) Receive(data mem.BufferSlice) {
	if len(data) > 1 && data.Len() > maxPooled {
		b := make([]byte, data.Len())
		data.CopyTo(b)
		r.buffer = mem.SliceBuffer(b)
	} else {
		r.buffer = data.MaterializeToBuffer(messagePool)
	}
	r.encoded = r.buffer.ReadOnlyData()
}
