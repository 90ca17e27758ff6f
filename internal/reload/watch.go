package reload

import (
	"context"
	"time"
)

// Checker looks whether files have changed; [Value] is one.
type Checker interface {
	Check() (changed bool)
}

// Watch checks at every interval until ctx ends.
func Watch(ctx context.Context, interval time.Duration, values ...Checker) {
	if len(values) == 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, v := range values {
			v.Check()
		}
	}
}
