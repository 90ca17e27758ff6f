package deploy

import (
	"context"
	"fmt"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// Wanted are the keys to be read.
type Wanted struct {
	Lists, Strings []string
}

// Truth is what the deployment holds in the end.
type Truth struct {
	Lists   map[string][]string
	Strings map[string]string // a key that is not there is not in it
}

// Read reads keys from the nodes that serve them now, with nothing in between.
func (d *Deployment) Read(ctx context.Context, w Wanted) (*Truth, error) {
	t := &Truth{Lists: make(map[string][]string, len(w.Lists)), Strings: make(map[string]string, len(w.Strings))}
	owners := make(map[uint16]*local.Client)
	clients := make(map[*Node]*local.Client)
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	client := func(key string) (*local.Client, error) {
		slot := local.Slot(key)
		if c := owners[slot]; c != nil {
			return c, nil
		}
		n, err := d.Owner(ctx, slot)
		if err != nil {
			return nil, err
		}
		c := clients[n]
		if c == nil {
			if c, err = n.Dial(ctx); err != nil {
				return nil, err
			}
			clients[n] = c
		}
		owners[slot] = c
		return c, nil
	}
	for _, key := range w.Lists {
		c, err := client(key)
		if err != nil {
			return nil, err
		}
		reply, err := c.Do(ctx, "LRANGE", key, "0", "-1")
		if err == nil {
			t.Lists[key], err = reply.Strings()
		}
		if err != nil {
			return nil, fmt.Errorf("reading the list %s: %w", key, err)
		}
	}
	for _, key := range w.Strings {
		c, err := client(key)
		if err != nil {
			return nil, err
		}
		reply, err := c.Do(ctx, "GET", key)
		if err == nil {
			err = reply.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", key, err)
		}
		if len(reply) > 0 && reply[0] != '_' {
			t.Strings[key] = reply.Text()
		}
	}
	return t, nil
}
