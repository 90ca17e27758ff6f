package executor

import (
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = 320 * time.Millisecond
	// shortPause is the longest pause for whose sake a batch gives up near its deadline.
	shortPause = 100 * time.Millisecond
	// maxSteps is the number of the retry from which on the pause is the longest.
	maxSteps = 6
)

// backoff returns the pause before the n-th retry, n from 1: exponential, with half of it
// random, so that callers refused together do not come back together.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n < maxSteps {
		d = firstBackoff << (n - 1)
	}
	return d/2 + rand.N(d/2+1)
}
