package command

import "strings"

// withinKeys are the commands without keys that a caller whose keys are limited may send all the
// same, because they neither give away nor change what other keys hold, nor name them: they are
// about the caller's own connection, about time, channels (which are no keys), the commands
// there are, the shape of the cluster, and figures of the server as a whole. Besides these it is
// HELP of any container.
var withinKeys = map[string]bool{
	"echo": true, "ping": true, "select": true, "wait": true, "waitaof": true,
	"client getname": true, "client getredir": true, "client id": true, "client info": true, "client trackinginfo": true,
	"acl cat": true, "acl genpass": true, "acl whoami": true,

	"publish": true, "spublish": true,
	"pubsub channels": true, "pubsub numpat": true, "pubsub numsub": true,
	"pubsub shardchannels": true, "pubsub shardnumsub": true,

	"command": true, "command count": true, "command docs": true, "command getkeys": true,
	"command getkeysandflags": true, "command info": true, "command list": true,

	"cluster info": true, "cluster keyslot": true, "cluster links": true, "cluster myid": true, "cluster myshardid": true,
	"cluster nodes": true, "cluster shards": true, "cluster slots": true,

	"dbsize": true, "info": true, "lolwut": true, "time": true,
	"memory doctor": true, "memory malloc-stats": true, "memory purge": true, "memory stats": true,
}

// reachesBeyond reports whether a command may reach keys that its calls do not name: what says
// so of itself or runs a caller's code, modules' commands whose keys the module does not tell
// (searches among them, which name an index), commands whose keys nothing here can find, and all
// that have no keys but those of withinKeys. So what lists keys or empties a database, keeps
// scripts and functions for others to run, administers the server, or shows others' commands or
// passwords is beyond, and so is what a newer server adds until it is known here.
func (c *Info) reachesBeyond() bool {
	switch {
	case c.scripted, c.unknownKeys, c.Has(TouchesArbitraryKeys):
		return true
	case c.Has(Module):
		return len(c.specs) == 0 || strings.HasPrefix(c.Name, "ft.")
	case c.namesKeys(), withinKeys[c.Name]:
		return false
	default:
		// A container's name alone is no call that a server carries out.
		return len(c.subs) == 0 && !strings.HasSuffix(c.Name, " help")
	}
}

// namesKeys reports whether calls of the command name keys: neither channels nor cursors, which
// only say where a call belongs, are any.
func (c *Info) namesKeys() bool {
	if c.byHand != nil {
		return true
	}
	for i := range c.specs {
		if !c.specs[i].channel {
			return true
		}
	}
	return false
}
