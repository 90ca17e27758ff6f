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

// Receive takes over the bytes of a message; the data stays the caller's to free.
func (s *StreamRequest) Receive(data mem.BufferSlice) {
	s.ID, s.Err = 0, nil
	s.Request = GetRequest()
	s.Request.Receive(data)
	s.ID, s.Request.encoded, s.Err = streamRequest(s.Request.encoded)
}

// streamRequest takes a StreamBatchesRequest apart. The pieces of a request that comes in
// several are joined, which to protobuf is the same as merging them if each is whole by itself;
// if one is not, it stands for the request, so that what is wrong is found with it.
func streamRequest(b []byte) (id uint64, request []byte, err error) {
	pieces, broken := 0, false
	for len(b) > 0 {
		f, err := next(b)
		if err != nil {
			return 0, nil, malformed("", err)
		}
		b = b[f.size:]
		switch {
		case f.isVarint(streamRequestID):
			id = f.number
		case f.is(streamRequestRequest) && !broken:
			if pieces++; pieces == 1 {
				request = f.value[:len(f.value):len(f.value)]
				continue
			}
			if broken = pieces == 2 && !whole(request); broken {
				continue
			}
			if broken = !whole(f.value); broken {
				request = f.value
				continue
			}
			request = append(request, f.value...)
		}
	}
	return id, request, nil
}

// whole reports whether b ends with the end of a field.
func whole(b []byte) bool {
	for len(b) > 0 {
		f, err := next(b)
		if err != nil {
			return false
		}
		b = b[f.size:]
	}
	return true
}
