// Package options turns the options of a request into validated values with the server's
// defaults applied. It knows neither protobuf nor gRPC: the service layer fills an [Input]
// and translates the typed errors.
package options

import "time"

// Options are a batch's options, validated, defaults applied.
type Options struct {
	// Timeout is how long the batch may take, from its arrival to its answer. It is above
	// zero and never above the server's maximum. The caller's own deadline comes on top: the
	// earlier of the two holds.
	Timeout time.Duration
	// Kind is the kind of deployment the caller believes to talk to; [KindAny] when the
	// request carried no options. [Options.CheckKind] compares it with the real one.
	Kind Kind
	// Route is the single node the whole batch goes to, or [RouteNone].
	Route Route
	// RetryServerError asks for retries of TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN and
	// READONLY. Never set for an atomic batch.
	RetryServerError bool
	// RetryConnectionError asks for commands to be resent whose connection was lost before
	// they were answered. Never set for an atomic batch.
	RetryConnectionError bool
	// RaiseOnError makes the failed command with the lowest index the error of the whole call.
	RaiseOnError bool
}

// CheckKind returns a [*KindError] when the options are for another kind of deployment than
// the given one. [KindAny] on either side fits everything.
func (o Options) CheckKind(deployment Kind) error {
	if o.Kind == KindAny || deployment == KindAny || o.Kind == deployment {
		return nil
	}
	return &KindError{Options: o.Kind, Deployment: deployment}
}

// Kind is a kind of deployment.
type Kind uint8

const (
	// KindAny is no particular kind: a request without options, or a deployment whose kind is
	// not known yet.
	KindAny Kind = iota
	// KindStandalone is a deployment of one primary without cluster mode.
	KindStandalone
	// KindCluster is a Valkey Cluster.
	KindCluster
)

// String names the kind in lower case, for messages and metadata.
func (k Kind) String() string {
	switch k {
	case KindStandalone:
		return "standalone"
	case KindCluster:
		return "cluster"
	default:
		return "any"
	}
}

// field is the name of the request's field that holds the options of this kind.
func (k Kind) field() string {
	if k == KindStandalone {
		return "standalone_options"
	}
	return "cluster_options"
}

// Route names the one node of a cluster that a whole batch goes to. The zero Route is none.
type Route struct {
	// Kind says how the node is named and which of the other fields mean something.
	Kind RouteKind
	// Slot is the hash slot whose node is meant, for [RouteSlot].
	Slot uint16
	// Replica asks for one of the slot's replicas instead of its primary, for [RouteSlot].
	Replica bool
	// Addr is the node's host:port, for [RouteAddress]; an IPv6 host is in brackets.
	Addr string
}

// RouteKind says how a [Route] names its node.
type RouteKind uint8

const (
	// RouteNone is no route: every command is routed by its keys.
	RouteNone RouteKind = iota
	// RouteRandom is any primary.
	RouteRandom
	// RouteSlot is the node that serves a slot.
	RouteSlot
	// RouteAddress is the node at an address.
	RouteAddress
)
