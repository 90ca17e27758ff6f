package stall

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// left is an item of which so much is left.
type left struct {
	Entry
	n atomic.Int64
}

func (l *left) Left() int64 { return l.n.Load() }

// pair returns a wrapped connection over TCP and its peer.
func pair(t *testing.T, patience time.Duration) (*conn, net.Conn, chan bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool, 100)
	c := newConn(raw, &Options{Patience: patience, Ended: func(_ net.Addr, connection bool) { ended <- connection }})
	c.give = func() {}
	t.Cleanup(func() {
		c.Close()
		peer.Close()
	})
	return c, peer, ended
}

// TestReset: what waits goes between two frames, in the midst of whatever is read, and the bytes of
// the client are all there.
func TestReset(t *testing.T) {
	c, peer, _ := pair(t, time.Hour)
	sent, _ := framed(t)
	half := len(sent) - 100 // within the last frame
	frames := make(chan uint32)
	go func() {
		defer close(frames)
		preface := make([]byte, prefaceLen)
		if _, err := io.ReadFull(c, preface); err != nil {
			return
		}
		f := http2.NewFramer(io.Discard, c)
		for {
			frame, err := f.ReadFrame()
			var stream http2.StreamError
			if errors.As(err, &stream) { // the injected one
				frames <- stream.StreamID
				continue
			}
			if err != nil {
				return
			}
			frames <- frame.Header().StreamID
		}
	}()
	if _, err := peer.Write(sent[:half]); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		<-frames
	}
	reset := func(streams ...uint32) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, s := range streams {
			c.reset(s)
		}
	}
	reset(5, 0x7ffffffd)
	time.Sleep(50 * time.Millisecond) // most likely the reader is woken within a frame
	if _, err := peer.Write(sent[half:]); err != nil {
		t.Fatal(err)
	}
	next := func() uint32 {
		t.Helper()
		select {
		case stream := <-frames:
			return stream
		case <-time.After(time.Minute):
			t.Fatal("no frame")
			return 0
		}
	}
	got := []uint32{next(), next(), next()}
	if i := slices.Index(got, 3); i < 0 || !slices.Equal(slices.Delete(slices.Clone(got), i, i+1), []uint32{5, 0x7ffffffd}) {
		t.Fatalf("frames of the streams %d", got)
	}
	want := func(stream uint32) {
		t.Helper()
		if got := next(); got != stream {
			t.Fatalf("a frame of stream %d, want %d", got, stream)
		}
	}
	reset(7) // the reader is waiting between frames
	want(7)
	if _, err := peer.Write(sent[prefaceLen : prefaceLen+9]); err != nil {
		t.Fatal(err)
	}
	want(0)
	peer.Close()
	for range frames {
	}
}

// TestDeadlineIsKept: a deadline of gRPC's own outlasts being woken.
func TestDeadlineIsKept(t *testing.T) {
	c, _, _ := pair(t, time.Hour)
	if err := c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reset(1) // waits: the preface has not come
	})
	if _, err := c.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestWatch: what does not move is ended, and then its connection; what moves, or is done, is not.
func TestWatch(t *testing.T) {
	c, _, ended := pair(t, 400*time.Millisecond)
	moving, stuck, done := &left{}, &left{}, &left{}
	for i, item := range []*left{moving, stuck, done} {
		item.n.Store(1 << 40)
		c.watch(&item.Entry, item, uint32(2*i+1))
	}
	done.Done()
	done.Done()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				moving.n.Add(-1)
			}
		}
	}()
	if connection := <-ended; connection {
		t.Error("the connection was ended before the call")
	}
	c.mu.Lock()
	injected := append([]byte(nil), c.inject...)
	c.mu.Unlock()
	frame, err := http2.NewFramer(nil, bytes.NewReader(injected)).ReadFrame()
	var wrong http2.StreamError
	if !errors.As(err, &wrong) || wrong.StreamID != 3 {
		t.Errorf("injected %v, %v", frame, err)
	}
	if connection := <-ended; !connection {
		t.Error("another call was ended")
	}
	if _, err := c.Conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection is not closed: %v", err)
	}
	moving.Done()
	late := &left{}
	c.watch(&late.Entry, late, 9) // too late for anything
}

// TestLost: what gRPC has lost ends nothing but its own watch, as long as the connection takes what
// is written.
func TestLost(t *testing.T) {
	c, peer, ended := pair(t, 200*time.Millisecond)
	go io.Copy(io.Discard, peer)
	lost := &left{}
	lost.n.Store(1)
	c.watch(&lost.Entry, lost, 5)
	if connection := <-ended; connection {
		t.Fatal("the connection was ended before the call")
	}
	if _, err := c.Write([]byte("the end of the call")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); lost.conn.Load() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is still watched")
		}
	}
	select {
	case <-ended:
		t.Error("more was ended than the call")
	default:
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	lost.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sending.first != nil || lost.item != nil {
		t.Error("what was lost is held")
	}
}

// TestPlaces: connections beyond the limit are refused, and places are given back once.
func TestPlaces(t *testing.T) {
	p := &places{max: 2, open: new(atomic.Int64)}
	first, _ := p.take()
	second, _ := p.take()
	if give, number := p.take(); give != nil || number != 3 {
		t.Errorf("a third place, number %d", number)
	}
	first()
	first()
	if give, _ := p.take(); give == nil {
		t.Error("no place was given back")
	}
	if give, _ := p.take(); give != nil {
		t.Error("a place was given back twice")
	}
	second()
}
