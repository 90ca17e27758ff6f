package server

import (
	"sync"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/node"
)

// userPools are the connections of the Valkey users that callers' batches run as. A user has
// none before its first batch.
type userPools struct {
	config node.Config

	mu     sync.RWMutex
	pools  map[*auth.User]*node.Pool
	closed bool
}

func newUserPools(config node.Config) *userPools {
	return &userPools{config: config, pools: make(map[*auth.User]*node.Pool)}
}

// get returns a user's connections.
func (u *userPools) get(user *auth.User) *node.Pool {
	u.mu.RLock()
	pool := u.pools[user]
	u.mu.RUnlock()
	if pool != nil {
		return pool
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if pool = u.pools[user]; pool == nil {
		config := u.config
		config.Username, config.Password = user.Name, user.Password
		pool = node.NewPool(config)
		if u.pools[user] = pool; u.closed {
			pool.Close()
		}
	}
	return pool
}

// retain closes the connections to nodes that are not in the set.
func (u *userPools) retain(addrs map[string]struct{}) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for _, pool := range u.pools {
		pool.Retain(addrs)
	}
}

// only lets go of the connections of all users but these, once what is in flight has ended. Their
// pools stay, empty, until the server ends.
func (u *userPools) only(users map[*auth.User]bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for user, pool := range u.pools {
		if !users[user] {
			pool.Retain(nil)
		}
	}
}

// close ends all connections.
func (u *userPools) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for _, pool := range u.pools {
		pool.Close()
	}
}
