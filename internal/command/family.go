package command

import "slices"

// Family is the kind of data or of work that a command is about, by which operators see what
// a deployment is used for. There are few, whatever commands modules add.
type Family uint8

// The families.
const (
	// FamilyOther is what fits nowhere else, commands that are not known included.
	FamilyOther Family = iota
	FamilyString
	FamilyHash
	FamilyList
	FamilySet
	FamilySortedSet
	FamilyStream
	FamilyBitmap
	FamilyHyperLogLog
	FamilyGeo
	FamilyPubSub
	FamilyScripting
	FamilyTransaction
	// FamilyKeyspace is commands on keys of any type: DEL, EXPIRE, SCAN.
	FamilyKeyspace
	FamilyConnection
	// FamilyServer is commands on the server itself: INFO, CONFIG, CLUSTER.
	FamilyServer
	FamilyJSON
	FamilySearch
	FamilyBloom
)

// familyNames are the names, and but for "server" and "other" the ACL categories, of the
// families by number.
var familyNames = [...]string{
	FamilyOther: "other", FamilyString: "string", FamilyHash: "hash", FamilyList: "list", FamilySet: "set",
	FamilySortedSet: "sortedset", FamilyStream: "stream", FamilyBitmap: "bitmap", FamilyHyperLogLog: "hyperloglog",
	FamilyGeo: "geo", FamilyPubSub: "pubsub", FamilyScripting: "scripting", FamilyTransaction: "transaction",
	FamilyKeyspace: "keyspace", FamilyConnection: "connection", FamilyServer: "server",
	FamilyJSON: "json", FamilySearch: "search", FamilyBloom: "bloom",
}

// Families is how many families there are.
const Families = len(familyNames)

// String returns the family's name.
func (f Family) String() string {
	if int(f) < len(familyNames) {
		return familyNames[f]
	}
	return "invalid"
}

// familyOrder is which family a command is of that has the categories of several: the most
// special. What it does not find out familyOf knows by name.
var familyOrder = []Family{
	FamilyJSON, FamilySearch, FamilyBloom, FamilyScripting, FamilyPubSub, FamilyTransaction, FamilyStream,
	FamilyGeo, FamilyHyperLogLog, FamilyBitmap, FamilyKeyspace, FamilyString, FamilyHash, FamilySortedSet, FamilyList, FamilySet,
	FamilyConnection,
}

// Family returns the family of the command, FamilyOther for a nil *Info.
func (c *Info) Family() Family {
	if c == nil {
		return FamilyOther
	}
	return c.family
}

func familyOf(c *Info) Family {
	switch firstWord(c.Name) {
	case "sort", "sort_ro", "object":
		return FamilyKeyspace
	case "script", "function":
		return FamilyScripting
	case "xgroup", "xinfo":
		return FamilyStream
	case "pubsub":
		return FamilyPubSub
	case "client":
		return FamilyConnection
	case "command":
		return FamilyServer
	case "json.debug":
		return FamilyJSON
	}
	for _, f := range familyOrder {
		if slices.Contains(c.Categories, familyNames[f]) {
			return f
		}
	}
	switch firstWord(c.Name) {
	case "acl", "bgrewriteaof", "bgsave", "cluster", "commandlog", "config", "debug", "dbsize", "failover", "info", "lastsave",
		"latency", "lolwut", "memory", "module", "monitor", "psync", "replconf", "replicaof", "role", "save", "shutdown",
		"slaveof", "slowlog", "sync", "time":
		return FamilyServer
	}
	return FamilyOther
}
