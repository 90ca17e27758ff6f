package deploy

import (
	"context"
	"strings"
	"time"
)

// Forget empties the deployment, and the records of what its servers executed.
func (d *Deployment) Forget(ctx context.Context) error {
	primaries, err := d.Primaries(ctx)
	if err != nil {
		return err
	}
	for _, n := range primaries {
		if _, err := n.MustOK(ctx, "FLUSHALL", "SYNC"); err != nil {
			return err
		}
	}
	for _, n := range d.Nodes() {
		if err := d.rewrite(ctx, n); err != nil {
			return err
		}
	}
	return d.records.forget()
}

// rewrite makes a server begin a new append-only file. A server that is about one already says so,
// and begins once more when it is done.
func (d *Deployment) rewrite(ctx context.Context, n *Node) error {
	for asked := false; ; {
		info, err := n.MustOK(ctx, "INFO", "persistence")
		if err != nil {
			return err
		}
		busy := strings.Contains(info.Text(), "aof_rewrite_in_progress:1") ||
			strings.Contains(info.Text(), "aof_rewrite_scheduled:1") || strings.Contains(info.Text(), "rdb_bgsave_in_progress:1")
		switch {
		case !busy && asked:
			return nil
		case !busy:
			if _, err := n.MustOK(ctx, "BGREWRITEAOF"); err != nil {
				return err
			}
			asked = true
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
