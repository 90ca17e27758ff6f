package node

const (
	minChunk = 4 << 10
	maxChunk = 128 << 10
	minRead  = 512
	// largeFrame is the length from which a frame has a say in the size of the chunk after it.
	largeFrame = 16 << 10
	// maxTrusted is the length of a string that is believed before its bytes have come.
	maxTrusted = 1 << 20
)

// chunk is a read buffer that replies are slices of. When it is used up another takes its
// place, and it lives as long as a reply in it does. Its size follows the traffic; for a large
// frame it grows with the bytes that have come, beyond maxTrusted never with the length that was
// declared.
type chunk struct {
	buf   []byte
	start int // of the frame being received
	end   int // of the bytes received
	next  int // size of the next chunk
	large int // length of the last large frame that ended in this chunk, 0 if none did
}

// room returns where to read to. need is the number of bytes that the current frame is known
// to lack, 0 if unknown; whole is whether that is all that it lacks.
func (c *chunk) room(need int64, whole bool) []byte {
	free := len(c.buf) - c.end
	partial := c.end - c.start
	switch {
	case partial == 0 && len(c.buf) > 2*maxChunk:
		// Grown for one large frame, and pinned by whoever holds that: not to be held on to.
	case free >= minRead, whole && need > 0 && int64(free) >= need:
		return c.buf[c.end:]
	}
	c.next = max(c.next, minChunk)
	size := int64(c.fit())
	if want := int64(partial) + max(need, minRead); want > size {
		// Twice what has come, so that a frame is copied a constant number of times in all; no
		// more than is known to lack only where that is the rest of the frame.
		grown := 2*int64(partial) + minRead
		if whole {
			grown = min(want, max(grown, maxTrusted))
		}
		size = max(size, grown)
	}
	buf := make([]byte, size)
	copy(buf, c.buf[c.start:c.end])
	c.buf, c.start, c.end, c.large = buf, 0, partial, 0
	return c.buf[c.end:]
}

// fit returns the size for another chunk. Where large frames come one after the other it expects
// more of the same length, and ends with one of them: what a chunk ends in the middle of has to
// be copied.
func (c *chunk) fit() int {
	switch {
	case c.large > 2*maxChunk:
		return minChunk // the next one's memory is its own, and what came before it copied
	case c.large > 0:
		return 2 * maxChunk / c.large * c.large
	}
	return c.next
}

// filled takes note of n bytes read into room.
func (c *chunk) filled(n int) {
	if c.end += n; c.end == len(c.buf) {
		c.next = min(2*max(c.next, minChunk), maxChunk)
	} else if n < minChunk/2 && c.next > minChunk {
		c.next -= c.next / 16
	}
}

// took takes note that a frame of n bytes has ended.
func (c *chunk) took(n int) {
	if n >= largeFrame {
		c.large = n
	}
}

// drop forgets the bytes received of the current frame.
func (c *chunk) drop() { c.end = c.start }
