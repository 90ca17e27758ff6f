package server

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/node"
)

// userPools are the connections of the Valkey users that callers' batches run as. A user has
// none before its first batch, and none any more when it is withdrawn and its last batch has ended.
type userPools struct {
	config node.Config

	mu    sync.RWMutex
	pools map[*auth.User]*userPool
	// open are all pools that are not closed: those let go of have batches still.
	open map[*userPool]struct{}
	// past are the counts of pools that are closed, by address, so that sums do not shrink.
	past    map[string]node.Stats
	closed  bool
	closing sync.WaitGroup
}

// userPool are the connections of one user.
type userPool struct {
	*node.Pool
	// uses counts the batches that use the pool, and the user's place in userPools.pools.
	uses atomic.Int64
	// done ends a use. It is made once, so that batches need not.
	done func()
}

func newUserPools(config node.Config) *userPools {
	return &userPools{
		config: config, pools: make(map[*auth.User]*userPool), open: make(map[*userPool]struct{}), past: make(map[string]node.Stats),
	}
}

// get returns a user's connections for a batch. done must be called once when the batch has ended.
func (u *userPools) get(user *auth.User) (pool *node.Pool, done func()) {
	u.mu.RLock()
	p := u.pools[user]
	if p != nil {
		p.uses.Add(1) // while the user has its place, so that the pool is open
	}
	u.mu.RUnlock()
	if p != nil {
		return p.Pool, p.done
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if p = u.pools[user]; p == nil {
		config := u.config
		config.Username, config.Password = user.Name, user.Password
		p = &userPool{Pool: node.NewPool(config)}
		p.done = func() { u.release(p) }
		if u.closed {
			p.Close()
			return p.Pool, func() {}
		}
		u.open[p] = struct{}{}
		// A batch whose caller was known before its user was withdrawn has connections of its own.
		if !user.Withdrawn() {
			u.pools[user] = p
			p.uses.Add(1)
		}
	}
	p.uses.Add(1)
	return p.Pool, p.done
}

// release ends a use of a pool, and with the last one the pool.
func (u *userPools) release(p *userPool) {
	if p.uses.Add(-1) > 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return // close has all that is open
	}
	u.closing.Add(1)
	go func() { // closing waits for what a connection is about, and nobody has to wait for that
		defer u.closing.Done()
		p.Close()
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.open, p)
		for _, s := range p.Stats() {
			sum := node.Stats{Addr: s.Addr, Reachable: true}
			sum.Count(u.past[s.Addr])
			sum.Count(s)
			u.past[s.Addr] = sum
		}
	}()
}

// retain closes the connections to nodes that are not in the set.
func (u *userPools) retain(addrs map[string]struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for p := range u.open {
		p.Retain(addrs)
	}
	maps.DeleteFunc(u.past, func(addr string, _ node.Stats) bool {
		_, ok := addrs[addr]
		return !ok
	})
}

// only lets go of the connections of all users but these: they are closed once the batches that
// use them have ended. Users that are left out must be withdrawn.
func (u *userPools) only(users map[*auth.User]bool) {
	var gone []*userPool
	u.mu.Lock()
	for user, p := range u.pools {
		if !users[user] {
			delete(u.pools, user)
			gone = append(gone, p)
		}
	}
	u.mu.Unlock()
	for _, p := range gone {
		p.done()
	}
}

// stats returns the state of all connections, those of the given pool included, by node.
func (u *userPools) stats(own *node.Pool) []node.Stats {
	u.mu.RLock()
	defer u.mu.RUnlock()
	all := [][]node.Stats{own.Stats(), slices.Collect(maps.Values(u.past))}
	for p := range u.open {
		all = append(all, p.Stats())
	}
	return node.Sum(all...)
}

// close ends all connections.
func (u *userPools) close() {
	u.mu.Lock()
	u.closed = true
	open := slices.Collect(maps.Keys(u.open))
	u.mu.Unlock()
	for _, p := range open {
		p.Close()
	}
	u.closing.Wait()
}
