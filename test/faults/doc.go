// Package faults holds the product's fault tests: the whole server in front of real
// valkey-servers that are killed, stopped, cut off, moved and restarted while callers send
// batches, and what came of every command checked afterwards. A test's name begins with the
// numbers of the scenarios it covers.
//
// A few of them are ordinary tests, and short. "make faults" builds all with the tag "faults", runs
// them at length, and prints the tally; "make soak" builds the soak with the tag "soak". Without its
// tag a test is not there, rather than skipped.
package faults
