// Package executor carries out batches: it plans a batch against one topology snapshot,
// dispatches the sub-pipelines, settles every reply, and assembles the results in the
// caller's order. It knows Valkey's semantics and neither protobuf nor gRPC.
//
// # One way through
//
//	prepare   every command looked up, checked and given its hash slot; nothing sent yet
//	plan      commands become parts: one each, or several for commands that are split over
//	          slots or fanned out over nodes
//	assign    the unsettled parts are grouped by node, in the caller's order
//	dispatch  every group is written to its node at once, as one sub-pipeline
//	settle    each part is done, or goes into the next round: redirected, resent or retried
//	assemble  parts are merged by response policy and placed by index
//
// An atomic batch takes the same road with a single sub-pipeline, a transaction, that is
// settled as a whole.
package executor
