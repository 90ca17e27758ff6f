package httpapi

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/valkeybatch/valkeybatch/internal/auth"
)

// call is what is known of a call besides its messages. To interceptors it is what they may set
// headers and trailers on.
type call struct {
	method string
	json   bool // its messages are
	body   *body
	writer *writer
	// arrived, if not nil, ends that the call is awaited. It may be called more than once.
	arrived func()

	mu              sync.Mutex // guards the rest
	header, trailer metadata.MD
	held            []func()
}

var _ grpc.ServerTransportStream = (*call)(nil)

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// context returns the context of a call: it holds what gRPC's would.
func (c *call) context(r *http.Request) context.Context {
	ctx := context.WithValue(r.Context(), callKey{}, c)
	ctx = metadata.NewIncomingContext(ctx, metadataOf(r))
	ctx = peer.NewContext(ctx, peerOf(r))
	return grpc.NewContextWithServerTransportStream(ctx, c)
}

// metadataOf returns a request's headers as gRPC gives them.
func metadataOf(r *http.Request) metadata.MD {
	md := make(metadata.MD, len(r.Header)+1)
	for name, values := range r.Header {
		name = strings.ToLower(name)
		for _, value := range values {
			if strings.HasSuffix(name, "-bin") {
				b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
				if err != nil {
					continue // gRPC would refuse the call; nothing here reads such headers
				}
				value = string(b)
			}
			md[name] = append(md[name], value)
		}
	}
	md[":authority"] = []string{r.Host}
	return md
}

// peerOf returns who sent a request, as gRPC gives it.
func peerOf(r *http.Request) *peer.Peer {
	p := &peer.Peer{Addr: address(r.RemoteAddr)}
	p.LocalAddr, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if r.TLS != nil {
		p.AuthInfo = auth.NewPeer(credentials.TLSInfo{
			State:          *r.TLS,
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		})
	}
	return p
}

// address is a caller's address as net/http gives it.
type address string

// Network implements net.Addr.
func (a address) Network() string {
	if _, _, err := net.SplitHostPort(string(a)); err != nil {
		return "unix"
	}
	return "tcp"
}

// String implements net.Addr.
func (a address) String() string { return string(a) }

// Method implements grpc.ServerTransportStream.
func (c *call) Method() string { return c.method }

// SetHeader implements grpc.ServerTransportStream.
func (c *call) SetHeader(md metadata.MD) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = metadata.Join(c.header, md)
	return nil
}

// SendHeader implements grpc.ServerTransportStream. The headers go with the answer.
func (c *call) SendHeader(md metadata.MD) error { return c.SetHeader(md) }

// SetTrailer implements grpc.ServerTransportStream.
func (c *call) SetTrailer(md metadata.MD) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trailer = metadata.Join(c.trailer, md)
	return nil
}

// headers moves the headers and the trailers that were set to an answer's. Nil takes none.
func (c *call) headers(header, trailer http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if header != nil {
		move(header, &c.header)
	}
	if trailer != nil {
		move(trailer, &c.trailer)
	}
}

func move(to http.Header, from *metadata.MD) {
	for name, values := range *from {
		for _, value := range values {
			if strings.HasSuffix(name, "-bin") {
				value = base64.RawStdEncoding.EncodeToString([]byte(value))
			}
			to.Add(name, value)
		}
	}
	*from = nil
}

// failed returns a status as the error of this call, with the headers and trailers that were set.
func (c *call) failed(err error) error {
	out := connectError(err)
	c.headers(out.Meta(), out.Meta())
	return out
}

// hold has release called when the answer is sent or given up.
func (c *call) hold(release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = append(c.held, release)
}

func (c *call) release() {
	if c.arrived != nil {
		c.arrived()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, release := range c.held {
		release()
	}
	c.held = nil
}
