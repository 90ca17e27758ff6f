package executor

import (
	"net"
	"strconv"
	"strings"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// redirect is a MOVED or ASK reply (https://valkey.io/topics/cluster-spec#redirection-and-resharding).
type redirect struct {
	ask  bool
	slot int32
	addr string
}

// parseRedirect reads an error text as a redirect given by the node at from. It is strict:
// scripts can return any error text, so whatever is not exactly a redirect is not one.
func parseRedirect(text, from string) (redirect, bool) {
	fields := strings.Split(text, " ")
	if len(fields) != 3 {
		return redirect{}, false
	}
	var rd redirect
	switch fields[0] {
	case "MOVED":
	case "ASK":
		rd.ask = true
	default:
		return redirect{}, false
	}
	slot, err := strconv.ParseUint(fields[1], 10, 16)
	if err != nil || slot >= slotmap.Slots || strconv.FormatUint(slot, 10) != fields[1] {
		return redirect{}, false
	}
	rd.slot = int32(slot)
	// The port follows the last colon; IPv6 hosts come without brackets.
	colon := strings.LastIndexByte(fields[2], ':')
	if colon < 0 {
		return redirect{}, false
	}
	host, port := fields[2][:colon], fields[2][colon+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return redirect{}, false
	}
	if host == "" || host == "?" {
		// The node does not know its own name: same host as the one that was asked.
		if host, _, err = net.SplitHostPort(from); err != nil {
			return redirect{}, false
		}
	}
	rd.addr = net.JoinHostPort(strings.Trim(host, "[]"), port)
	return rd, true
}
