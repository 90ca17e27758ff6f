// Package poison makes the misuse of pooled memory show in tests. Built with the tag "poison",
// as "make test" builds it, what is given back to a pool is overwritten, so that whoever still
// reads it reads nonsense, and the race detector sees it; giving a thing back twice, and using
// a guarded one after that, panics; and what became of everything that was taken is counted.
// Built without the tag, all of it is empty and costs nothing.
//
// Every place at which a thing is given back calls this package itself: there are few, each a
// function named Release, Put or recycle.
package poison

// Byte is what released bytes are overwritten with. It begins no frame of RESP, and four of
// them are no tag of a protobuf field.
const Byte = 0xDB

// BufferPool is gRPC's mem.BufferPool, which package node and those below it know nothing of.
type BufferPool interface {
	Get(length int) *[]byte
	Put(*[]byte)
}
