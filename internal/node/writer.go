package node

import (
	"net"
	"syscall"
	"time"
)

const (
	// maxCallerWrite is the most bytes that a caller hands to the socket itself.
	maxCallerWrite = 256 << 10
	// maxCallerRounds is how often a caller writes what others have queued meanwhile, before a
	// writer of the connection's own takes over.
	maxCallerRounds = 4
	// roundBytes and roundBatches bound what the writer combines into one write. A sub-batch
	// that is part of it counts as sent when its context ends, so it is not too much.
	roundBytes   = 256 << 10
	roundBatches = 512
	// mergeBytes is the buffer that pieces are merged in where a connection has no writev.
	mergeBytes = 32 << 10
)

// output is the scratch space of whoever is writing.
type output struct {
	buf   []byte
	n     int
	err   error
	write func(fd uintptr) bool

	batches []*Batch // of this round; between rounds, those that were written in part or not at all
	starts  []int    // bytes of each batch that were written before this round
	pieces  [][]byte
	merged  []byte
}

func (o *output) init() { o.write = o.writeOnce }

// try writes what the socket takes without waiting.
func (o *output) try(raw syscall.RawConn, b []byte) (int, error) {
	o.buf, o.n, o.err = b, 0, nil
	err := raw.Write(o.write)
	o.buf = nil
	if o.err != nil {
		err = o.err
	}
	return o.n, err
}

// byCaller reports whether a caller may write b itself: without waiting, and from one buffer.
func (c *conn) byCaller(b *Batch) bool {
	return c.raw != nil && len(b.large) == 0 && len(b.buf) <= maxCallerWrite
}

// callerWrite writes what is queued as far as the socket takes it at once. The rest is left to
// the writer.
func (c *conn) callerWrite() {
	o := &c.out
	c.mu.Lock()
	defer c.mu.Unlock()
	for range maxCallerRounds {
		if c.err != nil || c.fresh == nil {
			c.stopWriting()
			return
		}
		if !c.byCaller(c.fresh) {
			break
		}
		buf := c.gather()
		c.mu.Unlock()
		n, err := o.try(c.raw, buf)
		o.distribute(int64(n))
		c.mu.Lock()
		if err != nil {
			c.writeFailed(err)
			return
		}
		if len(o.batches) > 0 {
			break
		}
	}
	go c.writeLoop()
}

// gather makes a round of the fresh batches that fit into one small buffer, which it returns.
// c.mu is held.
func (c *conn) gather() []byte {
	o := &c.out
	first := c.fresh
	o.add(first, 0)
	c.take(first)
	if c.fresh == nil || len(first.buf) >= mergeBytes {
		return first.buf
	}
	o.merged = append(o.merged[:0], first.buf...)
	for b := c.fresh; b != nil && c.byCaller(b) && len(o.merged)+len(b.buf) <= mergeBytes; b = c.fresh {
		o.add(b, 0)
		c.take(b)
		o.merged = append(o.merged, b.buf...)
	}
	return o.merged
}

// add makes a batch part of the round, from offset start on.
func (o *output) add(b *Batch, start int) {
	o.batches = append(o.batches, b)
	o.starts = append(o.starts, start)
}

// take takes the first fresh batch for a writer. c.mu is held.
func (c *conn) take(b *Batch) {
	b.taken, c.fresh = true, b.next
	if b.timed {
		b.takenAt = clock()
	}
}

// collect gathers a round: what the last one left, and what is fresh. c.mu is held.
func (c *conn) collect() (more bool) {
	o := &c.out
	o.starts, o.pieces = o.starts[:0], o.pieces[:0]
	size := 0
	for _, b := range o.batches {
		start := int(b.written.Load())
		o.starts = append(o.starts, start)
		o.pieces = b.pieces(o.pieces, start)
		size += b.size - start
	}
	for b := c.fresh; b != nil && size < roundBytes && len(o.batches) < roundBatches; b = c.fresh {
		o.add(b, 0)
		c.take(b)
		o.pieces = b.pieces(o.pieces, 0)
		size += b.size
	}
	return len(o.batches) > 0
}

// writeLoop is the writer: it writes until nothing is queued.
func (c *conn) writeLoop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.err != nil || !c.collect() {
			c.stopWriting()
			return
		}
		c.mu.Unlock()
		n, err := c.write()
		c.out.distribute(n)
		c.mu.Lock()
		if err != nil {
			c.writeFailed(err)
			return
		}
	}
}

// write writes the round's pieces and returns how many bytes the socket took.
func (c *conn) write() (int64, error) {
	if c.raw != nil {
		v := net.Buffers(c.out.pieces)
		return v.WriteTo(c.nc)
	}
	return c.out.writeMerged(c.nc)
}

// writeMerged writes the pieces with as few writes as a buffer allows.
func (o *output) writeMerged(nc net.Conn) (written int64, err error) {
	put := func(b []byte) bool {
		if len(b) == 0 {
			return true
		}
		var n int
		n, err = nc.Write(b)
		written += int64(n)
		return err == nil
	}
	buf := o.merged[:0]
	for _, p := range o.pieces {
		if len(buf)+len(p) > mergeBytes {
			if !put(buf) {
				return written, err
			}
			buf = buf[:0]
		}
		if len(p) > mergeBytes/2 {
			if !put(buf) || !put(p) {
				return written, err
			}
			buf = buf[:0]
			continue
		}
		buf = append(buf, p...)
	}
	o.merged = buf
	put(buf)
	return written, err
}

// distribute records n written bytes with the round's batches, and lets go of those that are
// written as a whole.
func (o *output) distribute(n int64) {
	left := o.batches[:0]
	for i, b := range o.batches {
		rest := int64(b.size - o.starts[i])
		part := min(n, rest)
		n -= part
		if part < rest {
			left = append(left, b)
		}
		b.written.Store(int64(o.starts[i]) + part) // b may be another's once all is written
	}
	clear(o.batches[len(left):])
	o.batches, o.starts = left, o.starts[:0]
	clear(o.pieces[:cap(o.pieces)])
	if cap(o.pieces) > 2*roundBatches {
		o.pieces = nil
	}
}

// stopWriting ends somebody's turn at writing. c.mu is held.
func (c *conn) stopWriting() {
	c.writing = false
	c.settleAll()
}

// writeFailed ends the connection after a failed write. What was answered before is read
// still. c.mu is held.
func (c *conn) writeFailed(err error) {
	c.fail(failed(c.addr, OpLost, err))
	c.sock.SetReadDeadline(time.Now().Add(drainTime))
	c.stopWriting()
}
