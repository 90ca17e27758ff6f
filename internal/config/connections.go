package config

import "time"

// Connections is how long callers' connections live and how they are kept alive.
type Connections struct {
	// KeepaliveMinTime is how often clients may ping, with and without calls under way; those
	// that ping more often are told to go away (ENHANCE_YOUR_CALM). 1 ms to 1 h. gRPC's own default
	// of 5 min cuts off clients with customary settings, which ping every 10 s at most.
	KeepaliveMinTime time.Duration `name:"keepalive-min-time" env:"VALKEYBATCH_KEEPALIVE_MIN_TIME" default:"5s" min:"1ms" max:"1h" placeholder:"DURATION" help:"Shortest time between a client's keepalive pings, with calls under way or without; clients that ping more often are cut off." group:"Connections"`
	// KeepaliveTime is after how long without a sign of life the server pings a client, and
	// KeepaliveTimeout how long it waits for the answer before it ends the connection, with the
	// calls of what is then a dead peer. 1 s to 24 h, and 1 s to 1 h.
	KeepaliveTime    time.Duration `name:"keepalive-time" env:"VALKEYBATCH_KEEPALIVE_TIME" default:"60s" min:"1s" max:"24h" placeholder:"DURATION" help:"After how long without a sign of life the server pings a client." group:"Connections"`
	KeepaliveTimeout time.Duration `name:"keepalive-timeout" env:"VALKEYBATCH_KEEPALIVE_TIMEOUT" default:"20s" min:"1s" max:"1h" placeholder:"DURATION" help:"How long a client may leave such a ping unanswered before its connection is ended." group:"Connections"`
	// MaxConnectionAge is how old a connection may become, within a tenth of it, before the client
	// is told to make another: it brings clients to new servers behind a load balancer, and their
	// certificates are looked at anew. Calls under way go on for MaxConnectionAgeGrace and are cut
	// off then. Over HTTP it is told with the next answer. 0 s: no end; 0 s to 168 h, and 1 s to 24 h.
	MaxConnectionAge      time.Duration `name:"max-connection-age" env:"VALKEYBATCH_MAX_CONNECTION_AGE" default:"0s" min:"0s" max:"168h" placeholder:"DURATION" help:"Age at which a client is told to make a new connection, so that load spreads to new servers and certificates are looked at anew; 0: none." group:"Connections"`
	MaxConnectionAgeGrace time.Duration `name:"max-connection-age-grace" env:"VALKEYBATCH_MAX_CONNECTION_AGE_GRACE" default:"5m" min:"1s" max:"24h" placeholder:"DURATION" help:"How long calls of such a connection, streams too, may go on before they are cut off." group:"Connections"`
}
