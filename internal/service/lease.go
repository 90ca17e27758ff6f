package service

import (
	"runtime"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/node"
)

// lease is a batch's share of the reply bytes in flight. It ends when the encoded response has
// been written to the connection, however slow its caller is to read: until then the response
// takes memory. gRPC gives buffers back when they are written and when their call is given
// up, but not always when the connection is lost; the garbage collector then ends the lease.
type lease struct{ budget *node.Budget }

// newLease returns a lease of what a batch took off its budget.
func newLease(budget *node.Budget) *lease {
	if budget == nil {
		return nil
	}
	l := &lease{budget: budget}
	runtime.AddCleanup(l, (*node.Budget).Release, budget)
	return l
}

// end gives the share back. It may be called more than once, and of nil.
func (l *lease) end() {
	if l != nil {
		l.budget.Release()
	}
}

// response is a response on its way to the codec, with its lease.
type response struct {
	message *valkeybatchv1.ExecuteBatchResponse
	lease   *lease
}

// marshal encodes the response into a buffer that ends the lease when it is given back.
func (r *response) marshal() (mem.BufferSlice, error) {
	size := proto.Size(r.message)
	options := proto.MarshalOptions{UseCachedSize: true} // nothing changes it in between
	if mem.IsBelowBufferPoolingThreshold(size) {
		r.lease.end() // such buffers are not given back
		b, err := options.Marshal(r.message)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	pool := leasedPool{mem.DefaultBufferPool(), r.lease}
	b := pool.Get(size)
	if _, err := options.MarshalAppend((*b)[:0], r.message); err != nil {
		pool.Put(b)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(b, pool)}, nil
}

// leasedPool is a pool for one buffer, with which a lease ends.
type leasedPool struct {
	mem.BufferPool
	lease *lease
}

// Put implements mem.BufferPool.
func (p leasedPool) Put(b *[]byte) {
	p.BufferPool.Put(b)
	p.lease.end()
}
