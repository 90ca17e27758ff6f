package control

import (
	"github.com/valkey-io/valkey-go"

	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// asked is the node that a reply comes from, as far as it matters for the
// addresses in the reply.
type asked struct {
	host string // as dialled
	id   string // "" when it is not known
	tls  bool
}

// slotRow is one row of CLUSTER SLOTS: a range of slots and who serves it, the
// primary first.
type slotRow struct {
	slots slotmap.Range
	nodes []nodeRow
}

// shardRow is one shard of CLUSTER SHARDS.
type shardRow struct {
	slots []slotmap.Range
	nodes []nodeRow
}

// nodeRow is one node of either reply. Role and health are CLUSTER SHARDS' only.
type nodeRow struct {
	id      string
	addr    string
	zone    string
	primary bool
	online  bool
}

// key identifies a node across replies.
func (n nodeRow) key() string {
	if n.id != "" {
		return n.id
	}
	return n.addr
}

// address works out where a node can be reached. The endpoint is what the cluster
// wants its clients to use (cluster-preferred-endpoint-type). A null one means the
// host that was asked. An empty one (a node that has not met others does not know
// its own address) and "?" (a node that has no host name) mean it for the asked node
// only; any other node's is taken from its IP address, and is "" when that is missing
// too: such a node cannot be reached.
func (a asked) address(endpoint valkey.ValkeyMessage, ip, id string, port int64) string {
	if endpoint.IsNil() {
		return joinAddress(a.host, port)
	}
	host, _ := endpoint.ToString()
	if host == "" || host == "?" {
		switch {
		case ip != "" && ip != "?":
			host = ip
		case a.id == "" || id == "" || a.id == id:
			host = a.host
		default:
			return ""
		}
	}
	return joinAddress(host, port)
}

// parseSlots reads CLUSTER SLOTS: rows of first slot, last slot, primary, replicas.
func (a asked) parseSlots(reply valkey.ValkeyMessage) ([]slotRow, error) {
	rows, err := reply.ToArray()
	if err != nil {
		return nil, err
	}
	parsed := make([]slotRow, 0, len(rows))
	for _, row := range rows {
		fields, err := row.ToArray()
		if err != nil || len(fields) < 3 {
			return nil, malformedSlots
		}
		slots, ok := rangeOf(fields[0], fields[1])
		if !ok {
			return nil, malformedSlots
		}
		r := slotRow{slots: slots}
		for i, node := range fields[2:] {
			n, err := a.slotNode(node)
			if err != nil {
				return nil, err
			}
			n.primary = i == 0
			r.nodes = append(r.nodes, n)
		}
		parsed = append(parsed, r)
	}
	return parsed, nil
}

var (
	malformedSlots  = &ReplyError{Command: "CLUSTER SLOTS", Reason: "the reply is malformed"}
	malformedShards = &ReplyError{Command: "CLUSTER SHARDS", Reason: "the reply is malformed"}
)

// slotNode reads a node of CLUSTER SLOTS: endpoint, port, id, metadata.
func (a asked) slotNode(node valkey.ValkeyMessage) (nodeRow, error) {
	fields, err := node.ToArray()
	if err != nil || len(fields) < 2 {
		return nodeRow{}, malformedSlots
	}
	port, err := fields[1].AsInt64()
	if err != nil {
		return nodeRow{}, malformedSlots
	}
	n := nodeRow{online: true}
	if len(fields) > 2 {
		n.id, _ = fields[2].ToString()
	}
	var ip string
	if len(fields) > 3 {
		if meta, err := fields[3].AsMap(); err == nil {
			ip, n.zone = stringIn(meta, "ip"), zoneIn(meta)
		}
	}
	n.addr = a.address(fields[0], ip, n.id, port)
	return n, nil
}

// parseShards reads CLUSTER SHARDS.
func (a asked) parseShards(reply valkey.ValkeyMessage) ([]shardRow, error) {
	shards, err := reply.ToArray()
	if err != nil {
		return nil, err
	}
	parsed := make([]shardRow, 0, len(shards))
	for _, shard := range shards {
		fields, err := shard.AsMap()
		if err != nil {
			return nil, malformedShards
		}
		slots, nodes := fields["slots"], fields["nodes"]
		bounds, err := slots.ToArray()
		if err != nil || len(bounds)%2 != 0 {
			return nil, malformedShards
		}
		var r shardRow
		for i := 0; i < len(bounds); i += 2 {
			slots, ok := rangeOf(bounds[i], bounds[i+1])
			if !ok {
				return nil, malformedShards
			}
			r.slots = append(r.slots, slots)
		}
		list, err := nodes.ToArray()
		if err != nil {
			return nil, malformedShards
		}
		for _, node := range list {
			n, err := a.shardNode(node)
			if err != nil {
				return nil, err
			}
			r.nodes = append(r.nodes, n)
		}
		parsed = append(parsed, r)
	}
	return parsed, nil
}

// shardNode reads a node of CLUSTER SHARDS. A node has a plain port, a TLS port, or
// both.
func (a asked) shardNode(node valkey.ValkeyMessage) (nodeRow, error) {
	fields, err := node.AsMap()
	if err != nil {
		return nodeRow{}, malformedShards
	}
	port := intIn(fields, "port")
	if secured := intIn(fields, "tls-port"); a.tls && secured != 0 || port == 0 {
		port = secured
	}
	role := stringIn(fields, "role")
	n := nodeRow{
		id:      stringIn(fields, "id"),
		zone:    zoneIn(fields),
		primary: role == "master" || role == "primary",
		online:  stringIn(fields, "health") == "online",
	}
	ip := stringIn(fields, "ip")
	if endpoint, ok := fields["endpoint"]; ok {
		n.addr = a.address(endpoint, ip, n.id, port)
	} else {
		n.addr = joinAddress(ip, port)
	}
	return n, nil
}

// zoneIn returns the availability zone that newer servers put beside a node.
func zoneIn(fields map[string]valkey.ValkeyMessage) string {
	if zone := stringIn(fields, "availability-zone"); zone != "" {
		return zone
	}
	return stringIn(fields, "availability_zone")
}

// rangeOf reads a range of slots, both ends included.
func rangeOf(first, last valkey.ValkeyMessage) (slotmap.Range, bool) {
	f, err := first.AsInt64()
	if err != nil {
		return slotmap.Range{}, false
	}
	l, err := last.AsInt64()
	if err != nil || f < 0 || l < f || l >= slotmap.Slots {
		return slotmap.Range{}, false
	}
	return slotmap.Range{First: uint16(f), Last: uint16(l)}, true
}
