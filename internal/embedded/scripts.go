package embedded

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// confine takes from a script what miniredis leaves in its reach and Valkey does not: ways to
// files, to modules and to the process's standard output.
const confine = "dofile=nil loadfile=nil require=nil module=nil package=nil print=nil _printregs=nil "

// maxScript is how long a script may run. Other connections wait for it that long.
const maxScript = 3 * time.Second

// scripts remembers, by the digest of every script as its caller wrote it, the digest of what
// the store runs instead: the same script behind a prelude that confines it, and with a check
// of its time wherever it goes round. miniredis gives no hold of a running script, so only
// the script itself can end it.
type scripts struct {
	limit time.Duration
	// check is the name of the function that checks the time. clock and compile are commands
	// that only scripts have: the time in milliseconds, and a chunk with the checks put in.
	// The names are random, so that no script comes upon them by accident.
	check, clock, compile string

	mu      sync.Mutex
	digests map[string]string
}

// start readies s for use, with a limit on the time of scripts.
func (s *scripts) start(limit time.Duration) {
	name := rand.Text()
	s.limit, s.check, s.clock, s.compile = limit, "_"+name, "CLOCK-"+name, "COMPILE-"+name
	s.digests = make(map[string]string)
}

// prelude is what stands before every script, on the script's first line, so that line
// numbers in errors stay right. Chunks that a script compiles get the checks too: they are
// compiled inside a function whose argument is the one that checks.
func (s *scripts) prelude() string {
	return confine + strings.NewReplacer("CHECK", s.check, "CLOCK", s.clock, "COMPILE", s.compile,
		"LIMIT", strconv.FormatInt(s.limit.Milliseconds(), 10), "KILLED", s.killedText()).Replace(
		"local CHECK do local call,error,type,loadstring_,concat,n,start=redis.call,error,type,loadstring,table.concat,0,nil "+
			"CHECK=function() n=n+1 if n<100 then return end "+
			"local now=call('CLOCK') start=start or now "+
			"if now-start>LIMIT then error('KILLED',2) end n=0 end "+
			"loadstring=function(text,name) if type(text)~='string' then error('bad argument #1 to loadstring (string expected)',2) end "+
			"local outer,err=loadstring_('local CHECK=... return function(...) '..call('COMPILE',text)..'\\nend',name or '<string>') "+
			"if not outer then return nil,err end return outer(CHECK) end "+
			"local loadstring=loadstring "+
			"load=function(reader,name) local parts={} while true do CHECK() local part=reader() "+
			"if part==nil or part=='' then break end parts[#parts+1]=part end return loadstring(concat(parts),name) end end ")
}

// killed begins the error of scripts that have run for too long.
const killed = "Script killed: "

func (s *scripts) killedText() string {
	return killed + "it ran for longer than " + s.limit.String() + ", the limit of the embedded store; what it did until then has taken effect"
}

// nested answers the commands that only the prelude calls, and reports whether it has done so.
func (s *scripts) nested(peer *server.Peer, now time.Duration, name string, args []string) bool {
	switch {
	case name == s.clock:
		peer.WriteInt(int(now.Milliseconds()))
	case name == s.compile && len(args) == 1:
		peer.WriteBulk(instrument(args[0], s.check))
	default:
		return false
	}
	return true
}

// wrap returns what the store runs in a script's place.
func (s *scripts) wrap(script string) (wrapped, digest string) {
	wrapped = s.prelude() + instrument(script, s.check)
	digest = sha1Hex(script)
	s.mu.Lock()
	defer s.mu.Unlock()
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
	if session.queueing || name == "SCRIPT" {
		s.server.Dispatch(peer, command)
		return true
	}
	var reply bytes.Buffer
	s.aside(peer, &reply, command...)
	if text := reply.String(); strings.HasPrefix(text, "-") && strings.Contains(text, killed) {
		// miniredis words it as an error of compiling, with a trace of the prelude.
		peer.WriteError("ERR " + s.scripts.killedText())
	} else {
		peer.WriteRaw(text)
	}
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
