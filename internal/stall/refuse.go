package stall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ErrTooMany is why a connection was refused.
var ErrTooMany = errors.New("too many connections")

const (
	// lingerTime is how long a refused caller has to shake hands and to read why.
	lingerTime = time.Second
	// maxLingering is how many refused callers have it at once. More are told nothing.
	maxLingering = 256
)

// places counts the connections that are open.
type places struct {
	max       int64
	open      *atomic.Int64
	lingering atomic.Int64
}

// take returns what gives a place back, once however often it is called, and the number of the
// connection; nil if there is no place for that one.
func (p *places) take() (give func(), number int64) {
	number = p.open.Add(1)
	if p.max > 0 && number > p.max {
		p.open.Add(-1)
		return nil, number
	}
	return sync.OnceFunc(func() { p.open.Add(-1) }), number
}

// refuse tells a client in its own protocol that it is one too many: GOAWAY with the code
// ENHANCE_YOUR_CALM (RFC 9113, section 7) and a text, which gRPC clients show in their error.
func (p *places) refuse(c net.Conn, number int64, setting string) {
	text := fmt.Sprintf("too many connections: %d with this one, %d are allowed (set by the server's %s)", number, p.max, setting)
	b := []byte{3: 4, 8: 0} // SETTINGS, empty: a server's first frame
	b = append(b, 0, 0, byte(8+len(text)), 7, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, 0) // no stream was processed
	b = binary.BigEndian.AppendUint32(b, 0xb)
	b = append(b, text...)
	_ = c.SetDeadline(time.Now().Add(lingerTime))
	if _, err := c.Write(b); err != nil {
		return
	}
	// Closing with bytes of the client's unread would take back what it has not read.
	_, _ = io.Copy(io.Discard, c)
}
