//go:build !unix

package embedded

import "net"

// pair returns the two ends of a connection in memory.
func pair() (client, served net.Conn, err error) {
	client, served = net.Pipe()
	return client, served, nil
}
