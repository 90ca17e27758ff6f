package control

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

// Health returns nil when the deployment can serve: on a cluster, when some known
// node can be reached and says cluster_state:ok; on a standalone deployment, when the
// node answers and is neither loading nor cut off from the data it should serve.
// Otherwise the error is an [*UnavailableError] with what every node said.
func (c *Client) Health(ctx context.Context) error {
	addrs := c.known()
	c.mu.Lock()
	if last := c.last; last != nil && !last.IsCluster() {
		addrs = last.Nodes()
	}
	c.mu.Unlock()
	well := false
	failed := &UnavailableError{Want: "its health"}
	err := survey(ctx, c, addrs, func() bool { return !well }, c.well,
		func(a answer[struct{}]) (time.Duration, bool) {
			if well = a.err == nil; !well {
				failed.Nodes = append(failed.Nodes, &NodeError{Addr: a.addr, Err: a.err})
			}
			return 0, well
		})
	switch {
	case well:
		return nil
	case err != nil && len(failed.Nodes) > 0:
		return errors.Join(err, failed)
	case err != nil:
		return err
	default:
		return failed
	}
}

// well asks one node.
func (c *Client) well(ctx context.Context, p *peer) (struct{}, error) {
	replies, err := p.ask(ctx,
		[]string{"HELLO", "3"},
		[]string{"PING"},
		[]string{"CLUSTER", "INFO"},
		[]string{"INFO", "cluster"})
	if err != nil {
		return struct{}{}, err
	}
	hello, ping, info := replies[0], replies[1], replies[2]
	if err := ping.Error(); err != nil && unready(err) {
		return struct{}{}, &StateError{State: err.Error()}
	}
	if mode, _ := identity(hello, info, info, replies[3]); mode != "cluster" {
		return struct{}{}, nil
	}
	// A user who may not run CLUSTER INFO has to be content with an answer.
	if text, err := info.ToString(); err == nil {
		if state := parseInfo(text)["cluster_state"]; state != "ok" {
			return struct{}{}, &StateError{State: "cluster_state:" + state}
		}
	}
	return struct{}{}, nil
}

// unready reports whether an error reply means that the node cannot serve now. A
// refusal (NOPERM) or a script that runs for long (BUSY) does not mean that.
func unready(err error) bool {
	refused, ok := valkey.IsValkeyErr(err)
	if !ok {
		return true
	}
	code, _, _ := strings.Cut(refused.Error(), " ")
	switch code {
	case "LOADING", "MASTERDOWN", "NOAUTH":
		return true
	}
	return false
}
