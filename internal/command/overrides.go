package command

import "github.com/valkeybatch/valkeybatch/internal/command/meta"

// override is the pair of policies of one command.
type override struct {
	request  RequestPolicy
	response ResponsePolicy
}

// overrides are the policies of commands of which the server says nothing, or only that
// they are special. The answers are those of Valkey GLIDE's cluster client, so that moving
// from one to the other changes no results. What the server says of other commands stands.
var overrides = map[string]override{
	// Subscriptions are known to the node that the subscriber is connected to, which may be
	// any, a replica too.
	"pubsub channels":      {AllNodes, Concat},
	"pubsub shardchannels": {AllNodes, Concat},
	"pubsub numsub":        {AllNodes, SumMap},
	"pubsub shardnumsub":   {AllNodes, SumMap},
	"pubsub numpat":        {AllNodes, Sum},

	// Clients are connected to any node; the filters' form answers how many it ended.
	"client kill":    {AllNodes, Sum},
	"client pause":   {AllShards, AllSucceeded},
	"client unpause": {AllShards, AllSucceeded},

	// Every node keeps a log and measures of its own.
	"slowlog get":       {AllNodes, Concat},
	"latency doctor":    {AllNodes, ByNode},
	"latency graph":     {AllNodes, ByNode},
	"latency histogram": {AllNodes, ByNode},
	"latency history":   {AllNodes, ByNode},
	"latency latest":    {AllNodes, ByNode},

	"info":                {AllShards, ByNode},
	"memory doctor":       {AllShards, ByNode},
	"memory malloc-stats": {AllShards, ByNode},
	"memory stats":        {AllShards, ByNode},
	"function stats":      {AllShards, ByNode},
	"debug":               {AllShards, ByNode},

	// Saving is what each primary does for its own data.
	"save":         {AllShards, AllSucceeded},
	"bgsave":       {AllShards, AllSucceeded},
	"bgrewriteaof": {AllShards, AllSucceeded},

	// The data of all shards.
	"keys":               {AllShards, Concat},
	"cluster slot-stats": {AllShards, Concat},
	"randomkey":          {AllShards, FirstNonNull},
	// A cursor is a node's own.
	"scan": {Special, NoResponse},

	// Module commands have no tips where the module does not set them.
	"json.mget": {MultiShard, KeyOrder},
	"json.mset": {MultiShard, AllSucceeded},
}

// setPolicies brings the policies that the server gave into the form that the rest of the
// service relies on: overrides applied, only commands split that can be, and a concrete
// response policy exactly where several nodes answer.
func (c *Info) setPolicies() {
	if o, ok := overrides[c.Name]; ok {
		c.Request, c.Response = o.request, o.response
	}
	if c.Request == MultiShard {
		if c.Response == NoResponse {
			c.Response = KeyOrder
		}
		if !c.splittable() {
			c.Request = None
		}
	}
	switch c.Request {
	case None, Special:
		c.Response = NoResponse
	case AllNodes, AllShards:
		if c.Response == NoResponse {
			c.Response = Concat
		}
	}
}

// splittable reports whether leaving out some of the keys, with what belongs to them, makes
// a call that is as good, and whose replies can be merged: the keys are one plain range.
// MSETEX, which counts its keys, is none.
func (c *Info) splittable() bool {
	if len(c.specs) != 1 || c.unknownKeys || c.byHand != nil {
		return false
	}
	if s := &c.specs[0]; s.begin != meta.BeginIndex || s.find != meta.FindRange || s.last >= 0 || s.limit > 1 {
		return false
	}
	switch c.Response {
	case KeyOrder, AllSucceeded, LogicalAnd, LogicalOr, Min, Max, Sum:
		return true
	}
	return false
}
