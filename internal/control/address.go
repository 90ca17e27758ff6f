package control

import (
	"net"
	"strconv"
	"strings"
)

// hostOf returns the host of an address, without brackets; for a socket path it is
// "localhost", where a server behind a socket is.
func hostOf(addr string) string {
	if strings.HasPrefix(addr, "unix://") {
		return "localhost"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// joinAddress returns "host:port", IPv6 hosts in brackets. It is "" when either is
// missing or the port is no port.
func joinAddress(host string, port int64) string {
	if host == "" || port < 1 || port > 65535 {
		return ""
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.FormatInt(port, 10))
}
