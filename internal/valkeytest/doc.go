// Package valkeytest gives tests real valkey-server processes, standalone and clusters whose
// slots really migrate and whose replicas really fail over, and scripted servers for what no
// real one can be brought to say.
//
// A test that breaks nothing takes [SharedServer] or [SharedCluster], one per test process,
// with keys of its own (see [Key]); the package's TestMain hands over to [Main]. A test that
// stops, reconfigures, empties or re-shards starts its own ([StartServer], [StartCluster]).
// Whatever is started ends with its test, and with the test process however that ends.
//
// Everything that waits has a generous deadline and fails the test when it passes. Nothing
// here is ever skipped: without the server's binary tests fail, and say how to install it.
package valkeytest
