// Package local runs real Valkey servers, standalone and cluster, as child processes of
// this one: on loopback ports, in temporary directories, with no persistence.
//
// It knows nothing of the testing package, so that both the test helpers
// (internal/valkeytest) and the program behind "make cluster" stand on it. Its RESP client
// is its own, written to be simple rather than fast: what the product's connections are
// tested against must not share their mistakes.
//
// Every function that waits takes a context and returns when it ends.
package local
