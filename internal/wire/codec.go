package wire

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that Codec extends
	"google.golang.org/grpc/mem"
)

// Codec is the codec that a gRPC server needs for the contract's service: gRPC's own for
// protobuf, except that it hands over a [Request] and a [StreamRequest] as they came, and sends
// a [Response] as it is. Forcing it on a server changes nothing for
// other services: no codec but protobuf's is linked in, and gRPC falls back to it for any
// content-subtype.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*Response); ok {
		return r.take(), nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch v := v.(type) {
	case *Request:
		v.Receive(data)
		return nil
	case *StreamRequest:
		v.Receive(data)
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
