package embedded

import (
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// clock makes the store's keys expire as time passes. miniredis moves its expiry times only
// when told to, and each move visits every key. So the clock moves before commands, no more
// often than every millisecond, and no more often than that moving takes a twentieth of the
// time. Nothing observes the store between commands, so nothing is seen to expire late.
type clock struct {
	redis *miniredis.Miniredis

	mu   sync.Mutex
	last time.Time     // when the clock was last moved
	rest time.Duration // how long it rests after that
}

const (
	minRest   = time.Millisecond
	restShare = 20
)

func (c *clock) start(redis *miniredis.Miniredis) {
	c.redis = redis
	c.last = time.Now()
	c.rest = minRest
}

// tick moves the clock if that is due. The store must not be locked by the caller.
func (c *clock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	passed := now.Sub(c.last)
	if passed < c.rest {
		return
	}
	c.redis.FastForward(passed)
	c.last = now
	c.rest = max(minRest, restShare*time.Since(now))
}
