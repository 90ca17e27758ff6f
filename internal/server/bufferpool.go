package server

import (
	"google.golang.org/grpc/mem"

	"github.com/valkeybatch/valkeybatch/internal/poison"
)

// frameBytes is the length of the longest HTTP/2 frame that gRPC receives. A long message
// arrives in pieces of this length, each in a buffer of the server's pool.
const frameBytes = 16 << 10

// maxFrames is how many buffers for frames are kept for the next messages: 8 MiB.
const maxFrames = 512

// frameKind is not strict: gRPC drops what it has received of calls that are given up.
var frameKind = poison.NewKind("frames' buffers", false)

// framePool is gRPC's own pool, except that it keeps no more than maxFrames of the buffers that
// frames are received in. One message of 100 MB would otherwise leave 100 MB of them behind, and
// what is kept counts twice: the heap grows in proportion to it before it is collected.
type framePool struct {
	mem.BufferPool
	frames chan *[]byte
}

func newFramePool() mem.BufferPool {
	return &framePool{BufferPool: mem.DefaultBufferPool(), frames: make(chan *[]byte, maxFrames)}
}

// Get implements mem.BufferPool.
func (p *framePool) Get(n int) *[]byte {
	if n > frameBytes || n <= frameBytes/4 {
		return p.BufferPool.Get(n)
	}
	select {
	case b := <-p.frames:
		*b = (*b)[:n]
		return b
	default:
		b := make([]byte, n, frameBytes)
		return &b
	}
}

// Put implements mem.BufferPool.
func (p *framePool) Put(b *[]byte) {
	if cap(*b) != frameBytes {
		p.BufferPool.Put(b)
		return
	}
	select {
	case p.frames <- b:
	default:
	}
}
