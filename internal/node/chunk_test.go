package node

import (
	"bytes"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/resp"
)

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

// FuzzChunk: whatever lengths a node declares, the memory for its replies follows the bytes that
// have come, and every frame stands in it as it came.
func FuzzChunk(f *testing.F) {
	for _, s := range []string{
		"+OK\r\n:1\r\n", "$2147483647\r\nabc", "*2147483647\r\n*2147483647\r\n", "=2000000000\r\ntxt:", "%1000000\r\n+a\r\n", "|5\r\n>9\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n",
	} {
		f.Add([]byte(s), uint16(1))
		f.Add([]byte(s), uint16(4096))
	}
	f.Fuzz(func(t *testing.T, says []byte, piece uint16) {
		c, scan := chunk{}, resp.Scanner{MaxDepth: 8}
		begun, came := 0, 0 // in says: the frame's first byte, and what was received
		for came < len(says) {
			buf := c.room(scan.Need(), scan.Type() == resp.TypeBulk || scan.Type() == resp.TypeVerbatim)
			if most := max(2*maxChunk, maxTrusted, 2*came+minRead); len(c.buf) > most {
				t.Fatalf("%d bytes for %d that came; no more than %d are expected", len(c.buf), came, most)
			}
			n := copy(buf, says[came:min(came+int(piece)+1, len(says))])
			pos := c.end
			came += n
			c.filled(n)
			for pos < c.end {
				n, done, err := scan.Scan(c.buf[pos:c.end])
				if err != nil {
					return
				}
				pos += n
				if done {
					c.took(pos - c.start)
					got := c.buf[c.start:pos]
					if want := says[begun : begun+len(got)]; !bytes.Equal(got, want) {
						t.Fatalf("%q came, %q stands there", want, got)
					}
					begun += len(got)
					c.start = pos
				}
			}
		}
	})
}

// TestLargeFramesFitTheirChunks: of large frames of one length, one after the other, next to
// nothing is copied from one chunk to the next, and no chunk is larger than what an idle
// connection may hold on to.
func TestLargeFramesFitTheirChunks(t *testing.T) {
	for _, length := range []int{largeFrame, 20_000, 64<<10 + 11, 100_000, 2*maxChunk - 1, 2 * maxChunk, 2*maxChunk + 1, 900_000} {
		var c chunk
		const frames = 200
		copied := 0
		for n := 0; n < frames; {
			partial := c.end - c.start
			need := int64(0)
			if partial > 0 {
				need = int64(length - partial)
			}
			old := c.buf
			buf := c.room(need, true)
			if len(old) > 0 && &old[0] != &c.buf[0] {
				copied += partial
			}
			if partial == 0 && len(c.buf) > 2*maxChunk {
				t.Fatalf("length %d: between frames a chunk has %d bytes", length, len(c.buf))
			}
			c.filled(min(len(buf), 64<<10))
			for c.end-c.start >= length {
				c.took(length)
				c.start += length
				n++
			}
		}
		if limit := frames*length/20 + 2*maxChunk; copied > limit {
			t.Errorf("length %d: %d of %d bytes were copied, want at most %d", length, copied, frames*length, limit)
		}
	}
}

// TestChunkSizeAfterLargeFrame: one large frame does not change the size of chunks for long.
func TestChunkSizeAfterLargeFrame(t *testing.T) {
	for _, length := range []int{largeFrame, 100_000, 3 << 20} {
		var c chunk
		c.took(length)
		for range 2 {
			c.start, c.end = len(c.buf), len(c.buf)
			c.room(0, false)
		}
		if len(c.buf) != minChunk {
			t.Errorf("after a frame of %d bytes and a chunk without any, a chunk has %d bytes, want %d", length, len(c.buf), minChunk)
		}
	}
}
