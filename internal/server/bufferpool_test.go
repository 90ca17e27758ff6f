package server

import "testing"

// TestFramePool: buffers come back as they went, whole and of the length asked for, and no more
// of them are kept than are allowed.
func TestFramePool(t *testing.T) {
	p := newFramePool().(*framePool)
	for _, n := range []int{0, 1, 200, 4096, 4097, frameBytes - 1, frameBytes, frameBytes + 1, 1 << 20, 3 << 20} {
		for range 3 {
			b := p.Get(n)
			if len(*b) != n {
				t.Fatalf("a buffer of %d bytes has %d", n, len(*b))
			}
			if n > frameBytes/4 && n <= frameBytes && cap(*b) != frameBytes {
				t.Fatalf("a buffer of %d bytes has room for %d", n, cap(*b))
			}
			p.Put(b)
		}
	}
	var out []*[]byte
	for range 2 * maxFrames {
		out = append(out, p.Get(frameBytes))
	}
	for _, b := range out {
		p.Put(b)
	}
	if n := len(p.frames); n != maxFrames {
		t.Errorf("%d buffers are kept", n)
	}
}
