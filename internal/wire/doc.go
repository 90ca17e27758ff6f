// Package wire reads the contract's protobuf bytes without generated structs. What it says of
// a message is what the generated code would find in it, at no cost in memory: tests hold the
// one to the other.
//
// [Measure] comes before everything else that is done with a request. Decoding costs up to
// fifty times the bytes decoded (an empty command is two bytes on the wire and a struct in
// memory), so limits that are checked after it protect nothing.
package wire
