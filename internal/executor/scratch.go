package executor

import (
	"slices"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/node"
)

// scratch is memory that one batch after the other uses.
type scratch struct {
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

// recycle gives the run's memory back. Nothing of the run is used after it.
func (r *run) recycle() {
	s := r.scratch
	if cap(s.items) > maxScratch || cap(s.parts) > maxScratch {
		return
	}
	clear(s.items)
	clear(s.parts)
	clear(s.sent)
	s.items, s.parts, s.keys, s.sent = s.items[:0], s.parts[:0], s.keys[:0], s.sent[:0]
	s.run = run{}
	scratches.Put(s)
}

var resultLists = sync.Pool{New: func() any { return new([]Result) }}

// newResults returns n empty results.
func newResults(n int) *Results {
	list := resultLists.Get().(*[]Result)
	*list = slices.Grow(*list, n)[:n]
	return &Results{Results: *list, list: list}
}

// Release gives the results' memory back once they are no longer needed; what Budget counts is
// released apart. Calling it is not required, and nothing of the results is used after it.
func (r *Results) Release() {
	if r.list == nil || cap(*r.list) > maxScratch {
		return
	}
	clear(*r.list)
	*r.list = (*r.list)[:0]
	resultLists.Put(r.list)
	r.list, r.Results = nil, nil
}
