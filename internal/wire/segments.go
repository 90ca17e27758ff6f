package wire

import (
	"google.golang.org/grpc/mem"

	"github.com/valkeybatch/valkeybatch/internal/node"
)

const (
	// maxSegment is the largest buffer that a response is written into; a longer response takes
	// several, so that its memory follows its size and every buffer is one that is pooled.
	maxSegment = 32 << 10
	// minLoan is the length from which a string is sent from where it was received.
	minLoan = 16 << 10
	// maxLoan is how much is lent as one buffer: what of a response is left is known by the buffer.
	maxLoan = 256 << 10
)

// segments is a message being written into pooled buffers, piece by piece.
type segments struct {
	budget *node.Budget
	lease  *lease // of the budget, once a buffer is pooled or lent
	out    mem.BufferSlice
	// rest is the part of the current buffer that is not in out yet, nil if there is none, and
	// buf its bytes up to what is written.
	rest mem.Buffer
	buf  []byte
	size int // of out
}

// room makes room for n bytes behind buf.
func (s *segments) room(n int) {
	if cap(s.buf)-len(s.buf) >= n {
		return
	}
	s.cut()
	if s.rest != nil {
		s.rest.Free()
	}
	b := s.leased().Get(max(n, maxSegment))
	s.rest = mem.NewBuffer(b, s.lease)
	s.buf = s.rest.ReadOnlyData()[:0]
}

// leased returns the lease, taking it when there is none yet.
func (s *segments) leased() *lease {
	if s.lease == nil {
		s.lease = newLease(s.budget)
	}
	return s.lease
}

// cut moves what is written so far to out.
func (s *segments) cut() {
	if len(s.buf) == 0 {
		return
	}
	s.size += len(s.buf)
	if s.rest == nil {
		s.out = append(s.out, mem.SliceBuffer(s.buf))
		s.buf = s.buf[len(s.buf):]
		return
	}
	var done mem.Buffer
	done, s.rest = mem.SplitUnsafe(s.rest, len(s.buf))
	s.out = append(s.out, done)
	s.buf = s.rest.ReadOnlyData()[:0]
}

// bytes appends b, or a loan of it when it is long.
func (s *segments) bytes(b []byte) {
	if len(b) < minLoan {
		s.room(len(b))
		s.buf = append(s.buf, b...)
		return
	}
	s.lend(b)
}

// lend appends a loan of b.
func (s *segments) lend(b []byte) {
	s.cut()
	s.size += len(b)
	for len(b) > 0 {
		piece := b[:min(len(b), maxLoan)]
		b = b[len(piece):]
		s.leased().out.Add(1)
		s.out = append(s.out, mem.NewBuffer(&piece, (*loan)(s.lease)))
	}
}

// end ends the message, after a last cut. What it took of the budget is released with its
// buffers, or at once if none of them is given back.
func (s *segments) end() {
	if s.rest != nil {
		s.rest.Free()
	}
	if s.lease != nil {
		s.lease.letGo()
	} else {
		s.budget.Release()
	}
}
