// Package httpapi serves the contract over HTTP, to callers without gRPC: JSON for people with
// curl, the Connect protocol and gRPC-Web for browsers and for generated clients, and gRPC itself.
// connect-go speaks the protocols. What is done for a batch is not here: each is handed to the
// [service.Handler] behind the interceptors that batches of gRPC calls pass, with a context that
// holds what gRPC would have put there (metadata, peer), and so is admitted, bounded, identified,
// logged and answered as one of those.
//
// The other road, gRPC's own ServeHTTP behind a transcoder, keeps the interceptors too. But it has
// no end: a gRPC server that serves so cannot drain (its GracefulStop panics), and applies neither
// its connections' bounds nor its keepalive.
package httpapi
