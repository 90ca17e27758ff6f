//go:build !poison

package poison

// On is whether the program is built with the tag.
const On = false

// Kind is one kind of pooled thing. It counts what became of them.
type Kind struct{}

// NewKind returns a kind of that name. When it is strict, each thing taken is to be given back
// or left; else it may also be dropped, for the garbage collector to find.
func NewKind(string, bool) *Kind { return nil }

// Took notes that a buffer was taken from a pool.
func (*Kind) Took([]byte) {}

// Gave notes that a buffer is given back, and overwrites it. It panics when the buffer is not
// one that was taken.
func (*Kind) Gave([]byte) {}

// Guard tells for one thing, of which it is a field, whether it is in use.
type Guard struct{}

// Take notes that the thing was taken from its pool.
func (*Guard) Take(*Kind) {}

// Give notes that the thing is given back. It panics when it is not in use.
func (*Guard) Give() {}

// Leave notes that the thing ends, but that its memory is left to the garbage collector. It
// panics when it is not in use.
func (*Guard) Leave() {}

// Check panics when the thing is not in use.
func (*Guard) Check() {}

// Bytes overwrites b up to its capacity.
func Bytes([]byte) {}

// Fill overwrites every element of s, up to its capacity.
func Fill[T any]([]T, T) {}

// Clear empties every element of s, up to its capacity, for code that relies on it where Fill
// was at work.
func Clear[T any]([]T) {}

// Buffers makes of a pool one whose buffers are of that kind.
func Buffers[P BufferPool](_ *Kind, p P) BufferPool { return p }

// Unbalanced returns what was taken and neither given back nor left, as an error that names
// the kinds; nil: nothing. Of kinds that are not strict, only what is still held counts.
func Unbalanced() error { return nil }
