package node

const (
	minChunk = 4 << 10
	maxChunk = 128 << 10
	minRead  = 512
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
}

// room returns where to read to. need is the number of bytes that the current frame is known
// to lack, 0 if unknown; whole is whether that is all that it lacks.
func (c *chunk) room(need int64, whole bool) []byte {
	free := len(c.buf) - c.end
	partial := c.end - c.start
	switch {
	case partial == 0 && len(c.buf) > 2*maxChunk:
		// Grown for one large frame, and pinned by whoever holds that: not to be held on to.
	case free >= minRead:
		return c.buf[c.end:]
	}
	c.next = max(c.next, minChunk)
	size := int64(c.next)
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
	c.buf, c.start, c.end = buf, 0, partial
	return c.buf[c.end:]
}

// filled takes note of n bytes read into room.
func (c *chunk) filled(n int) {
	if c.end += n; c.end == len(c.buf) {
		c.next = min(2*max(c.next, minChunk), maxChunk)
	} else if n < minChunk/2 && c.next > minChunk {
		c.next -= c.next / 16
	}
}

// drop forgets the bytes received of the current frame.
func (c *chunk) drop() { c.end = c.start }
