// Package stall ends calls whose caller does not read the response.
//
// gRPC queues the response of a unary call, however long, and considers the call done: its
// deadline is off, and the response stays in memory until the caller's flow control lets it out,
// if need be for ever. So does the last answer of a stream. Nothing in gRPC's API gives such a call
// up but the caller's own RST_STREAM. Here connections are wrapped ([Credentials]), what is being
// sent on them is watched ([Call.Watch]), and a call of which nothing was sent for too long is ended
// alone, as a caller that breaks the protocol on it would be: others on the connection go on.
package stall
