package httpapi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/service"
)

const (
	// piece is how much of a message has the time of [Limits.Stall] to arrive, and how much of an
	// answer has it to be taken.
	piece = 256 << 10
	// prefixBytes is the length of what stands before a message in the protocols that frame them:
	// flags and the message's length.
	prefixBytes = 5
)

// body is the body of a request that is held to the limits while it is read: each message's length
// by itself, the bytes of all requests on their way in together, and the time between.
type body struct {
	io.ReadCloser
	control  *http.ResponseController
	limits   Limits
	requests *budget
	// framed says that messages stand behind prefixes; else the body is one message.
	framed bool
	// stream says that there may be any number of messages, and any time between them.
	stream bool
	// length is what the headers say the body has; below zero: nothing.
	length int64
	// refuse, if not nil, has the call be refused and returns what the caller is told.
	refuse func(why error) error

	prefix  [prefixBytes]byte
	inHead  int   // bytes of the prefix that have come
	left    int64 // bytes of the message that are to come, if framed
	message int64 // bytes of the message that have come
	taken   int64 // of requests, for the message
	timed   int64 // bytes that have come since the deadline was set; below zero: there is none
	failed  error // what Read returns
	aborted atomic.Bool
}

// begin checks what the headers say of the body.
func (b *body) begin() error {
	if !b.framed && b.length > b.most() {
		return b.fail(b.refusal(b.tooLong(b.length)))
	}
	return nil
}

// fail has the call fail with a status, and every later Read with what it returns.
func (b *body) fail(why error) error {
	if b.refuse != nil {
		b.failed = b.refuse(why)
	} else {
		b.failed = connectError(why)
	}
	return b.failed
}

// refusal returns the status of an error of this package's.
func (b *body) refusal(err error) error {
	if b.stream {
		return service.StreamRefusal(err)
	}
	return service.Refusal(err)
}

func (b *body) most() int64 { return b.limits.RequestBytes + service.MaxOverBytes }

// Read implements io.Reader. Its errors are connect-go's, with the service's details.
func (b *body) Read(p []byte) (int, error) {
	if b.failed != nil {
		return 0, b.failed
	}
	between := b.stream && b.left == 0 && b.inHead == 0
	if len(p) > piece {
		p = p[:piece]
	}
	b.watch(!between)
	n, err := b.ReadCloser.Read(p)
	if b.timed >= 0 {
		b.timed += int64(n)
	}
	if refused := b.received(p[:n]); refused != nil {
		return 0, b.fail(b.refusal(refused))
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.watch(false) // the connection is watched for the caller's end, which is no request
	case b.aborted.Load():
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, b.fail(b.refusal(b.late()))
	case !b.stream:
		return n, b.fail(status.Error(codes.Canceled, "the request did not arrive: its caller has gone"))
	}
	return n, err
}

// Close implements io.Closer. Of a call that was refused it waits for nothing: the answer goes first.
func (b *body) Close() error {
	if b.failed != nil {
		return nil
	}
	return b.ReadCloser.Close()
}

// watch sets the deadline for the next piece, or none between messages.
func (b *body) watch(message bool) {
	switch {
	case b.aborted.Load():
	case !message && b.timed >= 0:
		b.timed = -1
		_ = b.control.SetReadDeadline(time.Time{})
	case message && (b.timed < 0 || b.timed >= piece):
		b.timed = 0
		_ = b.control.SetReadDeadline(time.Now().Add(b.limits.Stall))
	default:
		return
	}
	if b.aborted.Load() {
		b.expire()
	}
}

// abort makes a Read that waits, and every later one, fail.
func (b *body) abort() {
	b.aborted.Store(true)
	b.expire()
}

func (b *body) expire() { _ = b.control.SetReadDeadline(time.Unix(1, 0)) }

// received holds what has come to the limits.
func (b *body) received(p []byte) error {
	for len(p) > 0 {
		n := int64(len(p))
		if b.framed {
			if b.left == 0 {
				if b.inHead == 0 {
					b.release() // the message before is the service's now
				}
				k := copy(b.prefix[b.inHead:], p)
				b.inHead += k
				p = p[k:]
				if b.inHead == prefixBytes {
					b.inHead = 0
					b.left = int64(binary.BigEndian.Uint32(b.prefix[1:]))
					if b.left > b.most() {
						return b.tooLong(b.left)
					}
				}
				continue
			}
			n = min(n, b.left)
			b.left -= n
		}
		p = p[n:]
		if b.message += n; b.message > b.most() {
			return b.tooLong(b.message)
		}
		if would, ok := b.requests.take(n); !ok {
			return overload(would, b.requests.max)
		}
		b.taken += n
	}
	return nil
}

// release ends the counting of the message.
func (b *body) release() {
	b.requests.give(b.taken)
	b.taken, b.message = 0, 0
}

func (b *body) tooLong(length int64) error {
	return &service.LimitError{Field: "batch", What: "message bytes", Unit: "bytes",
		Setting: service.SettingRequestBytes, Actual: length, Allowed: b.most()}
}

// overload is the error of requests that are too much together.
func overload(actual, allowed int64) error {
	return &service.OverloadError{What: "request bytes on their way in over HTTP", Setting: service.SettingInFlightBytes,
		Actual: actual, Allowed: allowed}
}

func (b *body) late() error {
	return &service.StallError{What: fmt.Sprintf("%d bytes of a request, or its end,", piece), Allowed: b.limits.Stall}
}
