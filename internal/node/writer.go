package node

import (
	"net"
	"syscall"
	"time"
)

const (
	// maxCallerWrite is the most bytes that a caller hands to the socket itself.
	maxCallerWrite = 256 << 10
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

	batches []*Batch
	starts  []int // bytes of each batch that were written before this round
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

// collect gathers a round. c.mu is held.
func (c *conn) collect(partial *Batch) (more bool) {
	o := &c.out
	o.batches, o.starts, o.pieces = o.batches[:0], o.starts[:0], o.pieces[:0]
	size := 0
	add := func(b *Batch) {
		start := int(b.written.Load())
		o.batches = append(o.batches, b)
		o.starts = append(o.starts, start)
		o.pieces = b.pieces(o.pieces, start)
		size += b.size - start
	}
	if partial != nil {
		add(partial)
	}
	for b := c.fresh; b != nil && size < roundBytes && len(o.batches) < roundBatches; b = b.next {
		add(b)
		b.taken, c.fresh = true, b.next
	}
	return len(o.batches) > 0
}

// writeLoop is the writer: it writes until nothing is queued. partial is a batch whose
// caller wrote only its beginning.
func (c *conn) writeLoop(partial *Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.err != nil || !c.collect(partial) {
			c.stopWriting()
			return
		}
		partial = nil
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

// distribute records n written bytes with the round's batches, and lets go of them.
func (o *output) distribute(n int64) {
	for i, b := range o.batches {
		part := min(n, int64(b.size-o.starts[i]))
		b.written.Store(int64(o.starts[i]) + part)
		n -= part
	}
	clear(o.batches)
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
