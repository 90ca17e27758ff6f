package node

import "testing"

// TestLargeFrameIsCopiedLinearly: the bytes of a frame of many small elements are copied a
// constant number of times, not once per read.
func TestLargeFrameIsCopiedLinearly(t *testing.T) {
	const total = 16 << 20
	for _, whole := range []bool{false, true} {
		var c chunk
		copied := 0
		for c.end-c.start < total {
			old := c.buf
			need := int64(0)
			if whole {
				need = total - int64(c.end-c.start)
			}
			buf := c.room(need, whole)
			if len(old) > 0 && &old[0] != &c.buf[0] {
				copied += c.end
			}
			c.filled(min(len(buf), 64<<10, total-(c.end-c.start)))
		}
		if copied > 2*total {
			t.Errorf("whole %v: %d MiB were copied for a frame of %d MiB", whole, copied>>20, total>>20)
		}
		if whole && len(c.buf) > total+minRead {
			t.Errorf("a frame of %d bytes has a buffer of %d", total, len(c.buf))
		}
		// The frame is complete: what grew for it is not held on to.
		c.start = c.end
		if c.room(0, false); len(c.buf) > 2*maxChunk {
			t.Errorf("whole %v: the next frames get a buffer of %d bytes", whole, len(c.buf))
		}
	}
}
