// Package run puts a subject to the test: a deployment, callers, faults, and the rules; and
// makes the tally.
package run
