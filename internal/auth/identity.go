package auth

import (
	"context"

	"github.com/valkeybatch/valkeybatch/internal/command"
)

// Identity is a caller, as a version of the file says. It is immutable but for what is in flight.
type Identity struct {
	// Name is the name in the file, which logs and errors show.
	Name string
	// Access is what the caller's commands and keys are held to.
	Access *command.Access
	// User is the Valkey user that the caller's batches run as; nil: the server's own.
	User *User

	quota *quota
}

type key struct{}

// With returns a context that says who calls.
func With(ctx context.Context, who *Identity) context.Context {
	return context.WithValue(ctx, key{}, who)
}

// From returns who calls; nil: it is not known, as without a file of identities.
func From(ctx context.Context) *Identity {
	who, _ := ctx.Value(key{}).(*Identity)
	return who
}
