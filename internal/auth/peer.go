package auth

import (
	"crypto/x509"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
)

// The kinds of names that a certificate has of its holder.
const (
	kindURI   = "uri"
	kindDNS   = "dns"
	kindEmail = "email"
)

// Peer is a TLS connection's other side, looked at once when the connection is made.
type Peer struct {
	credentials.TLSInfo
	// names are those of the verified certificate, as the file of identities writes them.
	names []string
	// until is when the certificate expires.
	until time.Time
}

// NewPeer looks at the other side of a connection. Only certificates that were verified count.
func NewPeer(info credentials.TLSInfo) Peer {
	p := Peer{TLSInfo: info}
	if len(info.State.VerifiedChains) > 0 && len(info.State.PeerCertificates) > 0 {
		leaf := info.State.PeerCertificates[0]
		p.names, p.until = namesOf(leaf), leaf.NotAfter
	}
	return p
}

// namesOf are the subject alternative names of a certificate: URIs first, e-mail addresses last.
func namesOf(c *x509.Certificate) []string {
	var names []string
	for _, uri := range c.URIs {
		names = append(names, kindURI+":"+uri.String())
	}
	for _, name := range c.DNSNames {
		names = append(names, kindDNS+":"+strings.ToLower(name))
	}
	for _, address := range c.EmailAddresses {
		names = append(names, kindEmail+":"+address)
	}
	return names
}
