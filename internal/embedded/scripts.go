package embedded

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2/server"
)

// prelude takes from a script what miniredis leaves in its reach and Valkey does not: ways to
// files, to modules and to the process's standard output. It stands on the script's first
// line, so that line numbers in errors stay right.
const prelude = "dofile=nil loadfile=nil require=nil module=nil package=nil print=nil _printregs=nil "

// scripts remembers, by the digest of every script as its caller wrote it, the digest of what
// the store runs instead: the same script behind the prelude.
type scripts struct {
	mu      sync.Mutex
	digests map[string]string
}

// wrap returns what the store runs in a script's place.
func (s *scripts) wrap(script string) (wrapped, digest string) {
	wrapped = prelude + script
	digest = sha1Hex(script)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.digests == nil {
		s.digests = make(map[string]string)
	}
	s.digests[digest] = sha1Hex(wrapped)
	return wrapped, digest
}

// wrapped returns the digest of what the store runs for a script's digest. A digest that is
// not known is returned as it is: the store does not know it either.
func (s *scripts) wrapped(digest string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.digests[strings.ToLower(digest)]; ok {
		return known
	}
	return digest
}

func (s *scripts) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.digests)
}

func sha1Hex(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// script answers the commands that take scripts or their digests. It reports false for those
// that miniredis can word the error of.
func (s *Store) script(peer *server.Peer, session *session, name string, args []string) bool {
	if len(args) == 0 {
		return false
	}
	command := append([]string{name}, args...)
	switch name {
	case "EVAL", "EVAL_RO":
		command[1], _ = s.scripts.wrap(args[0])
	case "EVALSHA", "EVALSHA_RO":
		command[1] = s.scripts.wrapped(args[0])
	case "SCRIPT":
		switch strings.ToLower(args[0]) {
		case "load":
			if len(args) == 2 {
				s.load(peer, session, args[1])
				return true
			}
		case "exists":
			for i := 1; i < len(args); i++ {
				command[i+1] = s.scripts.wrapped(args[i])
			}
		case "flush":
			s.scripts.flush()
		}
	}
	s.server.Dispatch(peer, command)
	return true
}

// load answers SCRIPT LOAD, whose reply is the digest of the script as the caller wrote it.
func (s *Store) load(peer *server.Peer, session *session, script string) {
	if session.queueing {
		s.refuse(peer, session, "ERR SCRIPT LOAD in a transaction is not supported by the embedded store")
		return
	}
	wrapped, digest := s.scripts.wrap(script)
	var reply bytes.Buffer
	s.aside(peer, &reply, "SCRIPT", "LOAD", wrapped)
	if strings.HasPrefix(reply.String(), "-") {
		peer.WriteRaw(reply.String())
		return
	}
	peer.WriteBulk(digest)
}
