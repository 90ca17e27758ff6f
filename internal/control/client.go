package control

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// Client asks the nodes of one deployment. It implements [slotmap.Source]. All
// methods may be called concurrently. Close ends it.
type Client struct {
	config Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	asking sync.WaitGroup // goroutines that ask

	mu     sync.Mutex
	closed bool
	peers  map[string]*peer
	last   *slotmap.Topology
	zones  map[string]zone
}

// New returns a Client. Nothing is dialled before something is asked.
func New(config Config) *Client {
	ctx, cancel := context.WithCancel(context.Background())
	return &Client{
		config: config.withDefaults(),
		ctx:    ctx,
		cancel: cancel,
		peers:  make(map[string]*peer),
		zones:  make(map[string]zone),
	}
}

// Close ends what is being asked and closes all connections. It returns once
// everything has ended; from then on every method fails with [ErrClosed].
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.asking.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.peers {
		p.rest(time.Time{}, true)
	}
	clear(c.peers)
}

// known returns the addresses to ask: the nodes of the last topology, those that
// are well first and otherwise in random order, then the seeds that are not among
// them. A standalone deployment is asked through its seeds alone, in their order.
func (c *Client) known() []string {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	var addrs []string
	if last != nil && last.IsCluster() {
		addrs = slices.Clone(last.Nodes())
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
		slices.SortStableFunc(addrs, func(a, b string) int {
			return order(last.Failed(a)) - order(last.Failed(b))
		})
	}
	for _, seed := range c.config.Seeds {
		if seed != "" && !slices.Contains(addrs, seed) {
			addrs = append(addrs, seed)
		}
	}
	return addrs
}

func order(b bool) int {
	if b {
		return 1
	}
	return 0
}

// answer is what came of asking one node: v, or err.
type answer[T any] struct {
	addr  string
	place int // in the list of addresses
	v     T
	err   error
}

// survey asks the nodes, at most width of them at a time and each for no longer
// than the configured timeout, and hands every answer to take until take has heard
// enough (true) or all have answered. Further nodes are asked while wanting is
// true. take may set a time after which no more answers are waited for.
//
// What is still under way when survey returns is called off, and ends on its own
// soon after; Close waits for it.
func survey[T any](ctx context.Context, c *Client, addrs []string, wanting func() bool,
	ask func(context.Context, *peer) (T, error), take func(answer[T]) (wait time.Duration, enough bool)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()

	answers := make(chan answer[T], len(addrs))
	started, running := 0, 0
	start := func() error {
		for started < len(addrs) && running < width && wanting() {
			p, err := c.enter(addrs[started])
			if err != nil {
				return err
			}
			place := started
			started++
			running++
			go func() {
				defer c.asking.Done()
				v, err := guarded(ctx, p, ask)
				answers <- answer[T]{addr: p.addr, place: place, v: v, err: err}
			}()
		}
		return nil
	}
	if err := start(); err != nil {
		return err
	}
	var limit <-chan time.Time
	var ends time.Time
	for running > 0 {
		select {
		case a := <-answers:
			running--
			wait, enough := take(a)
			if enough {
				return nil
			}
			if at := time.Now().Add(wait); wait > 0 && (limit == nil || at.Before(ends)) {
				ends = at
				limit = time.After(wait)
			}
			if err := start(); err != nil {
				return err
			}
		case <-limit:
			return nil
		case <-ctx.Done():
			if c.ctx.Err() != nil {
				return ErrClosed
			}
			return context.Cause(ctx)
		}
	}
	return nil
}

// guarded asks a node. A defect in the reading of its answer costs that answer, not the process.
func guarded[T any](ctx context.Context, p *peer, ask func(context.Context, *peer) (T, error)) (v T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p.config.Logger.Error("reading a node's answer met a defect", "node", p.addr, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("reading the answer met a defect: %v", cause)
		}
	}()
	return ask(ctx, p)
}

// enter returns the peer of an address and counts a goroutine that is about to ask.
func (c *Client) enter(addr string) (*peer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	c.asking.Add(1)
	p := c.peers[addr]
	if p == nil {
		p = newPeer(addr, &c.config)
		c.peers[addr] = p
	}
	return p, nil
}

// tidy closes the connections that have not been used for a while, and forgets the
// nodes that are no longer part of the deployment.
func (c *Client) tidy(current *slotmap.Topology) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for addr, p := range c.peers {
		gone := !current.Has(addr) && !slices.Contains(c.config.Seeds, addr)
		if p.rest(time.Now().Add(-idle), gone) && gone {
			delete(c.peers, addr)
		}
	}
	for addr := range c.zones {
		if !current.Has(addr) {
			delete(c.zones, addr)
		}
	}
}
