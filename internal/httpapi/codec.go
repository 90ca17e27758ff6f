package httpapi

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// codec has connect-go hand over requests as the service takes them, and send answers as they are:
// in protobuf the bytes that came, not decoded; from JSON what they would have been.
type codec struct {
	api  *api
	name string
	json bool
}

// batchRequest is an ExecuteBatchRequest as it came. Its zero value is an empty one. It holds nothing
// that has to be given back: connect-go does not hand over every request that it has received.
type batchRequest struct {
	codec *codec
	data  []byte
}

// streamRequest is a StreamBatchesRequest. Its zero value is an empty one.
type streamRequest struct {
	request wire.StreamRequest
	came    bool
}

// answer is an encoded response.
type answer struct{ data []byte }

// take returns the request, and what has to be called when it is over.
func (r *batchRequest) take() (req *wire.Request, end func()) {
	if r.codec == nil {
		req = wire.NewRequest(nil)
		return req, req.Release
	}
	req, drop := r.codec.batch(r.data)
	return req, func() {
		req.Release()
		drop()
	}
}

// take moves the request to one of the service's.
func (r *streamRequest) take(to *wire.StreamRequest) {
	if !r.came {
		r.request = wire.StreamRequest{Request: wire.NewRequest(nil)}
	}
	*to = r.request
}

// Name implements connect.Codec.
func (c *codec) Name() string { return c.name }

// Marshal implements connect.Codec.
func (c *codec) Marshal(m any) ([]byte, error) {
	if a, ok := m.(*answer); ok {
		return a.data, nil
	}
	// Of errors' details, in protobuf whatever the call's own codec.
	if p, ok := m.(proto.Message); ok && !c.json {
		return proto.Marshal(p)
	}
	return nil, fmt.Errorf("httpapi: no codec for %T", m)
}

// Unmarshal implements connect.Codec. A request that is wrong is no error here: it fails where
// one of a gRPC call does, with all that is done for a call around it.
func (c *codec) Unmarshal(b []byte, m any) error {
	switch m := m.(type) {
	case *batchRequest:
		m.codec, m.data = c, append([]byte(nil), b...) // which are connect-go's
		return nil
	case *streamRequest:
		m.request, m.came = c.stream(b), true
		return nil
	}
	return fmt.Errorf("httpapi: no codec for %T", m)
}

// batch returns an ExecuteBatchRequest and what ends the counting of what it takes.
func (c *codec) batch(b []byte) (*wire.Request, func()) {
	if !c.json {
		return wire.NewRequest(b), func() {}
	}
	weight, err := c.weigh(b)
	if err != nil {
		return wire.RefusedRequest(err), func() {}
	}
	end := func() { c.api.requests.give(weight) }
	encoded, err := fromJSON(b, &valkeybatchv1.ExecuteBatchRequest{})
	if err != nil {
		return wire.RefusedRequest(err), end
	}
	return wire.NewRequest(encoded), end
}

// stream returns a StreamBatchesRequest. What its JSON takes is counted while it is decoded.
func (c *codec) stream(b []byte) wire.StreamRequest {
	encoded := append([]byte(nil), b...)
	if c.json {
		weight, err := c.weigh(b)
		if err != nil {
			return wire.StreamRequest{Request: wire.NewRequest(nil), Err: err}
		}
		defer c.api.requests.give(weight)
		if encoded, err = fromJSON(b, &valkeybatchv1.StreamBatchesRequest{}); err != nil {
			return wire.StreamRequest{Request: wire.NewRequest(nil), Err: err}
		}
	}
	var out wire.StreamRequest
	// It decodes nothing and has no errors.
	_ = wire.Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(encoded)}, &out)
	return out
}

// weigh counts what JSON takes once it is decoded, before it is.
func (c *codec) weigh(b []byte) (int64, error) {
	weight, err := weigh(b, c.api.limits)
	if err != nil {
		return 0, err
	}
	// Beside the bytes that came: so large a request is decoded alone.
	weight = min(weight, c.api.requests.max-int64(len(b)))
	if would, ok := c.api.requests.take(weight); !ok {
		return 0, overload(would, c.api.requests.max)
	}
	return weight, nil
}
