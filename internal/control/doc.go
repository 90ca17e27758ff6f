// Package control is what the server asks of Valkey on its own behalf: the
// topology of the deployment, what commands there are, and whether it is well. It
// is the only importer of valkey-go; batches never pass through here.
//
// Every node asked has one connection, which is made on demand, used by one
// question at a time, and closed when it fails or has not been needed for a while.
package control
