// Package node keeps pipelined connections to Valkey nodes: the data plane.
//
// A sub-batch (Batch) is written back to back on one connection, and its replies are read as
// slices of the read buffer. What came of every command is known exactly: acknowledged,
// unknown (written, unanswered), or never sent.
//
// Ordinary and bulk sub-batches share one connection per node and class. On it a caller
// writes its own sub-batch when nobody else is writing; what queues up meanwhile is combined
// by the connection's writer. One reader hands the replies to the sub-batches in the order in
// which they were queued. Blocking and atomic sub-batches have a connection to themselves for
// their time. A protocol violation by the server closes the connection that it came on and
// nothing else.
package node
