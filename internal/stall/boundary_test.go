package stall

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
)

// framed is a client's bytes, and the offsets between its frames.
func framed(t testing.TB) (b []byte, between map[int]bool) {
	t.Helper()
	var buf bytes.Buffer
	buf.WriteString(http2.ClientPreface)
	between = map[int]bool{buf.Len(): true}
	f := http2.NewFramer(&buf, nil)
	for i, write := range []func() error{
		func() error { return f.WriteSettings() },
		func() error { return f.WriteData(1, false, make([]byte, 16<<10)) },
		func() error { return f.WriteData(1, false, nil) },
		func() error { return f.WriteWindowUpdate(0, 7) },
		func() error { return f.WriteData(3, true, make([]byte, 300)) },
	} {
		if err := write(); err != nil {
			t.Fatal(i, err)
		}
		between[buf.Len()] = true
	}
	return buf.Bytes(), between
}

// TestBoundary: frames begin where they do, whatever pieces the bytes come in.
func TestBoundary(t *testing.T) {
	b, between := framed(t)
	for _, size := range []int{1, 2, 7, 9, 10, 24, 25, 33, 1000, len(b)} {
		var f boundary
		for at := 0; at < len(b); {
			n := min(size, len(b)-at)
			f.pass(b[at : at+n])
			at += n
			if f.between() != between[at] {
				t.Fatalf("pieces of %d: between frames after %d: %v, want %v", size, at, f.between(), between[at])
			}
		}
	}
}

// FuzzBoundary: however bytes are cut, what follows them agrees with what follows them one by one.
func FuzzBoundary(f *testing.F) {
	b, _ := framed(f)
	f.Add(b[:200], uint8(3))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		var whole, pieces boundary
		whole.pass(b)
		for n := int(size) + 1; len(b) > 0; {
			piece := b[:min(n, len(b))]
			pieces.pass(piece)
			b = b[len(piece):]
		}
		if whole != pieces && whole.between() != pieces.between() {
			t.Errorf("%+v and %+v", whole, pieces)
		}
	})
}
