package service

import (
	"errors"
	"strings"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that Codec extends
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// Request is an ExecuteBatchRequest as it came: its bytes, not decoded. Decoding costs many
// times the bytes decoded, so it waits until the request is measured and admitted. A Request
// is for one call and not safe for concurrent use.
type Request struct {
	buffer  mem.Buffer // owns encoded; nil when nobody needs it back
	encoded []byte

	measured bool
	size     wire.Size
	err      error

	lease *lease // of the replies, once there are any
}

// NewRequest returns the request that is encoded in these bytes. It keeps them, unchanged,
// until the call has ended.
func NewRequest(encoded []byte) *Request { return &Request{encoded: encoded} }

// Measure returns what the request asks for. It may be called before and after the method has
// run. Its error is a [*wire.MalformedError].
func (r *Request) Measure() (wire.Size, error) {
	if !r.measured {
		r.size, r.err = wire.Measure(r.encoded)
		r.measured = true
	}
	return r.size, r.err
}

// receive takes over the bytes of a message.
func (r *Request) receive(data mem.BufferSlice) {
	r.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	r.encoded = r.buffer.ReadOnlyData()
}

// decode returns the request's generated form, which shares no memory with the bytes, and lets
// go of the bytes. Its error is a [*RequestError].
func (r *Request) decode() (*valkeybatchv1.ExecuteBatchRequest, error) {
	defer r.release()
	req := &valkeybatchv1.ExecuteBatchRequest{}
	// Unknown fields are passed on to nobody, so they are not kept.
	err := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(r.encoded, req)
	if err == nil {
		return req, nil
	}
	if arg, found := wire.BadText(r.encoded); found {
		return nil, &RequestError{Field: arg.Field(), Reason: ReasonInvalidText,
			Message: "the argument is not valid UTF-8: give the command as args"}
	}
	// Its words come with spaces of either kind, so that nobody compares them.
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return nil, &RequestError{Reason: ReasonMalformed, Message: "the request cannot be decoded: " + text}
}

// release gives the bytes back. It may be called more than once.
func (r *Request) release() {
	r.encoded = nil
	if r.buffer != nil {
		r.buffer.Free()
		r.buffer = nil
	}
}

// malformed translates what measuring a request can say.
func malformed(err error) error {
	var e *wire.MalformedError
	if errors.As(err, &e) {
		return &RequestError{Field: e.Field, Reason: ReasonMalformed, Message: "the request cannot be decoded: " + e.Err.Error()}
	}
	return err
}

// Codec is the codec that a gRPC server needs for [Register]: gRPC's own for protobuf, except
// that it hands over a [Request] as it is, and knows when a response has been written. Forcing
// it on a server changes nothing for other services: no codec but protobuf's is linked in, and
// gRPC falls back to it for any content-subtype.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if resp, ok := v.(*response); ok {
		return resp.marshal()
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if req, ok := v.(*Request); ok {
		req.receive(data)
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
