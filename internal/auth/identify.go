package auth

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// Why a caller is not known.
const (
	CauseNoCredentials      = "NO_CREDENTIALS"
	CauseMalformed          = "MALFORMED_AUTHORIZATION"
	CauseUnknownToken       = "UNKNOWN_TOKEN"
	CauseUnknownCertificate = "UNKNOWN_CERTIFICATE"
	CauseExpiredCertificate = "EXPIRED_CERTIFICATE"
)

// UnknownError says that it is not known who calls.
type UnknownError struct {
	// Cause is one of the causes, for programs.
	Cause string
}

// Error implements error.
func (e *UnknownError) Error() string {
	switch e.Cause {
	case CauseMalformed:
		return "the metadata authorization must be one value of the form \"Bearer TOKEN\""
	case CauseUnknownToken:
		return "the bearer token is not known"
	case CauseUnknownCertificate:
		return "no name of the client certificate is known"
	case CauseExpiredCertificate:
		return "the client certificate has expired since the connection was made"
	default:
		return "this server asks who calls: send the metadata \"authorization: Bearer TOKEN\", or connect with a client certificate"
	}
}

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 4 << 10

// Identify tells who calls: by the token where there is one, and else by the certificate. Its
// error is an [*UnknownError].
func (c *Callers) Identify(ctx context.Context) (*Identity, error) {
	r := c.file.Load()
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) > 0 {
		token, ok := bearer(values)
		if !ok {
			return nil, &UnknownError{Cause: CauseMalformed}
		}
		// Looking up the hash tells nothing of others' tokens by the time it takes.
		who := r.tokens[sha256.Sum256([]byte(token))]
		if who == nil {
			return nil, &UnknownError{Cause: CauseUnknownToken}
		}
		return who, nil
	}
	if from, ok := peer.FromContext(ctx); ok {
		if tls, ok := from.AuthInfo.(Peer); ok && len(tls.names) > 0 {
			return r.holder(tls, time.Now())
		}
	}
	return nil, &UnknownError{Cause: CauseNoCredentials}
}

// bearer returns the token of the one value of authorization.
func bearer(values []string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, len(values) == 1 && strings.EqualFold(scheme, "bearer") && token != "" && len(token) <= maxToken
}

// holder finds the holder of a certificate by the first of its names that is known.
func (r *registry) holder(p Peer, now time.Time) (*Identity, error) {
	for _, name := range p.names {
		if who := r.certificates[name]; who != nil {
			if now.After(p.until) {
				return nil, &UnknownError{Cause: CauseExpiredCertificate}
			}
			return who, nil
		}
	}
	return nil, &UnknownError{Cause: CauseUnknownCertificate}
}
