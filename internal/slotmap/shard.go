package slotmap

// Range is a run of hash slots, both ends included.
type Range struct {
	First, Last uint16
}

// Shard is one primary with its replicas and the slots it serves, as given to
// [NewCluster]. Addresses are "host:port", with IPv6 hosts in brackets.
type Shard struct {
	// Primary is the address of the primary. It may be empty for a shard none of
	// whose nodes is known to be one; such a shard serves no slots.
	Primary string
	// Replicas are the addresses of the replicas, in any order.
	Replicas []string
	// Ranges are the slots the primary serves; none for an empty primary.
	Ranges []Range
	// Failed holds the nodes of this shard, primary or replicas, that the
	// deployment reports as failed or not ready to serve (still loading).
	Failed []string
	// Zones holds the availability zone of the nodes of this shard whose zone is
	// known, by address.
	Zones map[string]string
}

// shard is a Shard as a Topology keeps it: never changed once built.
type shard struct {
	primary string
	// replicas are those to read from: the healthy ones, or all of them when
	// none is healthy, since a health report may be out of date.
	replicas []string
	// all are all replicas, healthy ones first.
	all []string
	// first is the lowest slot the primary serves, noSlot when it serves none.
	first uint16
}

// noSlot stands for the lack of a slot, and noShard for the lack of a shard.
const (
	noSlot  = uint16(Slots)
	noShard = ^uint16(0)
)

// member is what a Topology knows of one node.
type member struct {
	shard   uint16
	primary bool
	failed  bool
	zone    string
}
