//go:build poison

package poison

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const On = true

// kinds are all there are.
var kinds struct {
	mu  sync.Mutex
	all []*Kind
}

// Kind: see off.go for the contract of all that is exported here.
type Kind struct {
	name   string
	strict bool

	taken, given, left, collected atomic.Int64

	mu      sync.Mutex
	buffers map[uintptr]*hold // in use, by address
}

func NewKind(name string, strict bool) *Kind {
	k := &Kind{name: name, strict: strict, buffers: make(map[uintptr]*hold)}
	kinds.mu.Lock()
	defer kinds.mu.Unlock()
	kinds.all = append(kinds.all, k)
	return k
}

// hold is one use of a thing, from its taking on.
type hold struct {
	kind    *Kind
	addr    uintptr // of a buffer
	cleanup runtime.Cleanup
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func (k *Kind) Took(b []byte) {
	if cap(b) == 0 {
		return
	}
	h := &hold{kind: k, addr: address(b)}
	h.cleanup = runtime.AddCleanup(unsafe.SliceData(b), (*hold).lost, h)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.taken.Add(1)
	if k.buffers[h.addr] != nil {
		k.collected.Add(1) // its memory was used anew before lost was called
	}
	k.buffers[h.addr] = h
}

// lost notes that a buffer was left to the garbage collector.
func (h *hold) lost() {
	h.kind.mu.Lock()
	defer h.kind.mu.Unlock()
	if h.kind.buffers[h.addr] == h {
		delete(h.kind.buffers, h.addr)
		h.kind.collected.Add(1)
	}
}

func (k *Kind) Gave(b []byte) {
	if cap(b) == 0 {
		return
	}
	k.mu.Lock()
	h := k.buffers[address(b)]
	delete(k.buffers, address(b))
	k.mu.Unlock()
	if h == nil {
		panic(fmt.Sprintf("poison: a buffer of %s is given back that is not in use", k.name))
	}
	h.cleanup.Stop()
	k.given.Add(1)
	Bytes(b)
}

type Guard struct {
	inUse *use
	ended string // how the last use ended
}

// use is one use of a guarded thing. It has a size, so that each has an address of its own.
type use struct {
	kind    *Kind
	cleanup runtime.Cleanup
	_       [16]byte
}

func (g *Guard) Take(k *Kind) {
	if g.inUse != nil {
		panic("poison: one of " + k.name + " is taken that is in use")
	}
	k.taken.Add(1)
	u := &use{kind: k}
	u.cleanup = runtime.AddCleanup(u, func(k *Kind) { k.collected.Add(1) }, k)
	g.inUse = u
}

func (g *Guard) Give() {
	g.Check()
	g.inUse.kind.given.Add(1)
	g.end("given back")
}

func (g *Guard) Leave() {
	g.Check()
	g.inUse.kind.left.Add(1)
	g.end("left")
}

func (g *Guard) end(how string) {
	g.inUse.cleanup.Stop()
	_, file, line, _ := runtime.Caller(3)
	g.ended = fmt.Sprintf("one of %s is used that was %s before, at %s:%d", g.inUse.kind.name, how, file, line)
	g.inUse = nil
}

func (g *Guard) Check() {
	if g.inUse == nil {
		if g.ended == "" {
			panic("poison: a thing is used that was not taken from its pool")
		}
		panic("poison: " + g.ended)
	}
}

func Bytes(b []byte) { Fill(b, Byte) }

func Fill[T any](s []T, v T) {
	s = s[:cap(s)]
	for i := range s {
		s[i] = v
	}
}

func Clear[T any](s []T) { clear(s[:cap(s)]) }

func Buffers[P BufferPool](k *Kind, p P) BufferPool { return &buffers{kind: k, from: p} }

type buffers struct {
	kind *Kind
	from BufferPool
}

func (p *buffers) Get(n int) *[]byte {
	b := p.from.Get(n)
	p.kind.Took(*b)
	return b
}

func (p *buffers) Put(b *[]byte) {
	p.kind.Gave(*b)
	p.from.Put(b)
}

// patience is how long what ends a moment after the tests may take.
const patience = 10 * time.Second

func Unbalanced() error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		runtime.GC()
		err := unbalanced()
		if err == nil || time.Since(began) > patience {
			return err
		}
	}
}

func unbalanced() error {
	kinds.mu.Lock()
	defer kinds.mu.Unlock()
	var errs []error
	for _, k := range kinds.all {
		if err := k.unbalanced(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (k *Kind) unbalanced() error {
	taken, given, left, collected := k.taken.Load(), k.given.Load(), k.left.Load(), k.collected.Load()
	held := taken - given - left - collected
	if held == 0 && (!k.strict || collected == 0) {
		return nil
	}
	return fmt.Errorf("poison: of %d %s that were taken, %d were given back and %d left; %d are still held and %d were dropped",
		taken, k.name, given, left, held, collected)
}
