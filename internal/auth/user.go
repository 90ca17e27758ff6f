package auth

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/valkeybatch/valkeybatch/internal/credential"
)

// maxUsers bounds the Valkey users of a file: each has connections of its own to every node.
const maxUsers = 64

// User is a Valkey user that an identity's batches run as, so that Valkey's own ACL holds for
// them. Versions of the file that name the same user with the same password file share it.
type User struct {
	// Name is the user's name.
	Name string
	// Password follows the user's password file.
	Password *credential.Password

	withdrawn atomic.Bool
}

// Withdrawn reports whether the file does not name the user any more. A user that it names again
// later is another User.
func (u *User) Withdrawn() bool { return u.withdrawn.Load() }

// userKey is what tells users apart.
type userKey struct{ name, passwordFile string }

// user returns the user that an entry names; nil: none.
func (c *Callers) user(e *entry, users map[userKey]*User) (*User, error) {
	switch {
	case e.Username == "" && e.PasswordFile == "":
		return nil, nil
	case !c.users:
		return nil, errors.New("valkey-username: there are no users without a Valkey (--valkey)")
	case e.Username == "" || e.PasswordFile == "":
		return nil, errors.New("valkey-username and valkey-password-file need each other")
	}
	key := userKey{e.Username, e.PasswordFile}
	if u := users[key]; u != nil {
		return u, nil
	}
	u := c.known[key]
	if u == nil {
		password, err := credential.FromFile(e.PasswordFile, c.logger)
		if err != nil {
			return nil, fmt.Errorf("valkey-password-file: %w", err)
		}
		u = &User{Name: e.Username, Password: password}
	}
	if users[key] = u; len(users) > maxUsers {
		return nil, fmt.Errorf("valkey-username: there are more than %d users, each of which has connections of its own", maxUsers)
	}
	return u, nil
}

// Users are the Valkey users that the file names.
func (c *Callers) Users() map[*User]bool {
	out := make(map[*User]bool)
	for _, u := range c.file.Load().users {
		out[u] = true
	}
	return out
}

// OnChange has f called after each change of the file, when users that it names no more are withdrawn.
// It is to be called before the first Check.
func (c *Callers) OnChange(f func()) { c.changed = f }

// Check implements [reload.Checker]: it looks at the file, and at the password files of its users.
func (c *Callers) Check() (changed bool) {
	before := c.file.Load().users
	changed = c.file.Check()
	now := c.file.Load().users
	for key, u := range before {
		if now[key] != u {
			u.withdrawn.Store(true)
		}
	}
	for _, u := range now {
		u.Password.Check()
	}
	if changed && c.changed != nil {
		c.changed()
	}
	return changed
}
