package wire

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/valkeybatch/valkeybatch/internal/executor"
)

// Response is an encoded ExecuteBatchResponse on its way to the connection.
type Response struct {
	// Failed is its failed_count.
	Failed int

	data mem.BufferSlice
	size int
}

// overhead is the most bytes that a reply which holds no others takes more as a result than as
// a frame; the longest is a negative integer of one digit.
const overhead = 16

// NewResponse encodes what came of a batch. It takes over the results' budget, which it
// releases when the response is written or given up; the frames are not needed after that.
func NewResponse(batch *Batch, results *executor.Results) *Response {
	estimate := 0
	for i := range results.Results {
		estimate += len(results.Results[i].Frame) + overhead
		if results.Results[i].Err != nil {
			estimate += len(results.Results[i].Err.Message) + 2*overhead
		}
	}
	v := values{}
	small := mem.IsBelowBufferPoolingThreshold(estimate)
	if small {
		v.buf = make([]byte, 0, estimate)
	}
	// Such a small response is not counted once it is encoded: its buffer is not given back.
	v.lease = newLease(results.Budget, small)
	for i := range results.Results {
		v.text = batch.Text(i)
		v.result(&results.Results[i])
	}
	if v.failed > 0 {
		v.varint(responseFailed, uint64(v.failed))
	}
	r := &Response{Failed: v.failed}
	r.data, r.size = v.end()
	v.lease.letGo()
	return r
}

// Free gives the response up. It is for one that is not sent.
func (r *Response) Free() {
	r.data.Free()
	r.data = nil
}

// take returns the encoded response for sending.
func (r *Response) take() mem.BufferSlice {
	data := r.data
	r.data = nil
	return data
}

// StreamResponse is an encoded StreamBatchesResponse.
type StreamResponse struct{ data mem.BufferSlice }

// NewStreamResponse makes r, which it takes over, the outcome of the batch with that id.
func NewStreamResponse(id uint64, r *Response) *StreamResponse {
	head := make([]byte, 0, 1+10+1+10)
	head = appendID(head, id)
	head = append(head, tag(streamResponseResponse, protowire.BytesType))
	head = protowire.AppendVarint(head, uint64(r.size))
	return &StreamResponse{data: append(mem.BufferSlice{mem.SliceBuffer(head)}, r.take()...)}
}

// NewStreamError makes an encoded BatchStatus the outcome of the batch with that id.
func NewStreamError(id uint64, status []byte) *StreamResponse {
	b := make([]byte, 0, 1+10+1+10+len(status))
	b = appendID(b, id)
	b = append(b, tag(streamResponseError, protowire.BytesType))
	b = protowire.AppendBytes(b, status)
	return &StreamResponse{data: mem.BufferSlice{mem.SliceBuffer(b)}}
}

func appendID(b []byte, id uint64) []byte {
	if id == 0 {
		return b
	}
	b = append(b, tag(streamResponseID, protowire.VarintType))
	return protowire.AppendVarint(b, id)
}

// take returns the encoded response for sending.
func (r *StreamResponse) take() mem.BufferSlice {
	data := r.data
	r.data = nil
	return data
}

// Free gives the response up. It is for one that is not sent.
func (r *StreamResponse) Free() {
	r.data.Free()
	r.data = nil
}
