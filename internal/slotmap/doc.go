// Package slotmap knows which node serves which hash slot.
//
// [Slot] maps a key to its hash slot, [Topology] is an immutable snapshot of a
// deployment, and [Map] holds the current snapshot, patches it when a node
// answers MOVED, and keeps it fresh from a [Source].
//
// The package does no I/O: what it knows of the deployment comes from the
// Source and from the redirects its callers report.
package slotmap
