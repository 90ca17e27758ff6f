//go:build poison

package poison

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"
)

// plain is a pool that keeps nothing.
type plain struct{}

func (plain) Get(n int) *[]byte { b := make([]byte, n, n+8); return &b }
func (plain) Put(*[]byte)       {}

// panics reports what f panics with.
func panics(f func()) (message string) {
	defer func() { message, _ = recover().(string) }()
	f()
	return ""
}

// settled is what is wrong with a kind once the garbage collector has had its time.
func settled(k *Kind) string {
	for range 3 {
		runtime.GC()
	}
	if err := k.unbalanced(); err != nil {
		return err.Error()
	}
	return ""
}

func TestBuffers(t *testing.T) {
	k := NewKind("buffers", true)
	p := Buffers(k, plain{})
	b := p.Get(100)
	copy(*b, "mine")
	seen := *b
	if settled(k) == "" {
		t.Error("a buffer in use is in balance")
	}
	p.Put(b)
	if all := seen[:cap(seen)]; !bytes.Equal(all, bytes.Repeat([]byte{Byte}, len(all))) {
		t.Errorf("a released buffer reads %q", all)
	}
	if message := panics(func() { p.Put(b) }); !strings.Contains(message, "not in use") {
		t.Errorf("a second release: %q", message)
	}
	if message := settled(k); message != "" {
		t.Error(message)
	}
}

func TestGuard(t *testing.T) {
	type thing struct{ guard Guard }
	k := NewKind("things", true)
	x := &thing{}
	if panics(x.guard.Check) == "" {
		t.Error("what was never taken is in use")
	}
	for _, end := range []func(){x.guard.Give, x.guard.Leave} {
		x.guard.Take(k)
		x.guard.Check()
		if settled(k) == "" {
			t.Error("a thing in use is in balance")
		}
		end()
		if message := settled(k); message != "" {
			t.Error(message)
		}
		for _, again := range []func(){x.guard.Check, x.guard.Give, x.guard.Leave} {
			if message := panics(again); !strings.Contains(message, "before, at") {
				t.Errorf("used after its end: %q", message)
			}
		}
	}
}

// TestDropped: what the garbage collector finds is wrong with a strict kind only.
func TestDropped(t *testing.T) {
	for strict, want := range map[bool]string{
		false: "",
		true:  "poison: of 2 dropped that were taken, 0 were given back and 0 left; 0 are still held and 2 were dropped",
	} {
		k := NewKind("dropped", strict)
		func() {
			new(Guard).Take(k)
			Buffers(k, plain{}).Get(100)
		}()
		got := settled(k)
		for tries := 0; got != want && tries < 100; tries++ {
			time.Sleep(10 * time.Millisecond)
			got = settled(k)
		}
		if got != want {
			t.Errorf("strict %v: %q", strict, got)
		}
	}
}
