package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// tokenPrefix begins the tokens that NewToken makes, so that scanners for leaked secrets know them.
const tokenPrefix = "vb_"

// NewToken makes a token of 256 random bits, and what stands for it in a file of identities.
func NewToken() (token, line string) {
	var b [32]byte
	// Since Go 1.24 this never fails.
	_, _ = rand.Read(b[:])
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return token, Hash(token)
}

// Hash returns what stands for a token in a file of identities. One round of SHA-256 is enough
// for tokens of so many random bits, and only for such.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(sum[:])
}
