package httpapi

import (
	"net/http"
	"sync/atomic"
	"time"
)

// writer is a response whose caller has to read it: each piece has its time.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	aborted atomic.Bool
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (n int, err error) {
	for {
		k := min(len(p), piece)
		w.watch()
		m, err := w.ResponseWriter.Write(p[:k])
		n += m
		if p = p[k:]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// Flush implements http.Flusher.
func (w *writer) Flush() {
	w.watch()
	_ = w.control.Flush() // what it could tell, the next Write does
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) watch() {
	if !w.aborted.Load() {
		_ = w.control.SetWriteDeadline(time.Now().Add(w.stall))
	}
	if w.aborted.Load() {
		w.expire()
	}
}

// abort makes a Write that waits, and every later one, fail.
func (w *writer) abort() {
	w.aborted.Store(true)
	w.expire()
}

func (w *writer) expire() { _ = w.control.SetWriteDeadline(time.Unix(1, 0)) }
