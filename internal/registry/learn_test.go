package registry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/command"
)

// total is how many questions about single names there were.
func (d *deployment) total() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, asked := range d.asked {
		if name != "*" {
			n += asked
		}
	}
	return n
}

// flood asks about many names that mean nothing, each for the first time.
func flood(t *testing.T, r *Registry, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if known, err := r.Learn(context.Background(), fmt.Sprintf("no%d", i)); known || err != nil {
			t.Fatalf("no%d: %v, %v", i, known, err)
		}
	}
}

func TestLearnSubcommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deployment{infos: map[string]*command.Info{}}
		r := start(t, d)
		synctest.Wait() // for the first top-up
		d.set(func() { d.infos["script|shout"] = &command.Info{Name: "script shout", Arity: 3} })
		ctx := context.Background()
		args := [][]byte{[]byte("SCRIPT"), []byte("Shout"), []byte("x")}
		for range 2 {
			if known, err := r.Learn(ctx, "Script|SHOUT"); !known || err != nil {
				t.Errorf("got %v, %v", known, err)
			}
			if c, ok := r.Table().Lookup(args); !ok || c.Name != "script shout" {
				t.Errorf("%q is %v", args, c)
			}
		}
		if n := d.questions("script|shout"); n != 1 {
			t.Errorf("asked %d times about a subcommand, want once", n)
		}
		if known, err := r.Learn(ctx, "config|set"); !known || err != nil || d.questions("config|set") != 0 {
			t.Errorf("a known subcommand: %v, %v", known, err)
		}
		for range 3 {
			if known, err := r.Learn(ctx, "CONFIG|NoSuch"); known || err != nil {
				t.Errorf("got %v, %v", known, err)
			}
		}
		if n := d.questions("config|nosuch"); n != 1 {
			t.Errorf("asked %d times about an unknown subcommand, want once", n)
		}
	})
}

// TestFlood: names that mean nothing cost a bounded number of questions, and keep no module's
// command unknown for long.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deployment{infos: map[string]*command.Info{}}
		r := start(t, d)
		synctest.Wait()
		flood(t, r, 0, 250_000)
		if n := d.total(); n != questionsPerSecond {
			t.Errorf("%d questions, want %d", n, questionsPerSecond)
		}
		synctest.Wait()
		if n := d.questions("*"); n != 2 {
			t.Errorf("the table was read %d times, want once more than at the start", n)
		}
		// A module is loaded while the flood goes on.
		d.set(func() { d.infos["mod.new"] = &command.Info{Name: "mod.new", Arity: 2} })
		if known, err := r.Learn(context.Background(), "mod.new"); known || err != nil {
			t.Errorf("beyond the budget: %v, %v", known, err)
		}
		for i := 0; i < 110 && !has(r, "mod.new"); i++ {
			flood(t, r, 250_000+100*i, 250_000+100*(i+1))
			time.Sleep(hurryPause / 100)
		}
		synctest.Wait()
		if !has(r, "mod.new") {
			t.Error("the module's command is still unknown")
		}
		if n := d.questions("*"); n != 3 {
			t.Errorf("the table was read %d times, want 3 times", n)
		}
		// What was not asked about is not taken for unknown afterwards.
		time.Sleep(time.Second)
		d.set(func() { d.infos["no200000"] = &command.Info{Name: "no200000", Arity: 1} })
		if known, err := r.Learn(context.Background(), "no200000"); !known || err != nil {
			t.Errorf("in a quiet moment: %v, %v", known, err)
		}
	})
}

// TestFloodBeforeTheFirstTopUp: what was never asked, in any way, is not said to be unknown.
func TestFloodBeforeTheFirstTopUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deployment{err: errors.New("loading")}
		r := New(Config{Base: command.Builtin(), Source: d, BackoffMin: time.Hour, BackoffMax: time.Hour})
		defer r.Close()
		synctest.Wait()
		d.set(func() { d.err = nil })
		flood(t, r, 0, questionsPerSecond)
		if known, err := r.Learn(context.Background(), "mod.new"); known || !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, %v", known, err)
		}
		synctest.Wait() // that has brought the top-up forward
		if known, err := r.Learn(context.Background(), "mod.new"); known || err != nil {
			t.Errorf("after it: %v, %v", known, err)
		}
	})
}

// TestQuestionsAreRenewed: a steady trickle of unknown names is always asked about, and what
// is remembered of it stays bounded.
func TestQuestionsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deployment{}
		r := start(t, d)
		synctest.Wait()
		const names = 3 * maxMisses
		for i := range names {
			flood(t, r, i, i+1)
			time.Sleep(time.Second / questionsPerSecond)
		}
		if n := d.total(); n != names {
			t.Errorf("%d questions, want %d", n, names)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.misses) > maxMisses {
			t.Errorf("%d names are remembered", len(r.misses))
		}
	})
}
