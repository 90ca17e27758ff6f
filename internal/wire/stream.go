package wire

import "google.golang.org/grpc/mem"

// StreamRequest is a StreamBatchesRequest as it came.
type StreamRequest struct {
	// ID is its id.
	ID uint64
	// Request is its request. It is the receiver's to release.
	Request *Request
	// Err says that the message is none: nothing of it is known. It is a [*RequestError].
	Err error
}

// receive takes over the bytes of a message.
func (s *StreamRequest) receive(data mem.BufferSlice) {
	s.ID, s.Err = 0, nil
	s.Request = GetRequest()
	s.Request.receive(data)
	s.ID, s.Request.encoded, s.Err = streamRequest(s.Request.encoded)
}

// streamRequest takes a StreamBatchesRequest apart. The pieces of a request that comes in
// several are joined, which to protobuf is the same as merging them.
func streamRequest(b []byte) (id uint64, request []byte, err error) {
	pieces := 0
	for len(b) > 0 {
		f, err := next(b)
		if err != nil {
			return 0, nil, malformed("", err)
		}
		b = b[f.size:]
		switch {
		case f.isVarint(streamRequestID):
			id = f.number
		case f.is(streamRequestRequest):
			if pieces++; pieces == 1 {
				request = f.value[:len(f.value):len(f.value)]
			} else {
				request = append(request, f.value...)
			}
		}
	}
	return id, request, nil
}
