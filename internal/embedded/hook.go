package embedded

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/alicebob/miniredis/v2/server"
)

// databases is how many databases SELECT knows, as with Valkey's default configuration.
const databases = 16

// session is what is known of one connection.
type session struct {
	// inside is set while a command runs that has passed the hook already.
	inside bool
	// queueing is set between MULTI and EXEC or DISCARD.
	queueing bool
	// stored are the keys that set operations may have left empty sets under.
	stored []string
}

// hook sees every command before miniredis does, and reports whether it has dealt with it.
// Commands that scripts call come here too, on peers of their own and with the store locked.
func (s *Store) hook(peer *server.Peer, name string, args ...string) bool {
	session := s.session(peer)
	switch {
	case session == nil:
		return s.scripts.nested(peer, time.Since(s.started), name, args) ||
			s.lacking(peer, nil, name, args) || s.unbounded(peer, nil, name, args)
	case session.inside:
		return false
	}
	s.protect(peer, session, name, func() {
		s.clock.tick()
		if !s.corrected(peer, session, name, args) && !s.unbounded(peer, session, name, args) {
			s.execute(peer, session, name, args)
		}
	})
	return true
}

// protect runs what a command does, and keeps its panics from ending the process.
func (s *Store) protect(peer *server.Peer, session *session, name string, run func()) {
	session.inside = true
	defer func() {
		session.inside = false
		if r := recover(); r != nil {
			s.recovered(peer, name, r)
		}
	}()
	run()
}

// execute has miniredis carry out a command, and keeps account of what follows from it.
func (s *Store) execute(peer *server.Peer, session *session, name string, args []string) {
	s.server.Dispatch(peer, append([]string{name}, args...))
	switch name {
	case "MULTI":
		session.queueing = true
	case "EXEC", "DISCARD":
		session.queueing = false
	}
	if key, ok := storesSet(name, args); ok {
		session.stored = append(session.stored, key)
	}
	if len(session.stored) > 0 && !session.queueing {
		s.tidy(peer, session)
	}
}

// session returns what is known of a connection, and nil for the peers of scripts: those are
// made with a context, while connections get theirs with their first command.
func (s *Store) session(peer *server.Peer) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.sessions[peer]; ok {
		return known
	}
	if peer.Ctx != nil {
		return nil
	}
	fresh := &session{}
	s.sessions[peer] = fresh
	peer.OnDisconnect(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sessions, peer)
	})
	return fresh
}

// corrected answers the commands that miniredis answers otherwise than a standalone Valkey.
func (s *Store) corrected(peer *server.Peer, session *session, name string, args []string) bool {
	switch name {
	case "CLUSTER":
		// miniredis plays a cluster of one node.
		s.refuse(peer, session, "ERR This instance has cluster support disabled")
		return true
	case "COMMAND":
		// miniredis answers with the command table of an old Redis, which is not its own.
		s.refuse(peer, session, unsupported("command"))
		return true
	case "INFO":
		// ECHO gives the text as the reply, in a transaction too.
		s.server.Dispatch(peer, []string{"ECHO", s.info(args)})
		return true
	case "SELECT":
		if len(args) == 1 {
			if db, err := strconv.Atoi(args[0]); err == nil && db >= databases {
				s.refuse(peer, session, "ERR DB index is out of range")
				return true
			}
		}
	case "KEYS", "SCAN", "HSCAN", "SSCAN", "ZSCAN":
		// miniredis turns patterns into regular expressions, which know UTF-8 only.
		if !validText(args) {
			s.refuse(peer, session, "ERR patterns that are not UTF-8 are not supported by the embedded store")
			return true
		}
	case "EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO":
		return s.script(peer, session, name, args)
	}
	if s.lacking(peer, session, name, args) {
		return true
	}
	return name == "SCRIPT" && s.script(peer, session, name, args)
}

// validText reports whether all arguments but the first, a key or the only pattern, are UTF-8.
func validText(args []string) bool {
	if len(args) == 1 {
		return utf8.ValidString(args[0])
	}
	for i := 1; i < len(args); i++ {
		if !utf8.ValidString(args[i]) {
			return false
		}
	}
	return true
}

// refuse answers with an error and, in a transaction, makes EXEC abort. The session is nil for
// commands that scripts call.
func (s *Store) refuse(peer *server.Peer, session *session, text string) {
	if session != nil && session.queueing {
		// miniredis has no call to spoil a transaction; a command with too few arguments does.
		s.aside(peer, io.Discard, "ECHO")
	}
	peer.WriteError(text)
}

// aside runs a command in the state of a connection with its reply going elsewhere. It
// bypasses the hook: the peer it uses comes with a context.
func (s *Store) aside(peer *server.Peer, reply io.Writer, command ...string) {
	s.settle(peer)
	w := bufio.NewWriter(reply)
	other := server.NewPeer(w)
	other.Ctx, other.Resp3 = peer.Ctx, peer.Resp3
	s.server.Dispatch(other, command)
	other.Flush()
}

// settle gives a connection its state, which it otherwise gets with the first command that
// needs one: without it a command run aside would pass for one of a new connection.
func (s *Store) settle(peer *server.Peer) {
	if peer.Ctx != nil {
		return
	}
	other := server.NewPeer(bufio.NewWriter(io.Discard))
	s.mu.Lock()
	s.sessions[other] = &session{inside: true}
	s.mu.Unlock()
	s.server.Dispatch(other, []string{"PING"})
	s.mu.Lock()
	delete(s.sessions, other)
	s.mu.Unlock()
	peer.Ctx = other.Ctx
}

// recovered deals with a panic of miniredis, which must not end the process: the connection
// is closed, as its replies are no longer in step with its commands.
func (s *Store) recovered(peer *server.Peer, name string, r any) {
	stack := debug.Stack()
	// miniredis runs commands in withTx between Lock and Unlock, without a defer: a panic in
	// there leaves the store locked for good. Everywhere else the unlocking is deferred and
	// has happened by now.
	if lockedBy(stack) {
		s.redis.Unlock()
	}
	s.logger.Error("the embedded store met a defect", "command", name, "panic", fmt.Sprint(r), "stack", string(stack))
	peer.Close()
}

// lockedBy reports whether the panicking goroutine held the store's lock without a defer:
// withTx is on the stack, and none of the functions is that call it with the lock held.
func lockedBy(stack []byte) bool {
	const pkg = "github.com/alicebob/miniredis/v2."
	return bytes.Contains(stack, []byte(pkg+"withTx(")) &&
		!bytes.Contains(stack, []byte(pkg+"(*Miniredis).cmdExec("))
}
