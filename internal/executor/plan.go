package executor

import (
	"errors"
	"slices"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// plan is a pipeline's commands as parts. Parts stand in the order of their commands.
type plan struct {
	parts []part
	// merges is the rule for each command that has more than one part, by command index;
	// a command that is not in it has exactly one.
	merges map[int32]merge
}

// errNeedsRoute says that a command has no meaning on a cluster as a whole.
var errNeedsRoute = errors.New("needs a route")

// planPipeline makes the plan of a pipeline. It is a pure function of its arguments, of which
// room is memory for the parts. The index of a command that cannot be planned comes with the error.
func planPipeline(room []part, commands [][][]byte, items []item, topo *slotmap.Topology, routed bool) (plan, int, error) {
	p := plan{parts: slices.Grow(room[:0], len(commands))}
	whole := !topo.IsCluster() || routed
	var split splitter
	for i, args := range commands {
		it := &items[i]
		switch {
		case it.info == nil:
			p.add(i, args, keyless).fail(it.unknownCommand(args))
		case whole:
			p.add(i, args, it.slot)
		case it.splits:
			first := len(p.parts)
			if order, ok := split.append(&p, i, args, it); ok {
				p.merged(i, first, merge{policy: it.info.Response, order: order})
				continue
			}
			p.add(i, args, it.slot)
		case it.slot != keyless:
			p.add(i, args, it.slot)
		case it.info.Request == command.AllNodes:
			p.fanOut(i, args, topo.Nodes(), nil, it.info.Response)
		case it.info.Request == command.AllShards:
			p.fanOut(i, args, topo.Primaries(), topo, it.info.Response)
		case it.info.Request == command.Special:
			return plan{}, i, errNeedsRoute
		default:
			p.add(i, args, keyless)
		}
	}
	return p, 0, nil
}

// add appends a part.
func (p *plan) add(cmd int, args [][]byte, slot int32) *part {
	p.parts = append(p.parts, part{args: args, cmd: int32(cmd), slot: slot})
	return &p.parts[len(p.parts)-1]
}

// merged records that the parts from first on are of one command.
func (p *plan) merged(cmd, first int, m merge) {
	if p.merges == nil {
		p.merges = make(map[int32]merge)
	}
	m.parts = len(p.parts) - first
	p.merges[int32(cmd)] = m
}

// fanOut appends a part for each address. Given a topology, the addresses stand for shards
// and not for the nodes themselves.
func (p *plan) fanOut(cmd int, args [][]byte, addrs []string, shards *slotmap.Topology, policy command.ResponsePolicy) {
	first := len(p.parts)
	for _, addr := range addrs {
		pt := p.add(cmd, args, keyless)
		pt.home, pt.homeSlot = addr, keyless
		if shards != nil {
			if slot, ok := shards.ShardSlot(addr); ok {
				pt.homeSlot = int32(slot)
			}
		}
	}
	if len(addrs) == 0 {
		// Not left for later rounds: one node that appears by then is not all of them.
		p.add(cmd, args, keyless).fail(&CommandError{Code: CodeConnection, Message: "no node of the deployment is known", Outcome: NotExecuted})
	}
	p.merged(cmd, first, merge{policy: policy})
}

// splitter splits commands over slots. Its tables are reused from command to command.
type splitter struct {
	keys []int
	// partOf holds, per slot, one more than the index of the slot's part among the
	// command's parts.
	partOf map[int32]int
}

// append appends the parts of a multi-shard command, one per slot in order of first
// appearance, and returns for each key, in the caller's order, the index of its part. It
// reports false when the command's arguments do not divide evenly by keys, so that a node
// words the error.
func (s *splitter) append(p *plan, cmd int, args [][]byte, it *item) ([]int32, bool) {
	var err error
	if s.keys, err = it.info.Keys(args, s.keys[:0]); err != nil || len(s.keys) == 0 {
		return nil, false
	}
	step := it.info.Step()
	head, end := s.keys[0], s.keys[len(s.keys)-1]+step
	if end > len(args) || end-head != step*len(s.keys) {
		return nil, false
	}
	if s.partOf == nil {
		s.partOf = make(map[int32]int)
	}
	clear(s.partOf)
	order := make([]int32, len(s.keys))
	var slots []int32
	var counts []int
	for i, k := range s.keys {
		slot := int32(slotmap.Slot(args[k]))
		n := s.partOf[slot]
		if n == 0 {
			slots, counts = append(slots, slot), append(counts, 0)
			n = len(slots)
			s.partOf[slot] = n
		}
		order[i] = int32(n - 1)
		counts[n-1]++
	}
	// One backing array holds the arguments of all parts.
	tail := args[end:]
	fixed := head + len(tail)
	backing := make([][]byte, 0, fixed*len(slots)+step*len(s.keys))
	first := len(p.parts)
	for i, slot := range slots {
		size := fixed + step*counts[i]
		room := backing[len(backing) : len(backing) : len(backing)+size]
		backing = backing[:len(backing)+size]
		p.add(cmd, append(room, args[:head]...), slot)
	}
	for i, k := range s.keys {
		part := &p.parts[first+int(order[i])]
		part.args = append(part.args, args[k:k+step]...)
	}
	if len(tail) > 0 {
		for i := first; i < len(p.parts); i++ {
			p.parts[i].args = append(p.parts[i].args, tail...)
		}
	}
	return order, true
}
