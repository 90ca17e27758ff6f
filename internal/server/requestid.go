package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// requestIDKey is the metadata key under which callers may name their call, so that their
// logs and the server's can be matched.
const requestIDKey = "x-request-id"

// maxRequestID is the longest name that is taken over, in bytes.
const maxRequestID = 128

var (
	// requestPrefix tells apart the processes that number their calls.
	requestPrefix = processPrefix()
	requestNumber atomic.Uint64
)

func processPrefix() string {
	var b [6]byte
	// Since Go 1.24 this never fails.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// requestIDField is the field of log lines that holds it.
const requestIDField = "request_id"

// requestID gives every call a name for its log lines: the caller's, or one of its own.
func requestID(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(withRequestID(ctx), req)
}

// withRequestID returns a context with a name for the call, the one that it has if it has one.
func withRequestID(ctx context.Context) context.Context {
	if named(ctx) != "" {
		return ctx
	}
	return logging.InjectLogField(ctx, requestIDField, requestIDOf(ctx))
}

// requestIDOf returns the name that the call has, else the caller's, else a new one.
func requestIDOf(ctx context.Context) string {
	if id := named(ctx); id != "" {
		return id
	}
	if values := metadata.ValueFromIncomingContext(ctx, requestIDKey); len(values) > 0 && printable(values[0]) {
		return values[0]
	}
	return requestPrefix + "-" + strconv.FormatUint(requestNumber.Add(1), 10)
}

// named returns the name that the call has in its log lines; empty: none yet.
func named(ctx context.Context) string {
	fields := logging.ExtractFields(ctx)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == requestIDField {
			id, _ := fields[i+1].(string)
			return id
		}
	}
	return ""
}

// printable reports whether a caller's name for its call is fit for a log line.
func printable(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] < '!' || id[i] > '~' {
			return false
		}
	}
	return true
}
