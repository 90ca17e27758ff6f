// Package proxy stands between clients and a server and does to their connections what
// networks do.
//
// It is this small instead of a library's because of what it has to do: withhold bytes in a way
// that heals (a partition that ends delivers what was sent into it, which is how a command
// takes effect long after its caller was told that nothing is known), reset in the middle of a
// request or a reply after an exact number of bytes, refuse connections, and lead an address to
// another server.
package proxy
