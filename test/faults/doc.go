// Package faults holds the product's fault tests: the whole server in front of real
// valkey-servers that are killed, stopped, cut off, moved and restarted while callers send
// batches, and what came of every command checked afterwards. A test's name begins with the
// numbers of the scenarios it covers.
//
// As ordinary tests they are short. "make faults" runs them at length, all of them, and prints
// the tally.
package faults
