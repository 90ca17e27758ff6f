package executor

import (
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = 320 * time.Millisecond
)

// backoff returns the pause before the n-th retry, n from 1: exponential, with half of it
// random, so that callers refused together do not come back together.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n < 6 {
		d = firstBackoff << (n - 1)
	}
	return d/2 + rand.N(d/2+1)
}
