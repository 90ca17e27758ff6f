package embedded

import (
	"strconv"

	"github.com/alicebob/miniredis/v2/server"
)

// Bounds that Valkey has and miniredis lacks: without them one small command could take all
// memory, or the store's one lock for good.
const (
	// maxString is the longest string: Valkey's proto-max-bulk-len.
	maxString = 512 << 20
	// maxBit is the highest bit offset: the last bit of the longest string.
	maxBit = maxString*8 - 1
	// maxRepeats is how many members a negative count may ask for, repetitions included.
	// Valkey's own bound is far higher, but it does not build the reply under a lock.
	maxRepeats = 1 << 20
)

// unbounded answers commands that are beyond those bounds, with Valkey's words, and reports
// whether it has done so.
func (s *Store) unbounded(peer *server.Peer, session *session, name string, args []string) bool {
	refusal := ""
	switch name {
	case "SETRANGE":
		if n, ok := number(args, 1); ok && len(args) > 2 && (n > maxString || n+int64(len(args[2])) > maxString) {
			refusal = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
		}
	case "SETBIT", "GETBIT":
		if n, ok := number(args, 1); ok && n > maxBit {
			refusal = "ERR bit offset is not an integer or out of range"
		}
	case "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER":
		if n, ok := number(args, 1); ok && n < -maxRepeats {
			refusal = "ERR value is out of range"
		}
	case "SSCAN", "HSCAN", "ZSCAN":
		if n, ok := number(args, 1); ok && n < 0 {
			refusal = "ERR invalid cursor"
		}
	}
	if refusal == "" {
		return false
	}
	s.refuse(peer, session, refusal)
	return true
}

// number reads the argument at index i.
func number(args []string, i int) (int64, bool) {
	if i >= len(args) {
		return 0, false
	}
	n, err := strconv.ParseInt(args[i], 10, 64)
	return n, err == nil
}
