package executor

import (
	"slices"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/poison"
	"github.com/valkeybatch/valkeybatch/internal/resp"
)

// scratch is memory that one batch after the other uses.
type scratch struct {
	guard  poison.Guard
	items  []item
	parts  []part
	keys   []int
	sent   []sent
	run    run
	round  node.Round
	timer  *time.Timer // stopped
	report Report
	assigner
}

// maxScratch is how many commands a batch may have had whose memory is worth keeping.
const maxScratch = 128 << 10

var scratches = sync.Pool{New: func() any { return new(scratch) }}

var scratchKind = poison.NewKind("the executor's scratches", true)

// takeScratch returns memory for one batch. It ends with recycle.
func takeScratch() *scratch {
	s := scratches.Get().(*scratch)
	s.guard.Take(scratchKind)
	poison.Clear(s.items)
	return s
}

// recycle gives the run's memory back. Nothing of the run is used after it.
func (r *run) recycle() {
	s := r.scratch
	if cap(s.items) > maxScratch || cap(s.parts) > maxScratch {
		s.guard.Leave()
		return
	}
	s.guard.Give()
	clear(s.items)
	clear(s.parts)
	clear(s.sent)
	s.items, s.parts, s.keys, s.sent = s.items[:0], s.parts[:0], s.keys[:0], s.sent[:0]
	s.run = run{}
	s.poison()
	scratches.Put(s)
}

// poison spoils memory that is given back.
func (s *scratch) poison() {
	if !poison.On {
		return
	}
	poison.Fill(s.items, item{slot: poisoned, otherSlot: poisoned, splits: true})
	poison.Fill(s.parts, part{reply: poisonedFrame, args: [][]byte{poisonedFrame}, node: "used after its release", cmd: poisoned, slot: poisoned})
	poison.Fill(s.keys, poisoned)
	for _, g := range s.groups[:cap(s.groups)] {
		poison.Fill(g.parts, poisoned)
	}
	poison.Fill(s.byShard, poisoned)
}

// What stands in memory that is given back.
const poisoned = -0xDBDB

var poisonedFrame = resp.Frame("-POISONED used after its release\r\n")

var resultLists = sync.Pool{New: func() any { return new([]Result) }}

// resultsKind is not strict: results need not be released.
var resultsKind = poison.NewKind("results", false)

// newResults returns n empty results.
func newResults(n int) *Results {
	list := resultLists.Get().(*[]Result)
	poison.Clear(*list)
	*list = slices.Grow(*list, n)[:n]
	r := &Results{Results: *list, list: list}
	r.guard.Take(resultsKind)
	return r
}

// Release gives the results' memory back once they are no longer needed; what Budget counts is
// released apart. Calling it is not required but is done once only, and nothing of the results is used after it.
func (r *Results) Release() {
	if r.list == nil {
		return
	}
	if cap(*r.list) > maxScratch {
		r.guard.Leave()
		return
	}
	r.guard.Give()
	clear(*r.list)
	if poison.On {
		poison.Fill(*r.list, Result{Frame: poisonedFrame, Node: "used after its release"})
	}
	*r.list = (*r.list)[:0]
	resultLists.Put(r.list)
	r.list, r.Results = nil, nil
}
