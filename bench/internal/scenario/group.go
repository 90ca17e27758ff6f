package scenario

// Group is the bars that are missed for the same cause, if they are. The page has a paragraph
// for each. Bars of none are only named there.
type Group string

// The groups.
const (
	Large       Group = "large"       // rate and CPU of many commands, against other clients
	Small       Group = "small"       // few commands on streams, against another client
	Observed    Group = "observed"    // metrics and traces, against neither
	Allocations Group = "allocations" // heap objects of a unary call
	Hop         Group = "hop"         // the latency of one command alone
	Messages    Group = "messages"    // single commands on a stream
	Tail        Group = "tail"        // the slowest batches under many callers
	Growth      Group = "growth"      // what more commands and more nodes cost
)

// Groups are all.
var Groups = []Group{Large, Small, Observed, Allocations, Hop, Messages, Tail, Growth}

// in puts bars into a group.
func in(g Group, bars ...Bar) []Bar {
	for i := range bars {
		bars[i].Group = g
	}
	return bars
}
