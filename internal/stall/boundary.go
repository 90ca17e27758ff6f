package stall

const (
	prefaceLen     = 24 // of the text that a client's side of an HTTP/2 connection begins with
	frameHeaderLen = 9
)

// boundary follows where in a client's bytes frames begin.
type boundary struct {
	preface int // bytes of the preface that have passed
	header  [frameHeaderLen]byte
	inHead  int // bytes of a frame's header that have passed
	payload int // bytes of its payload that are to come
}

// pass takes the bytes that come next.
func (f *boundary) pass(b []byte) {
	if n := min(prefaceLen-f.preface, len(b)); n > 0 {
		f.preface += n
		b = b[n:]
	}
	for len(b) > 0 {
		if f.payload > 0 {
			n := min(f.payload, len(b))
			f.payload -= n
			b = b[n:]
			continue
		}
		n := copy(f.header[f.inHead:], b)
		f.inHead += n
		b = b[n:]
		if f.inHead == frameHeaderLen {
			f.inHead = 0
			f.payload = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
		}
	}
}

// between reports whether a frame ends here and none has begun.
func (f *boundary) between() bool {
	return f.preface == prefaceLen && f.inHead == 0 && f.payload == 0
}
