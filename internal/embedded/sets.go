package embedded

import (
	"io"

	"github.com/alicebob/miniredis/v2/server"
)

// removeEmpty is run for the destination of a set operation. miniredis leaves a key of an
// empty set there, on which later commands fail; Valkey leaves no key.
const removeEmpty = "if redis.call('TYPE', KEYS[1])['ok'] == 'set' and redis.call('SCARD', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end"

// storesSet reports whether a command stores a set, and under which key.
func storesSet(name string, args []string) (key string, ok bool) {
	switch name {
	case "SDIFFSTORE", "SINTERSTORE", "SUNIONSTORE":
		if len(args) > 1 {
			return args[0], true
		}
	}
	return "", false
}

// tidy removes the empty sets that a command, or a transaction, may have stored.
func (s *Store) tidy(peer *server.Peer, session *session) {
	for _, key := range session.stored {
		s.aside(peer, io.Discard, "EVAL", removeEmpty, "1", key)
	}
	session.stored = session.stored[:0]
}
