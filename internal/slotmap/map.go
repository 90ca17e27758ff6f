package slotmap

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Source finds out the topology of a deployment. Topology is called by one
// goroutine of a [Map] at a time, and must end soon after ctx is done.
type Source interface {
	Topology(ctx context.Context) (*Topology, error)
}

// ErrClosed is what waiting for a refresh of a closed [Map] gives.
var ErrClosed = errors.New("slotmap: the map is closed")

// ErrNoTopology is what [Map.Err] gives before the first refresh has ended.
var ErrNoTopology = errors.New("slotmap: the topology is not known yet")

// Config holds the settings of a [Map]; the zero value means the defaults.
type Config struct {
	// Interval is the time between refreshes nobody has asked for, 30 s by default.
	// A negative one means that there are none while the last refresh succeeded.
	Interval time.Duration
	// MinInterval is the least time between the starts of two refreshes, however
	// many are asked for: 100 ms by default.
	MinInterval time.Duration
	// TriggerInterval bounds the time between the starts of refreshes that only
	// Trigger asks for. It is MinInterval at first, doubles with every refresh that
	// brings nothing new up to TriggerInterval, 2 s by default, and begins anew with
	// one that does and with Moved.
	TriggerInterval time.Duration
	// Timeout bounds one refresh, 5 s by default.
	Timeout time.Duration
	// BackoffMin and BackoffMax bound the pause before a failed refresh is tried
	// again unasked: 100 ms, doubled with every failure up to 2 s, by default.
	BackoffMin, BackoffMax time.Duration
	// Logger is told of failed refreshes and of changes of the deployment; nil
	// means silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	fill := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	fill(&c.Interval, 30*time.Second)
	fill(&c.MinInterval, 100*time.Millisecond)
	fill(&c.TriggerInterval, 2*time.Second)
	fill(&c.Timeout, 5*time.Second)
	fill(&c.BackoffMin, 100*time.Millisecond)
	fill(&c.BackoffMax, 2*time.Second)
	c.BackoffMax = max(c.BackoffMin, c.BackoffMax)
	c.TriggerInterval = max(c.MinInterval, c.TriggerInterval)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Map holds the current topology of a deployment. One goroutine, which Close ends,
// refreshes it from the source: at once when the Map is made, when asked to, with a
// growing pause for as long as that fails, and every now and then. All methods may
// be called concurrently.
type Map struct {
	source Source
	config Config
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // holds a token when wanted or wished for has become true

	current atomic.Pointer[Topology]

	mu        sync.Mutex
	begun     uint64            // refreshes begun
	ended     uint64            // refreshes ended
	wanted    bool              // a refresh that has not begun is waited for, or asked for by Moved
	wished    bool              // one is asked for by Trigger
	spacing   time.Duration     // the least time before one that is only wished for
	next      chan struct{}     // closed and replaced whenever a refresh ends
	err       error             // of the last refresh
	failed    uint64            // refreshes that failed
	fresh     time.Time         // when the last that succeeded ended
	moved     map[uint16]string // what MOVED said since the refresh under way began
	callbacks []func(*Topology)

	notify sync.Mutex // held while callbacks run, so that they see snapshots in order
}

// NewMap returns a Map that begins at once to look for the topology. Close ends it.
func NewMap(source Source, config Config) *Map {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Map{
		source: source,
		config: config.withDefaults(),
		cancel: cancel,
		done:   make(chan struct{}),
		wake:   make(chan struct{}, 1),
		next:   make(chan struct{}),
		err:    ErrNoTopology,
		moved:  make(map[uint16]string),
	}
	m.spacing = m.config.MinInterval
	go m.run(ctx)
	return m
}

// Close ends the Map's goroutine and the refresh under way, and returns once they
// have ended. The last snapshot stays readable.
func (m *Map) Close() {
	m.cancel()
	<-m.done
}

// Load returns the current snapshot, nil before the first refresh that succeeds.
func (m *Map) Load() *Topology { return m.current.Load() }

// Err returns the error of the last refresh, nil when it succeeded, and
// [ErrNoTopology] before the first has ended. A failed refresh leaves the snapshot
// as it was.
func (m *Map) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Trigger asks for a refresh that begins after this call, and does not wait for it. It
// begins the later the more of them have brought nothing new, unless somebody else wants it.
func (m *Map) Trigger() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.wished {
		m.wished = true
		m.awaken()
	}
}

// want asks for a refresh and returns its number. The caller holds mu.
func (m *Map) want() uint64 {
	if !m.wanted {
		m.wanted = true
		m.awaken()
	}
	return m.begun + 1
}

// awaken has the Map's goroutine look again when the next refresh is due.
func (m *Map) awaken() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Refresh asks for a refresh that begins after this call and waits until it has
// ended or ctx is done. It returns the snapshot then current and the refresh's
// error; callers that ask at the same time share one refresh. The snapshot may be
// non-nil besides an error: it is the one kept from before.
func (m *Map) Refresh(ctx context.Context) (*Topology, error) {
	m.mu.Lock()
	number := m.want()
	for m.ended < number {
		next := m.next
		m.mu.Unlock()
		select {
		case <-next:
		case <-ctx.Done():
			return m.Load(), ctx.Err()
		case <-m.done:
			return m.Load(), ErrClosed
		}
		m.mu.Lock()
	}
	err := m.err
	m.mu.Unlock()
	return m.Load(), err
}

// Moved takes note that nodes have answered that the slots are now served by other
// addresses. As far as these are nodes of the deployment the snapshot is patched
// before Moved returns, once for all of them since a patch copies it; unless the
// snapshot said so already, a refresh is asked for. A refresh that is under way, and
// may have asked before the slots moved, does not undo the patch.
func (m *Map) Moved(moves map[uint16]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.begun > m.ended {
		maps.Copy(m.moved, moves)
	}
	t := m.current.Load()
	news := false
	for slot, addr := range moves {
		news = news || (slot < Slots && (t == nil || !t.serves(slot, addr)))
	}
	if !news {
		return
	}
	if t != nil {
		if patched := t.WithMoved(moves); patched != t {
			m.current.Store(patched)
		}
	}
	m.spacing = m.config.MinInterval
	m.want()
}

// OnChange has f called with every snapshot that a refresh has brought and that
// differs from the one before, in order, on the Map's own goroutine; and with the
// current snapshot, if there is one, before OnChange returns. Patches by Moved are
// not reported: they add and remove no node. f must not block for long and must
// not call OnChange or Close.
func (m *Map) OnChange(f func(*Topology)) {
	m.notify.Lock()
	defer m.notify.Unlock()
	m.mu.Lock()
	m.callbacks = append(m.callbacks, f)
	m.mu.Unlock()
	if t := m.Load(); t != nil {
		f(t)
	}
}

// run refreshes until ctx is done.
func (m *Map) run(ctx context.Context) {
	defer close(m.done)
	backoff := time.Duration(0)
	for {
		start := time.Now()
		err := m.refresh(ctx)
		pause := m.config.Interval
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			backoff = min(max(2*backoff, m.config.BackoffMin), m.config.BackoffMax)
			pause = jittered(backoff)
		default:
			backoff = 0
			pause = jittered(pause)
		}
		if !m.rest(ctx, start, pause) {
			return
		}
	}
}

// rest waits until the next refresh is due, given when the last one began and after
// which pause one is due that nobody asks for. It is false when ctx is done.
func (m *Map) rest(ctx context.Context, start time.Time, pause time.Duration) bool {
	var unasked time.Time
	if pause > 0 {
		unasked = time.Now().Add(pause)
	}
	for {
		var due <-chan time.Time
		if at := m.due(start, unasked); !at.IsZero() {
			wait := time.Until(at)
			if wait <= 0 {
				return ctx.Err() == nil
			}
			due = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return false
		case <-due:
		case <-m.wake:
		}
	}
}

// due returns when the next refresh is due as things stand, which is unasked at the
// latest; zero for never.
func (m *Map) due(start, unasked time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	least, at := start.Add(m.config.MinInterval), unasked
	switch {
	case m.wanted:
		return least
	case m.wished:
		if wished := start.Add(m.spacing); at.IsZero() || wished.Before(at) {
			at = wished
		}
	case at.IsZero():
		return at
	}
	if at.Before(least) {
		return least
	}
	return at
}

// jittered spreads a pause over 90 % to 110 % of its length, so that many
// instances do not ask the same nodes at the same moment.
func jittered(d time.Duration) time.Duration {
	if d <= 0 {
		return d
	}
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

// refresh asks the source once and installs what it says.
func (m *Map) refresh(ctx context.Context) error {
	m.mu.Lock()
	m.begun++
	asked := m.wanted || m.wished
	m.wanted, m.wished = false, false
	clear(m.moved)
	m.mu.Unlock()

	bounded, cancel := context.WithTimeout(ctx, m.config.Timeout)
	fresh, err := m.source.Topology(bounded)
	cancel()
	if ctx.Err() != nil {
		return ErrClosed // those who wait learn it from done
	}
	if err == nil && fresh == nil {
		err = ErrNoTopology
	}

	m.notify.Lock()
	defer m.notify.Unlock()
	m.mu.Lock()
	former, before := m.current.Load(), m.err
	changed := false
	if err == nil {
		fresh = fresh.WithMoved(m.moved)
		if changed = !fresh.Equal(former); changed {
			m.current.Store(fresh)
		}
	}
	if changed || (!asked && err == nil) {
		m.spacing = m.config.MinInterval
	} else {
		m.spacing = min(2*m.spacing, m.config.TriggerInterval)
	}
	m.err = err
	m.ended++
	if err != nil {
		m.failed++
	} else {
		m.fresh = time.Now()
	}
	close(m.next)
	m.next = make(chan struct{})
	callbacks := m.callbacks
	m.mu.Unlock()

	m.log(former, fresh, err, before)
	if changed {
		for _, f := range callbacks {
			f(fresh)
		}
	}
	return err
}

// log tells of what an operator wants to know: a failure that is not the same as
// the one before, the end of failures, and changes of the deployment's nodes or kind.
func (m *Map) log(former, fresh *Topology, err, before error) {
	switch {
	case err != nil:
		if before == nil || before.Error() != err.Error() {
			m.config.Logger.Warn("the topology could not be refreshed", "error", err, "known", former != nil)
		}
	case former == nil || former.IsCluster() != fresh.IsCluster() || !former.sameRoles(fresh):
		m.config.Logger.Info("the topology changed", "cluster", fresh.IsCluster(), "slots", fresh.Assigned(),
			"nodes", len(fresh.Nodes()), "primaries", fresh.Primaries(), "failed", fresh.failedNodes())
	case before != nil:
		m.config.Logger.Info("the topology can be refreshed again")
	}
}
