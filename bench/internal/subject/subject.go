// Package subject is who is measured: this service through its gRPC interface, and its
// peers. Each subject is one file.
package subject

import (
	"fmt"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

// Target is where the subjects find what they talk to. It is told to the process that
// measures as JSON.
type Target struct {
	Cluster bool
	Nodes   []string // host:port of the Valkey servers
	TCP     string   // the service, host:port
	Unix    string   // the service, path of its socket
	Empty   string   // the empty gRPC service, host:port
	Webdis  string   // host:port
}

// Config is what a client is made for.
type Config struct {
	Target  Target
	Callers int
	Atomic  bool
}

// Client is a client in the way that its users would share it: one for all callers.
type Client interface {
	// Caller returns what one caller uses. Callers are used concurrently, each by one goroutine.
	Caller() (Caller, error)
	Close()
}

// Caller sends batches, one after the other.
type Caller interface {
	// Do sends the batch, reads all replies, and checks them.
	Do(batch []workload.Op) error
}

// Needs says what has to run for a subject beside Valkey.
type Needs uint8

// What subjects need.
const (
	Nothing Needs = iota
	Service
	Webdis
)

// Observed says what the service is asked to tell operators.
type Observed uint8

// What the service tells.
const (
	Silent  Observed = iota // nothing, as when neither listener nor collector is named
	Metrics                 // metrics are kept, as when there is an admin listener
	Traces                  // and one of a hundred batches is traced, to a collector
)

// Subject is one that is measured.
type Subject struct {
	Name  string // in flags and files
	Title string // in tables
	Needs Needs
	// Observed is what the service tells of itself while it is measured.
	Observed Observed
	// SingleOnly says that it has no batches, only single commands.
	SingleOnly bool
	// StandaloneOnly says that it knows no clusters.
	StandaloneOnly bool
	New            func(Config) (Client, error)
}

// All are the subjects in the order of tables.
var All = []*Subject{
	unary, metrics, traces, unixSocket, stream, streams, glideGo, goRedis, valkeyGo, floor, webdis, empty,
}

// ByName returns the subject of that name.
func ByName(name string) (*Subject, error) {
	for _, s := range All {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("there is no subject %q", name)
}
