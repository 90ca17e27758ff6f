// Package examples holds what the examples in all languages share.
package examples

import _ "embed"

// ServiceConfig is gRPC's service config for clients, safe for batches of every kind: calls wait
// for a server that cannot be reached, so that nothing is sent twice, and none that was sent
// is ever sent again.
//
//go:embed service-config.json
var ServiceConfig string

// RepeatableServiceConfig is the service config for clients whose batches may all take effect
// twice: calls of ExecuteBatch that end with UNAVAILABLE are sent again, also those whose
// connection was lost while they ran.
//
//go:embed service-config-repeatable.json
var RepeatableServiceConfig string
