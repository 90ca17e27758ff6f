package registry

import (
	"context"
	"errors"
	"strings"
	"time"
)

// The bounds of what callers can make a Registry remember and ask.
const (
	// maxWord is the longest name of a command or a subcommand, in bytes, that is worth a question.
	maxWord = 64
	// missTTL is how long an unknown name is believed to be unknown; modules can be loaded.
	missTTL = 10 * time.Second
	// maxMisses is how many unknown names are remembered before those that have expired are
	// dropped. The budget of questions keeps those that have not far below it.
	maxMisses = 1024
	// maxQuestions is how many questions are under way at once.
	maxQuestions = 4
	// hurryPause is the least time between two top-ups that the budget's end brings forward.
	hurryPause = 10 * time.Second
)

// Errors of [Registry.Learn].
var (
	// ErrClosed is what it returns after Close.
	ErrClosed = errors.New("registry: closed")
	// ErrBusy is that too many questions were asked of late, and that the deployment's commands
	// have never been read as a whole, so that nothing can be said of the name.
	ErrBusy = errors.New("registry: the deployment's commands are not known yet, and too many unknown ones are asked for")
)

// Learn asks the deployment about a command that the table lacks ("mod.get"), or about a
// subcommand that its container lacks ("config|set"), and adds it. Known is whether it is in
// the table afterwards. An error means that the deployment could not be asked.
//
// A name that no command can have is never asked about: one that is not one or two words of
// printable ASCII. Nor is one that was unknown a moment ago (missTTL). Beyond
// questionsPerSecond, names are unknown without a question, so that nobody can keep the
// deployment, or the batches behind them, busy with names that mean nothing; that brings a
// top-up of the whole table forward, so that commands of a module loaded meanwhile are known
// soon (hurryPause at most) all the same.
func (r *Registry) Learn(ctx context.Context, name string) (known bool, err error) {
	words, ok := split(name)
	if !ok {
		return false, nil
	}
	if _, ok := r.Table().Lookup(words); ok {
		return true, nil
	}
	name = strings.ToLower(name) // ASCII
	if r.cfg.Source == nil {
		return false, nil
	}
	if known, err = r.admit(name); !known {
		return false, err
	}
	// The question outlives the caller who asked first: others may wait for the same answer.
	answer := r.questions.DoChan(name, func() (any, error) { return r.ask(name) })
	select {
	case result := <-answer:
		r.owned.Done()
		if result.Err != nil {
			return false, result.Err
		}
		return result.Val.(bool), nil
	case <-ctx.Done():
		// The answer is awaited all the same, so that Close can wait for the question's end.
		go func() {
			defer r.owned.Done()
			<-answer
		}()
		return false, ctx.Err()
	}
}

// admit reports whether a question is to be asked, and then takes part in what Close waits for.
func (r *Registry) admit(name string) (bool, error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, ErrClosed
	}
	if until, ok := r.misses[name]; ok && now.Before(until) {
		return false, nil
	}
	if !r.budget.left(now) {
		return false, r.beyondBudget(now)
	}
	r.owned.Add(1)
	return true, nil
}

// beyondBudget is the answer to a question that is not asked. The caller holds the lock.
func (r *Registry) beyondBudget(now time.Time) error {
	if r.hurried.IsZero() || now.Sub(r.hurried) >= hurryPause {
		r.hurried = now
		r.Trigger()
	}
	if !r.topped {
		return ErrBusy
	}
	return nil
}

// ask puts the question to the deployment and remembers the answer.
func (r *Registry) ask(name string) (known bool, err error) {
	r.mu.Lock()
	if now := time.Now(); !r.budget.take(now) { // others were faster since admit
		defer r.mu.Unlock()
		return false, r.beyondBudget(now)
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	infos, err := r.cfg.Source.CommandInfo(ctx, name)
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(infos) == 0 {
		r.remember(name)
		return false, nil
	}
	r.table.Store(r.table.Load().With(infos))
	return true, nil
}

// remember notes an unknown name. The caller holds the lock.
func (r *Registry) remember(name string) {
	now := time.Now()
	if len(r.misses) >= maxMisses {
		for other, until := range r.misses {
			if now.After(until) {
				delete(r.misses, other)
			}
		}
	}
	r.misses[name] = now.Add(missTTL)
}

// split returns the words of a name, "config|set", if it could be that of a command or a
// subcommand: printable ASCII without spaces. Nothing else is worth a round trip.
func split(name string) (words [][]byte, ok bool) {
	if len(name) > 2*maxWord+1 {
		return nil, false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return nil, false
		}
	}
	first, second, two := strings.Cut(name, "|")
	words = [][]byte{[]byte(first)}
	if two {
		words = append(words, []byte(second))
	}
	for _, word := range words {
		if len(word) == 0 || len(word) > maxWord || strings.Contains(string(word), "|") {
			return nil, false
		}
	}
	return words, true
}
