// Package isolation tests that nothing a caller can do hurts another: while one caller sends every
// command there is with every kind of argument, forged errors, blocking commands by the hundred,
// giant batches, or reads nothing, others (the canaries) send small batches and verify each of
// their own replies. The tests run the whole server in front of real valkey-server processes;
// where memory is asked for, as a process of its own.
//
// What they run by default is a part: "make isolation" sets ISOLATION=full.
package isolation
