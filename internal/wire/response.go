package wire

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/stall"
)

// Response is an encoded ExecuteBatchResponse, or StreamBatchesResponse, on its way to the
// connection.
type Response struct {
	// Failed is the failed_count of an ExecuteBatchResponse.
	Failed int

	// head is what stands before the rest: room for a stream's fields, and behind it the whole
	// of a short response. It is sent from offset at on.
	head []byte
	at   int
	rest mem.BufferSlice
	size int // of the ExecuteBatchResponse
	// lease is of the buffers in rest; nil if there are none.
	lease *lease

	two [2]mem.Buffer // for take

	// text stands in the place of head and rest.
	text *Text
}

// Text is a response in another encoding.
type Text struct {
	// Data is the encoded ExecuteBatchResponse.
	Data []byte
	// ID is that of [Response.ForStream].
	ID uint64
	// Free, if not nil, is called once, when the text is sent or given up.
	Free func()
}

const (
	// headRoom is room for a stream's fields before a response: an id, a tag and a length.
	headRoom = 1 + 10 + 1 + 10
	// overhead is the most bytes that a reply which holds no others takes more as a result than
	// as a frame; the longest is a negative integer of one digit.
	overhead = 16
	// maxShort is the longest response, by estimate, that is written into memory of its own.
	maxShort = 1 << 10
)

// NewResponse encodes what came of a batch. It takes over the results' budget, which it
// releases when the response is written or given up; of a short response at once, as what
// takes as little memory is not counted. The frames are not needed after it.
func NewResponse(batch *Batch, results *executor.Results) *Response {
	estimate := overhead
	for i := range results.Results {
		estimate += len(results.Results[i].Frame) + overhead
		if err := results.Results[i].Err; err != nil {
			estimate += len(err.Code) + len(err.Message) + len(err.Node) + 2*overhead
		}
	}
	r := &Response{at: headRoom}
	v := values{}
	v.budget = results.Budget
	if estimate <= maxShort {
		r.head = make([]byte, headRoom, headRoom+estimate)
		v.buf = r.head[headRoom:]
	} else {
		r.head = make([]byte, headRoom)
	}
	for i := range results.Results {
		v.text = batch.Text(i)
		v.result(&results.Results[i])
	}
	if v.failed > 0 {
		v.varint(responseFailed, uint64(v.failed))
	}
	if v.lease == nil { // all of it stands behind the head
		r.head = r.head[:headRoom+len(v.buf)]
		r.size = len(v.buf)
	} else {
		v.cut()
		r.rest, r.size = v.out, v.size
		r.lease = v.lease
	}
	v.end()
	r.Failed = v.failed
	return r
}

// NewStreamError returns a StreamBatchesResponse: an encoded BatchStatus as the outcome of the
// batch with that id.
func NewStreamError(id uint64, status []byte) *Response {
	r := &Response{head: make([]byte, headRoom, headRoom+len(status)), at: headRoom, size: len(status)}
	r.head = append(r.head, status...)
	r.outcome(id, streamResponseError)
	return r
}

// ForStream makes the response a StreamBatchesResponse: the outcome of the batch with that id.
func (r *Response) ForStream(id uint64) {
	if r.text != nil {
		r.text.ID = id
		return
	}
	r.outcome(id, streamResponseResponse)
}

// Recode puts the response in another encoding in the place of its own, for listeners that send
// another. encode is given the response's bytes, which are freed when it returns. When it fails there
// is nothing left of the response.
func (r *Response) Recode(encode func(mem.BufferSlice) (*Text, error)) error {
	data := r.take()
	defer data.Free()
	text, err := encode(data)
	r.text = text
	return err
}

// TakeText returns what Recode made, which is the caller's to free; nil if there is none.
func (r *Response) TakeText() *Text {
	text := r.text
	r.text = nil
	return text
}

// Size is how many bytes the response has, without what a stream puts around it.
func (r *Response) Size() int { return r.size }

// Watch has the call ended if nothing of the response is read for too long. It is called when the
// response is about to be sent. A short response is not watched: it takes as little as its call.
func (r *Response) Watch(call stall.Call) {
	if r.lease != nil {
		call.Watch(&r.lease.watch, r.lease)
	}
}

// Long reports whether the response is one that [Response.Watch] watches.
func (r *Response) Long() bool { return r.lease != nil }

// outcome writes a stream's fields before the response.
func (r *Response) outcome(id uint64, num protowire.Number) {
	var fields [headRoom]byte
	b := fields[:0]
	if id != 0 {
		b = append(b, tag(streamResponseID, protowire.VarintType))
		b = protowire.AppendVarint(b, id)
	}
	b = append(b, tag(num, protowire.BytesType))
	b = protowire.AppendVarint(b, uint64(r.size))
	r.at = headRoom - len(b)
	copy(r.head[r.at:], b)
}

// take returns the encoded response for sending.
func (r *Response) take() mem.BufferSlice {
	head, rest := r.head[r.at:], r.rest
	r.head, r.rest, r.at = nil, nil, 0
	if len(head) == 0 {
		return rest
	}
	return append(append(r.two[:0], mem.SliceBuffer(head)), rest...)
}

// Free gives the response up. It is for one that is not sent.
func (r *Response) Free() {
	r.rest.Free()
	r.head, r.rest, r.at = nil, nil, 0
	if text := r.TakeText(); text != nil && text.Free != nil {
		text.Free()
	}
}
