package options

import "fmt"

// InvalidError is an option that no deployment would accept. Nothing has been sent.
type InvalidError struct {
	// Field is the path of the offending field in the request, such as
	// "cluster_options.route.slot_id.slot_id".
	Field string
	// Reason is a stable UPPER_SNAKE_CASE word for the kind of mistake.
	Reason string
	// Message says what is wrong and what would be right, with the figures.
	Message string
	// Metadata holds every dynamic value of the message, for programs.
	Metadata map[string]string
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }

// The reasons of an [InvalidError].
const (
	ReasonInvalidTimeout = "INVALID_TIMEOUT"
	ReasonInvalidRoute   = "INVALID_ROUTE"
	ReasonAtomicRetry    = "RETRY_STRATEGY_WITH_ATOMIC"
)

// KindError says that a request carries options for another kind of deployment than the one
// behind this server. Nothing has been sent.
type KindError struct {
	// Options is the kind the request's options are for.
	Options Kind
	// Deployment is the kind there is.
	Deployment Kind
}

// Error implements error.
func (e *KindError) Error() string {
	return fmt.Sprintf("%s were given, but the deployment is %s", e.Options.field(), e.Deployment.noun())
}

// Field is the request's field that does not fit.
func (e *KindError) Field() string { return e.Options.field() }

// noun names the kind with its article.
func (k Kind) noun() string {
	switch k {
	case KindStandalone:
		return "a standalone server"
	case KindCluster:
		return "a cluster"
	default:
		return "of an unknown kind"
	}
}
