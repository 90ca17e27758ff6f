package server

import (
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// linesPerSecond is how many log lines failures with one code leave in a second. An overload
// refuses tens of thousands of calls a second, and a line for each would be a load of its own.
const linesPerSecond = 10

// sampler chooses the failures that are logged.
type sampler struct {
	mu      sync.Mutex
	windows map[codes.Code]*window
}

// window is what came of one code's failures in a second.
type window struct {
	began  time.Time
	logged int
	held   int // not logged since the last that was
}

// take reports whether a failure is to be logged, and if so how many with its code were not
// logged before it.
func (s *sampler) take(code codes.Code, now time.Time) (log bool, held int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.windows == nil {
		s.windows = make(map[codes.Code]*window)
	}
	w := s.windows[code]
	if w == nil {
		w = &window{}
		s.windows[code] = w
	}
	if now.Sub(w.began) >= time.Second {
		w.began, w.logged = now, 0
	}
	if w.logged == linesPerSecond {
		w.held++
		return false, 0
	}
	w.logged++
	held, w.held = w.held, 0
	return true, held
}
