package registry

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// deployment is a Source with the given commands.
type deployment struct {
	mu     sync.Mutex
	infos  map[string]*command.Info
	err    error
	asked  map[string]int // by name; "*" for the whole table
	answer chan struct{}  // if not nil, answers wait for it
}

func (d *deployment) Commands(context.Context) ([]*command.Info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count("*")
	var out []*command.Info
	for _, info := range d.infos {
		out = append(out, info)
	}
	return out, d.err
}

func (d *deployment) CommandInfo(ctx context.Context, name string) ([]*command.Info, error) {
	d.mu.Lock()
	d.count(name)
	answer := d.answer
	d.mu.Unlock()
	if answer != nil {
		select {
		case <-answer:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if info, ok := d.infos[name]; ok {
		return []*command.Info{info}, d.err
	}
	return nil, d.err
}

func (d *deployment) count(name string) {
	if d.asked == nil {
		d.asked = map[string]int{}
	}
	d.asked[name]++
}

func (d *deployment) questions(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[name]
}

func (d *deployment) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func has(r *Registry, name string) bool {
	_, ok := r.Table().Lookup([][]byte{[]byte(name)})
	return ok
}

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func start(t *testing.T, source Source) *Registry {
	t.Helper()
	r := New(Config{Base: command.Builtin(), Source: source, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond})
	t.Cleanup(r.Close)
	return r
}

func TestTopUp(t *testing.T) {
	d := &deployment{infos: map[string]*command.Info{"mod.one": {Name: "mod.one", Arity: 2}}, err: errors.New("down")}
	r := start(t, d)
	if !has(r, "get") {
		t.Error("the built-in table is there from the start")
	}
	eventually(t, "a second attempt", func() bool { return d.questions("*") > 1 })
	if has(r, "mod.one") {
		t.Error("known before the deployment could be asked")
	}
	d.set(func() { d.err = nil })
	eventually(t, "the module's command", func() bool { return has(r, "mod.one") })
	if !has(r, "get") {
		t.Error("the built-in commands are gone")
	}
	d.set(func() { d.infos["mod.two"] = &command.Info{Name: "mod.two", Arity: 2} })
	r.Trigger()
	eventually(t, "the second command", func() bool { return has(r, "mod.two") })
}

func TestLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deployment{infos: map[string]*command.Info{}}
		r := start(t, d)
		synctest.Wait() // for the first top-up
		ctx := context.Background()
		for range 3 {
			if known, err := r.Learn(ctx, "NoSuch"); known || err != nil {
				t.Errorf("got %v, %v", known, err)
			}
		}
		if n := d.questions("nosuch"); n != 1 {
			t.Errorf("asked %d times about an unknown command, want once", n)
		}
		d.set(func() { d.infos["mod.new"] = &command.Info{Name: "mod.new", Arity: 2} })
		if known, err := r.Learn(ctx, "MOD.NEW"); !known || err != nil || !has(r, "mod.new") {
			t.Errorf("got %v, %v", known, err)
		}
		if known, err := r.Learn(ctx, "get"); !known || err != nil || d.questions("get") != 0 {
			t.Errorf("a known command: %v, %v, %d questions", known, err, d.questions("get"))
		}
		for _, name := range []string{"", "a b", "a\n", "grüß", strings.Repeat("x", maxWord+1), strings.Repeat("x", 1<<20), "get\x00", "\u212aeys",
			"|", "config|", "|set", "config|set|x", "config||set", "config|se t", "config|set\x00", "config|" + strings.Repeat("x", maxWord+1)} {
			if known, err := r.Learn(ctx, name); known || err != nil || d.questions(name) != 0 {
				t.Errorf("%q: %v, %v, %d questions", name, known, err, d.questions(name))
			}
		}
		d.set(func() { d.err = errors.New("down") })
		if _, err := r.Learn(ctx, "other"); err == nil {
			t.Error("an unreachable deployment must be an error")
		}
	})
}

// TestLearnTogether checks that callers who miss the same command share one question, that
// each honours its own context, and that Close ends what is under way.
func TestLearnTogether(t *testing.T) {
	d := &deployment{infos: map[string]*command.Info{"mod.new": {Name: "mod.new", Arity: 2}}, answer: make(chan struct{})}
	r := start(t, d)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if known, err := r.Learn(context.Background(), "mod.slow"); known || err != nil {
				t.Errorf("got %v, %v", known, err)
			}
		})
	}
	eventually(t, "the question", func() bool { return d.questions("mod.slow") == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Learn(ctx, "mod.slow"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled caller got %v", err)
	}
	close(d.answer)
	wg.Wait()
	if n := d.questions("mod.slow"); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}

	d.set(func() { d.answer = make(chan struct{}) })
	wg.Go(func() {
		if _, err := r.Learn(context.Background(), "mod.hung"); err == nil {
			t.Error("Close must end the wait with an error")
		}
	})
	eventually(t, "the hung question", func() bool { return d.questions("mod.hung") == 1 })
	r.Close()
	wg.Wait()
	if _, err := r.Learn(context.Background(), "mod.more"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestWithoutSource(t *testing.T) {
	r := start(t, nil)
	if known, err := r.Learn(context.Background(), "nosuch"); known || err != nil {
		t.Errorf("got %v, %v", known, err)
	}
}
