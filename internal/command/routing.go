package command

// RequestPolicy says where on a cluster a command without a route goes.
type RequestPolicy uint8

const (
	// None is a keyed command, which goes to its slot's primary, or a keyless one, which
	// goes to any primary.
	None RequestPolicy = iota
	// AllNodes is a keyless command that goes to every node, replicas included.
	AllNodes
	// AllShards is a keyless command that goes to every shard's primary.
	AllShards
	// MultiShard is a command whose keys may lie in several slots: it is split by slot,
	// each part with the arguments of its keys (Info.Step per key).
	MultiShard
	// Special is a command that means nothing on a cluster as a whole (SCAN): it needs a route.
	Special
)

var requestNames = [...]string{"none", "all nodes", "all shards", "multi shard", "special"}

// String names the policy for messages.
func (p RequestPolicy) String() string {
	if int(p) < len(requestNames) {
		return requestNames[p]
	}
	return "unknown"
}

// ResponsePolicy says how the replies of several nodes become one. Every command of the
// table whose request policy sends it to several nodes has one; others have NoResponse.
type ResponsePolicy uint8

const (
	// NoResponse is for commands that one node answers.
	NoResponse ResponsePolicy = iota
	// OneSucceeded is the first reply that is not an error; an error only if all are.
	OneSucceeded
	// AllSucceeded is an error if any reply is one, else any of the replies.
	AllSucceeded
	// LogicalAnd is 1 if all integers are non-zero, else 0. Arrays are merged element by
	// element (SCRIPT EXISTS).
	LogicalAnd
	// LogicalOr is 1 if any integer is non-zero, else 0; arrays element by element.
	LogicalOr
	// Min is the smallest integer; arrays element by element (WAITAOF).
	Min
	// Max is the largest integer; arrays element by element.
	Max
	// Sum is the sum of the integers; arrays element by element.
	Sum
	// KeyOrder puts the elements of the parts' arrays in the order of the caller's keys (MGET).
	KeyOrder
	// Concat is one array, or set, of all elements, node after node (KEYS). Replies of other
	// types are given as by ByNode.
	Concat
	// ByNode is a map from node address to that node's reply (INFO).
	ByNode
	// SumMap is a map, or an array of keys and integers in turn, with the values of equal
	// keys added up (PUBSUB NUMSUB).
	SumMap
	// FirstNonNull is the first reply that is not null, or null if all are; an error only if
	// there is one and no reply that is not null (RANDOMKEY).
	FirstNonNull
)

var responseNames = [...]string{
	"none", "one succeeded", "all succeeded", "logical and", "logical or", "min", "max",
	"sum", "key order", "concat", "by node", "sum map", "first non-null",
}

// String names the policy for messages.
func (p ResponsePolicy) String() string {
	if int(p) < len(responseNames) {
		return responseNames[p]
	}
	return "unknown"
}

var requestTips = map[string]RequestPolicy{
	"all_nodes":   AllNodes,
	"all_shards":  AllShards,
	"multi_shard": MultiShard,
	"special":     Special,
}

var responseTips = map[string]ResponsePolicy{
	"one_succeeded":   OneSucceeded,
	"all_succeeded":   AllSucceeded,
	"agg_logical_and": LogicalAnd,
	"agg_logical_or":  LogicalOr,
	"agg_min":         Min,
	"agg_max":         Max,
	"agg_sum":         Sum,
	// "special" says that it depends on the command. The answer for those that
	// overrides.go does not name is GLIDE's: a map from node to reply.
	"special": ByNode,
}
