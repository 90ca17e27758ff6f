package options

import (
	"fmt"
	"math"
	"time"
)

// Defaults are the server's figures for what a request leaves open.
type Defaults struct {
	// Timeout holds for requests that name none. It is above zero and at most MaxTimeout.
	Timeout time.Duration
	// MaxTimeout is the longest a batch may take; requests for more get this.
	MaxTimeout time.Duration
}

// The range of google.protobuf.Duration, from its own documentation: about 10,000 years.
const (
	maxDurationSeconds = 315_576_000_000
	maxDurationNanos   = 999_999_999
)

// Parse validates a request's options and applies the defaults. Its error is always an
// [*InvalidError], for the first mistake in the order timeout, route, retry strategy. Whether
// the options fit the deployment is checked apart, by [Options.CheckKind].
func Parse(in Input, defaults Defaults) (Options, error) {
	out := Options{
		Timeout:      min(defaults.Timeout, defaults.MaxTimeout),
		Kind:         in.Kind,
		RaiseOnError: in.RaiseOnError,
	}
	if in.Kind == KindAny {
		return out, nil
	}
	prefix := in.Kind.field()
	if in.Timeout != nil {
		timeout, err := parseTimeout(*in.Timeout, prefix+".timeout")
		if err != nil {
			return Options{}, err
		}
		out.Timeout = min(timeout, defaults.MaxTimeout)
	}
	if in.Route != nil && in.Kind == KindCluster {
		route, err := parseRoute(*in.Route, prefix+".route")
		if err != nil {
			return Options{}, err
		}
		out.Route = route
	}
	if in.Retry != nil {
		// Any present strategy is refused, even one with both flags off, as GLIDE's clients do:
		// a caller who sets one believes that it means something.
		if in.Atomic {
			return Options{}, &InvalidError{
				Field:   prefix + ".retry_strategy",
				Reason:  ReasonAtomicRetry,
				Message: "an atomic batch cannot have a retry strategy: leave it unset, or set batch.is_atomic to false",
			}
		}
		out.RetryServerError = in.Retry.ServerError
		out.RetryConnectionError = in.Retry.ConnectionError
	}
	return out, nil
}

// parseTimeout checks a timeout's form and sign. Durations that Go's own type cannot hold
// (292 years and more) are cut to the longest it can; the server's maximum is far below.
func parseTimeout(d Duration, field string) (time.Duration, error) {
	invalid := func(message string) error {
		return &InvalidError{
			Field:   field,
			Reason:  ReasonInvalidTimeout,
			Message: message,
			Metadata: map[string]string{
				"seconds": fmt.Sprint(d.Seconds),
				"nanos":   fmt.Sprint(d.Nanos),
			},
		}
	}
	switch {
	case d.Seconds > maxDurationSeconds, d.Seconds < -maxDurationSeconds:
		return 0, invalid(fmt.Sprintf("not a valid duration: %d seconds are outside the range of -%d to %d",
			d.Seconds, int64(maxDurationSeconds), int64(maxDurationSeconds)))
	case d.Nanos > maxDurationNanos, d.Nanos < -maxDurationNanos:
		return 0, invalid(fmt.Sprintf("not a valid duration: %d nanos are outside the range of -%d to %d",
			d.Nanos, maxDurationNanos, maxDurationNanos))
	case d.Seconds > 0 && d.Nanos < 0, d.Seconds < 0 && d.Nanos > 0:
		return 0, invalid(fmt.Sprintf("not a valid duration: %d seconds and %d nanos differ in sign", d.Seconds, d.Nanos))
	case d.Seconds == 0 && d.Nanos == 0:
		return 0, invalid("must be above zero, but is 0s; leave it unset for the server's default")
	case d.Seconds < 0 || d.Nanos < 0:
		return 0, invalid(fmt.Sprintf("must be above zero, but is %s", formatNegative(d)))
	case d.Seconds > math.MaxInt64/int64(time.Second)-1:
		return math.MaxInt64, nil
	}
	return time.Duration(d.Seconds)*time.Second + time.Duration(d.Nanos), nil
}

// formatNegative writes a valid negative duration as protobuf's JSON form does, without
// passing through a type that could overflow.
func formatNegative(d Duration) string {
	if d.Nanos == 0 {
		return fmt.Sprintf("%ds", d.Seconds)
	}
	return fmt.Sprintf("-%d.%09ds", -d.Seconds, -d.Nanos)
}
