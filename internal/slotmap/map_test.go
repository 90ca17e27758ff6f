package slotmap

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scripted is a Source whose every call is answered by the test.
type scripted struct {
	calls chan chan reply
	count atomic.Int64
	busy  atomic.Int64
	t     testing.TB
}

type reply struct {
	topo *Topology
	err  error
}

func newScripted(t testing.TB) *scripted { return &scripted{calls: make(chan chan reply), t: t} }

func (s *scripted) Topology(ctx context.Context) (*Topology, error) {
	s.count.Add(1)
	if s.busy.Add(1) > 1 {
		s.t.Error("two refreshes at a time")
	}
	defer s.busy.Add(-1)
	answer := make(chan reply, 1)
	select {
	case s.calls <- answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-answer:
		return r.topo, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// next waits for the next call.
func (s *scripted) next() chan<- reply {
	s.t.Helper()
	select {
	case c := <-s.calls:
		return c
	case <-time.After(10 * time.Second):
		s.t.Fatal("the source is not asked")
		return nil
	}
}

func (s *scripted) quiet(d time.Duration) {
	s.t.Helper()
	select {
	case <-s.calls:
		s.t.Fatal("the source is asked when nothing is due")
	case <-time.After(d):
	}
}

// still are settings under which nothing happens unasked.
var still = Config{Interval: -1, MinInterval: time.Millisecond, BackoffMin: time.Hour, Timeout: 10 * time.Second}

func startMap(t *testing.T, config Config) (*Map, *scripted) {
	s := newScripted(t)
	m := NewMap(s, config)
	t.Cleanup(m.Close)
	return m, s
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 10 s: " + what)
		}
	}
}

func two(slots uint16) *Topology {
	return NewCluster([]Shard{
		{Primary: "a:1", Replicas: []string{"a:2"}, Ranges: []Range{{0, slots}}},
		{Primary: "b:1", Ranges: []Range{{slots + 1, Slots - 1}}},
	})
}

func owner(m *Map, slot uint16) string {
	addr, _ := m.Load().Primary(slot)
	return addr
}

func TestMapFirstRefresh(t *testing.T) {
	m, s := startMap(t, still)
	if m.Load() != nil || !errors.Is(m.Err(), ErrNoTopology) {
		t.Error("nothing is known before the first answer")
	}
	topo := two(10)
	s.next() <- reply{topo: topo}
	eventually(t, "the snapshot", func() bool { return m.Load() == topo && m.Err() == nil })
}

func TestMapFailureKeepsSnapshot(t *testing.T) {
	m, s := startMap(t, still)
	topo := two(10)
	s.next() <- reply{topo: topo}
	eventually(t, "the snapshot", func() bool { return m.Load() == topo })

	bad := errors.New("nobody answers")
	go func() { s.next() <- reply{err: bad} }()
	got, err := m.Refresh(t.Context())
	if got != topo || err != bad || m.Err() != bad || m.Load() != topo {
		t.Errorf("%v, %v", got, err)
	}
	go func() { s.next() <- reply{} }() // a source that says nothing
	if got, err := m.Refresh(t.Context()); got != topo || !errors.Is(err, ErrNoTopology) {
		t.Errorf("%v, %v", got, err)
	}
	go func() { s.next() <- reply{topo: two(10)} }()
	if got, err := m.Refresh(t.Context()); got != topo || err != nil || m.Err() != nil {
		t.Errorf("an equal topology must leave the snapshot alone: %v, %v", got, err)
	}
}

func TestMapBackoffWithoutTopology(t *testing.T) {
	m, s := startMap(t, Config{Interval: -1, MinInterval: time.Millisecond, BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond})
	for range 5 {
		s.next() <- reply{err: errors.New("down")}
	}
	s.next() <- reply{topo: two(1)}
	eventually(t, "the snapshot", func() bool { return m.Load() != nil })
	s.quiet(50 * time.Millisecond)
}

func TestMapPeriodic(t *testing.T) {
	_, s := startMap(t, Config{Interval: time.Millisecond, MinInterval: time.Millisecond})
	for range 5 {
		s.next() <- reply{topo: two(1)}
	}
}

func TestMapSingleFlight(t *testing.T) {
	m, s := startMap(t, still)
	first := s.next() // begun before any of the calls below
	var wg sync.WaitGroup
	fresh := two(20)
	for range 20 {
		wg.Go(func() {
			if got, err := m.Refresh(t.Context()); err != nil || !got.Equal(fresh) {
				t.Errorf("%v, %v: the refresh must have begun after the call", got, err)
			}
		})
	}
	// Callers are waiting once the refresh is wanted; all of them are released by
	// the one that begins next.
	eventually(t, "wanted", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.wanted })
	first <- reply{topo: two(10)}
	second := s.next()
	late, done := 0, make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	second <- reply{topo: fresh}
	for {
		select {
		case <-done:
			if total := s.count.Load(); total > 3 {
				t.Errorf("%d refreshes for 20 callers", total)
			}
			return
		case c := <-s.calls: // for callers that came after the second had begun
			late++
			c <- reply{topo: fresh}
		case <-time.After(10 * time.Second):
			t.Fatal("callers are not released")
		}
	}
}

func TestMapThrottle(t *testing.T) {
	const interval = 200 * time.Millisecond
	m, s := startMap(t, Config{Interval: -1, MinInterval: interval})
	start := time.Now()
	for i := range 3 {
		s.next() <- reply{topo: two(uint16(i))}
		for range 100 {
			m.Trigger()
		}
	}
	s.next() <- reply{topo: two(9)}
	if took := time.Since(start); took < 3*interval-50*time.Millisecond {
		t.Errorf("four refreshes began within %v", took)
	}
}

// Refreshes that nobody waits for and that bring nothing new become rare.
func TestMapTriggersInVain(t *testing.T) {
	m, s := startMap(t, Config{Interval: -1, MinInterval: 20 * time.Millisecond, TriggerInterval: 10 * time.Second})
	s.next() <- reply{topo: two(10)}
	eventually(t, "the snapshot", func() bool { return m.Load() != nil })
	start := time.Now()
	for range 5 { // 20 ms after the first, then 40, 80, 160 and 320
		m.Trigger()
		s.next() <- reply{topo: two(10)}
	}
	if took := time.Since(start); took < 500*time.Millisecond {
		t.Errorf("five refreshes that brought nothing new began within %v", took)
	}

	// Whoever waits is not kept waiting, even when one is wished for already.
	m.Trigger()
	s.quiet(30 * time.Millisecond)
	start = time.Now()
	if _, err := refreshed(m, s, two(10)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 400*time.Millisecond { // else 640 ms
		t.Errorf("a refresh that was waited for took %v", took)
	}

	// With news it all begins anew.
	for _, news := range []func(){
		func() { m.Moved(map[uint16]string{3: "b:1"}); s.next() <- reply{topo: m.Load()} },
		func() { m.Trigger(); s.next() <- reply{topo: two(11)} },
	} {
		idle := func() time.Duration {
			var spacing time.Duration
			eventually(t, "the end of the refresh", func() bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				spacing = m.spacing
				return m.begun == m.ended
			})
			return spacing
		}
		for idle() < 4*m.config.MinInterval {
			m.Trigger()
			s.next() <- reply{topo: m.Load()}
		}
		news()
		if got := idle(); got > 2*m.config.MinInterval {
			t.Errorf("after news the next refresh is %v away", got)
		}
	}
}

func TestMapRefreshHonoursContext(t *testing.T) {
	m, s := startMap(t, still)
	pending := s.next()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := m.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	pending <- reply{topo: two(1)}
	s.next() <- reply{topo: two(1)} // the one asked for is still made
	eventually(t, "the snapshot", func() bool { return m.Load() != nil })
}

func TestMapSourceTimeout(t *testing.T) {
	m, s := startMap(t, Config{Interval: -1, Timeout: 20 * time.Millisecond, BackoffMin: time.Hour})
	s.next()
	eventually(t, "the error", func() bool { return errors.Is(m.Err(), context.DeadlineExceeded) })
}

func TestMapMoved(t *testing.T) {
	m, s := startMap(t, still)
	first := s.next()
	m.Moved(map[uint16]string{3: "a:1"}) // nothing is known yet: asks for a refresh, no more
	first <- reply{topo: two(10)}
	s.next() <- reply{topo: two(10)}
	eventually(t, "the snapshot", func() bool { return m.Load() != nil && s.busy.Load() == 0 })
	if _, err := refreshed(m, s, two(10)); err != nil {
		t.Fatal(err)
	}

	m.Moved(map[uint16]string{3: "b:1"})
	if got := owner(m, 3); got != "b:1" {
		t.Errorf("slot 3: %q", got)
	}
	s.next() <- reply{topo: two(10).WithMoved(map[uint16]string{3: "b:1"})}

	before := m.Load()
	m.Moved(map[uint16]string{3: "b:1"})   // known
	m.Moved(map[uint16]string{Slots: "x"}) // no slot
	if m.Load() != before {
		t.Error("the snapshot changed")
	}
	s.quiet(50 * time.Millisecond)

	m.Moved(map[uint16]string{4: "c:1"}) // unknown node: only a refresh can tell
	if m.Load() != before {
		t.Error("an unknown node was believed")
	}
	s.next() <- reply{topo: NewCluster([]Shard{{Primary: "c:1", Ranges: []Range{{0, Slots - 1}}}})}
	eventually(t, "the new node", func() bool { return owner(m, 4) == "c:1" })
}

// refreshed answers one refresh and waits for it.
func refreshed(m *Map, s *scripted, topo *Topology) (*Topology, error) {
	answered := make(chan struct{})
	go func() { defer close(answered); s.next() <- reply{topo: topo} }()
	defer func() { <-answered }()
	return m.Refresh(s.t.Context())
}

func TestMapRefreshDoesNotUndoMoved(t *testing.T) {
	m, s := startMap(t, still)
	s.next() <- reply{topo: two(10)}
	eventually(t, "the snapshot", func() bool { return m.Load() != nil })

	m.Trigger()
	underWay := s.next()
	m.Moved(map[uint16]string{3: "b:1"})
	m.Moved(map[uint16]string{20: "a:2"}) // not of this shard: a primary for one slot
	m.Moved(map[uint16]string{5: "n:1"})  // not known yet, but the refresh under way will bring it
	underWay <- reply{topo: NewCluster([]Shard{
		{Primary: "a:1", Replicas: []string{"a:2"}, Ranges: []Range{{0, 10}}},
		{Primary: "b:1", Ranges: []Range{{11, Slots - 1}}},
		{Primary: "n:1"},
	})}
	after := s.next() // asked for by the patches, and allowed to undo them
	for slot, want := range map[uint16]string{3: "b:1", 20: "a:2", 5: "n:1", 4: "a:1", 21: "b:1"} {
		if got := owner(m, slot); got != want {
			t.Errorf("slot %d: %q, want %q", slot, got, want)
		}
	}
	after <- reply{topo: two(10)}
	eventually(t, "the truth", func() bool { return owner(m, 3) == "a:1" && owner(m, 20) == "b:1" })
}

func TestMapMovedConfirmedDuringRefresh(t *testing.T) {
	m, s := startMap(t, still)
	s.next() <- reply{topo: two(10)}
	eventually(t, "the snapshot", func() bool { return m.Load() != nil })
	m.Moved(map[uint16]string{3: "b:1"})
	underWay := s.next()
	m.Moved(map[uint16]string{3: "b:1"}) // a second command learns the same while a stale node is asked
	underWay <- reply{topo: two(10)}
	s.quiet(50 * time.Millisecond)
	if got := owner(m, 3); got != "b:1" {
		t.Errorf("slot 3: %q", got)
	}
}

func TestMapKindChanges(t *testing.T) {
	m, s := startMap(t, still)
	var seen []bool
	m.OnChange(func(topo *Topology) { seen = append(seen, topo.IsCluster()) })
	s.next() <- reply{topo: Standalone("a:1")}
	for _, topo := range []*Topology{two(1), two(1), Standalone("a:1")} {
		if got, err := refreshed(m, s, topo); err != nil || !got.Equal(topo) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	m.Close()
	if len(seen) != 3 || seen[0] || !seen[1] || seen[2] {
		t.Errorf("callbacks saw %v", seen)
	}
}

func TestMapOnChangeLate(t *testing.T) {
	m, s := startMap(t, still)
	s.next() <- reply{topo: two(1)}
	eventually(t, "the snapshot", func() bool { return m.Load() != nil })
	calls := 0
	m.OnChange(func(*Topology) { calls++ })
	if calls != 1 {
		t.Error("the current snapshot was not reported")
	}
	m.Moved(map[uint16]string{0: "b:1"})
	if calls != 1 {
		t.Error("a patch was reported")
	}
	s.next() <- reply{topo: two(1).WithMoved(map[uint16]string{0: "b:1"})}
}

func TestMapClose(t *testing.T) {
	s := newScripted(t)
	m := NewMap(s, still)
	s.next() // never answered
	waiting := make(chan error, 1)
	go func() { _, err := m.Refresh(t.Context()); waiting <- err }()
	eventually(t, "wanted", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.wanted })
	m.Close()
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := m.Refresh(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	m.Trigger()
	m.Moved(map[uint16]string{1: "a:1"})
	m.Close()
}

// TestMapConcurrently has everything happen at once, for the race detector.
func TestMapConcurrently(t *testing.T) {
	s := sourceFunc(func(context.Context) (*Topology, error) {
		return two(uint16(time.Now().UnixNano() % 1000)), nil
	})
	m := NewMap(s, Config{MinInterval: time.Microsecond, Interval: time.Microsecond})
	defer m.Close()
	m.OnChange(func(topo *Topology) { topo.Nodes() })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				switch (i + g) % 4 {
				case 0:
					m.Moved(map[uint16]string{uint16(i): "b:1"})
				case 1:
					if _, err := m.Refresh(t.Context()); err != nil {
						t.Error(err)
					}
				case 2:
					m.Trigger()
				default:
					if topo := m.Load(); topo != nil {
						topo.Primary(uint16(i))
					}
					_ = m.Err()
				}
			}
		})
	}
	wg.Wait()
}

type sourceFunc func(context.Context) (*Topology, error)

func (f sourceFunc) Topology(ctx context.Context) (*Topology, error) { return f(ctx) }
