// Package config is everything an operator can set: one struct, filled from flags, from
// VALKEYBATCH_* environment variables and from a YAML file, in this order of strength, and
// validated as a whole.
package config

import "time"

// Config is the settings of the server. Every field is a flag, an environment variable
// (VALKEYBATCH_ and the flag's name in upper case with underscores) and a key of the file
// named by --config (the flag's name). Its tags hold names, defaults, help and, as min and max,
// the range of values that are allowed: a figure, or the name of the setting that is the bound.
// Nothing else in the program knows a default or a range of these, and docs/configuration.md
// is made from them.
//
//go:generate go run ./gen -o ../../docs/configuration.md
type Config struct {
	// File is the YAML file with settings; empty: none.
	File string `name:"config" env:"VALKEYBATCH_CONFIG" placeholder:"FILE" help:"YAML file with settings, keyed by flag name. Flags and environment are stronger." group:"General"`

	// Listen are the addresses to serve gRPC on: host:port, or unix:///path for a socket. At least one.
	Listen []string `name:"listen" env:"VALKEYBATCH_LISTEN" default:"127.0.0.1:7400" placeholder:"ADDR" help:"Address to serve on: host:port or unix:///path. Repeatable, or comma separated." group:"General"`
	// LogLevel is the least level that is logged: debug, info, warn or error.
	LogLevel string `name:"log-level" env:"VALKEYBATCH_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn, error. At debug every batch is logged." group:"General"`
	// LogFormat is text or json.
	LogFormat string `name:"log-format" env:"VALKEYBATCH_LOG_FORMAT" default:"text" enum:"text,json" placeholder:"FORMAT" help:"Format of log lines: text or json." group:"General"`
	// DrainDelay is how long the server, told to stop, goes on taking new batches while health
	// already says NOT_SERVING, so that load balancers notice. 0 s to 10 min.
	DrainDelay time.Duration `name:"drain-delay" env:"VALKEYBATCH_DRAIN_DELAY" default:"0s" min:"0s" max:"10m" placeholder:"DURATION" help:"On shutdown, how long to go on serving while health says NOT_SERVING." group:"General"`
	// DrainTimeout is how long batches in flight may take to end after that before they are
	// cut off. 0 s to 1 h.
	DrainTimeout time.Duration `name:"drain-timeout" env:"VALKEYBATCH_DRAIN_TIMEOUT" default:"30s" min:"0s" max:"1h" placeholder:"DURATION" help:"On shutdown, how long batches in flight may take to end." group:"General"`

	HTTP        HTTP        `embed:"" group:"HTTP"`
	TLS         TLS         `embed:"" group:"TLS"`
	Auth        Auth        `embed:"" group:"Callers"`
	Connections Connections `embed:"" group:"Connections"`
	Valkey      Valkey      `embed:"" group:"Valkey"`
	Limits      Limits      `embed:"" group:"Limits"`

	Admin     Admin     `embed:"" group:"Observability"`
	Telemetry Telemetry `embed:"" group:"Observability"`

	// AllowCommand and DenyCommand are the operator's policy over the built-in one: command
	// names ("flushall"), subcommands ("config|set"), ACL categories ("@dangerous"), or "all".
	AllowCommand []string `name:"allow-command" env:"VALKEYBATCH_ALLOW_COMMAND" placeholder:"ENTRY" help:"Allow a command that is refused by default: flushall, config|set, @dangerous, all. Scripts and functions are not looked into." group:"Policy"`
	DenyCommand  []string `name:"deny-command" env:"VALKEYBATCH_DENY_COMMAND" placeholder:"ENTRY" help:"Refuse a command: keys, script|flush, @scripting, all. The most specific entry wins. Scripts and functions are not looked into: to be strict, deny @scripting too." group:"Policy"`
}

// Valkey is how to reach the deployment.
type Valkey struct {
	// Seeds are host:port addresses, or unix:///path, of any nodes of the deployment. None:
	// the embedded in-memory store.
	Seeds []string `name:"valkey" env:"VALKEYBATCH_VALKEY" placeholder:"HOST:PORT" help:"Nodes of the Valkey deployment to begin with. Without any, an in-memory store is used." group:"Valkey"`
	// Username and Password authenticate to every node. A password without a user name is the
	// default user's.
	Username string `name:"valkey-username" env:"VALKEYBATCH_VALKEY_USERNAME" placeholder:"NAME" help:"User name for the deployment." group:"Valkey"`
	Password Secret `name:"valkey-password" env:"VALKEYBATCH_VALKEY_PASSWORD" placeholder:"SECRET" help:"Password for the deployment. Better given by environment or file: flags are visible to other users." group:"Valkey"`
	// PasswordFile is a file that holds the password, instead of Password.
	PasswordFile string `name:"valkey-password-file" env:"VALKEYBATCH_VALKEY_PASSWORD_FILE" placeholder:"FILE" help:"File that holds the password; a line end at its end is dropped. New connections use what it holds by then." group:"Valkey"`
	// TLS connects with TLS; the other TLS settings need it. Without CA the system's
	// certificates are trusted; without ServerName every node must prove its own host name.
	TLS           bool   `name:"valkey-tls" env:"VALKEYBATCH_VALKEY_TLS" help:"Connect to the deployment with TLS." group:"Valkey"`
	TLSCA         string `name:"valkey-tls-ca" env:"VALKEYBATCH_VALKEY_TLS_CA" placeholder:"FILE" help:"PEM file with the certificates to trust instead of the system's." group:"Valkey"`
	TLSCert       string `name:"valkey-tls-cert" env:"VALKEYBATCH_VALKEY_TLS_CERT" placeholder:"FILE" help:"PEM file with the client certificate." group:"Valkey"`
	TLSKey        string `name:"valkey-tls-key" env:"VALKEYBATCH_VALKEY_TLS_KEY" placeholder:"FILE" help:"PEM file with the client certificate's key." group:"Valkey"`
	TLSServerName string `name:"valkey-tls-server-name" env:"VALKEYBATCH_VALKEY_TLS_SERVER_NAME" placeholder:"NAME" help:"Name that the nodes' certificates must hold, instead of each node's host." group:"Valkey"`
	// ClientName is what CLIENT LIST shows for the server's connections. Printable, without spaces.
	ClientName string `name:"client-name" env:"VALKEYBATCH_CLIENT_NAME" default:"valkeybatch" placeholder:"NAME" help:"Name of the server's connections in CLIENT LIST." group:"Valkey"`
	// AvailabilityZone is where the server runs; replica routes prefer replicas of this zone.
	AvailabilityZone string `name:"availability-zone" env:"VALKEYBATCH_AVAILABILITY_ZONE" placeholder:"ZONE" help:"Availability zone of this server; replica routes prefer its replicas." group:"Valkey"`
	// TopologyRefresh is how often the topology is read without a cause. 1 s to 1 h.
	TopologyRefresh time.Duration `name:"topology-refresh" env:"VALKEYBATCH_TOPOLOGY_REFRESH" default:"30s" min:"1s" max:"1h" placeholder:"DURATION" help:"How often the topology is read again without a cause." group:"Valkey"`
}

// Limits bound what callers can ask for.
type Limits struct {
	// DefaultTimeout is the time of batches that name none. 1 ms to MaxTimeout.
	DefaultTimeout time.Duration `name:"default-timeout" env:"VALKEYBATCH_DEFAULT_TIMEOUT" default:"5s" min:"1ms" max:"max-timeout" placeholder:"DURATION" help:"Time of batches that name none." group:"Limits"`
	// MaxTimeout is the longest a batch may take; requests for more get this. 1 ms to 24 h.
	MaxTimeout time.Duration `name:"max-timeout" env:"VALKEYBATCH_MAX_TIMEOUT" default:"5m" min:"1ms" max:"24h" placeholder:"DURATION" help:"Longest time of a batch; longer ones are cut to it." group:"Limits"`
	// MaxCommands is the most commands of one batch. 1 to 10,000,000.
	MaxCommands int `name:"max-commands" env:"VALKEYBATCH_MAX_COMMANDS" default:"250000" min:"1" max:"10000000" placeholder:"N" help:"Most commands of one batch." group:"Limits"`
	// MaxArguments is the most arguments of one batch, over all its commands and with their
	// names. 1 to 100,000,000.
	MaxArguments int `name:"max-arguments" env:"VALKEYBATCH_MAX_ARGUMENTS" default:"4000000" min:"1" max:"100000000" placeholder:"N" help:"Most arguments of one batch, over all its commands." group:"Limits"`
	// MaxRequestBytes is the largest encoded batch. 1 KiB to 1 GiB.
	MaxRequestBytes Size `name:"max-request-bytes" env:"VALKEYBATCH_MAX_REQUEST_BYTES" default:"128MiB" min:"1KiB" max:"1GiB" placeholder:"SIZE" help:"Largest batch, encoded." group:"Limits"`
	// MaxReplyBytes is the most reply bytes of one batch, as Valkey sends them. 1 KiB to 1 GiB.
	MaxReplyBytes Size `name:"max-reply-bytes" env:"VALKEYBATCH_MAX_REPLY_BYTES" default:"128MiB" min:"1KiB" max:"1GiB" placeholder:"SIZE" help:"Most reply bytes of one batch." group:"Limits"`
	// MaxReplyDepth is how deep a reply may be nested. 1 to 128. The default keeps the deepest
	// reply within what most Protocol Buffers decoders accept by default: 100 levels, of which
	// an array takes two (Value, ArrayValue) and a map three (Value, MapValue, Entry).
	MaxReplyDepth int `name:"max-reply-depth" env:"VALKEYBATCH_MAX_REPLY_DEPTH" default:"32" min:"1" max:"128" placeholder:"N" help:"How deep a reply may be nested. Generated clients with Protocol Buffers' usual limit of 100 levels read 48 arrays in each other, but only 32 maps." group:"Limits"`
	// MaxInFlightBatches is the most batches carried out at once. 1 to 1,000,000.
	MaxInFlightBatches int `name:"max-in-flight-batches" env:"VALKEYBATCH_MAX_IN_FLIGHT_BATCHES" default:"1024" min:"1" max:"1000000" placeholder:"N" help:"Most batches carried out at once; more are refused." group:"Limits"`
	// MaxBlockingBatches is the most pipelines with blocking commands carried out at once, so that
	// those who wait leave room for those who do not. 1 to 1,000,000.
	MaxBlockingBatches int `name:"max-blocking-batches" env:"VALKEYBATCH_MAX_BLOCKING_BATCHES" default:"512" min:"1" max:"1000000" placeholder:"N" help:"Most of those with blocking commands (BLPOP, XREAD BLOCK, WAIT, ...); more are refused." group:"Limits"`
	// MaxStreamBatches is the most batches of one stream carried out at once. 1 to 1,000,000.
	MaxStreamBatches int `name:"max-stream-batches" env:"VALKEYBATCH_MAX_STREAM_BATCHES" default:"256" min:"1" max:"1000000" placeholder:"N" help:"Most batches of one stream carried out at once; further ones wait." group:"Limits"`
	// MaxStreamStall is how long a caller may leave an answer unread, or stop within a message that
	// it sends, before the stream or the call is ended. 1 s to 1 h.
	MaxStreamStall time.Duration `name:"max-stream-stall" env:"VALKEYBATCH_MAX_STREAM_STALL" default:"30s" min:"1s" max:"1h" placeholder:"DURATION" help:"How long a caller may leave an answer unread, or stop within a message, before the stream or the call is ended." group:"Limits"`
	// MaxStreams is the most streams open at once, on all connections, those that idle included. As
	// many calls of their own may wait for their request to arrive, and as many health watches and
	// streams of reflection may be open. 1 to 10,000,000.
	MaxStreams int `name:"max-streams" env:"VALKEYBATCH_MAX_STREAMS" default:"20000" min:"1" max:"10000000" placeholder:"N" help:"Most streams open at once, idle ones included; more are refused." group:"Limits"`
	// MaxConnections is the most connections of callers, of gRPC and, apart from them, over HTTP; one
	// more is closed, which a gRPC client is told (GOAWAY).
	// 1 to 1,000,000.
	MaxConnections int `name:"max-connections" env:"VALKEYBATCH_MAX_CONNECTIONS" default:"10000" min:"1" max:"1000000" placeholder:"N" help:"Most connections of callers of gRPC, and as many over HTTP; more are refused." group:"Limits"`
	// MaxInFlightBytes is the most request bytes of those. A batch counts as its encoded bytes,
	// or as 256 bytes for each command and 64 for each argument where that is more: what small
	// commands take in memory. One that counts as more than this is carried out alone. Batches of up
	// to 64 KiB have an eighth more, and as many bytes again may be on their way in.
	// MaxRequestBytes to 1 TiB.
	MaxInFlightBytes Size `name:"max-in-flight-bytes" env:"VALKEYBATCH_MAX_IN_FLIGHT_BYTES" default:"1GiB" min:"max-request-bytes" max:"1TiB" placeholder:"SIZE" help:"Most request bytes of the batches carried out at once; more are refused. Commands count as 256 bytes at least, and 64 for each argument." group:"Limits"`
	// MaxInFlightReplyBytes is the most reply bytes, as Valkey sends them, that all batches
	// together hold until their responses are sent; a batch whose replies go beyond fails. Batches
	// with up to 64 KiB of replies have an eighth more, so that large ones cannot shut them out.
	// MaxReplyBytes to 1 TiB.
	MaxInFlightReplyBytes Size `name:"max-in-flight-reply-bytes" env:"VALKEYBATCH_MAX_IN_FLIGHT_REPLY_BYTES" default:"2GiB" min:"max-reply-bytes" max:"1TiB" placeholder:"SIZE" help:"Most reply bytes of all batches at once; batches that go beyond fail." group:"Limits"`
	// MaxRedirects is how often one command follows MOVED or ASK. 1 to 100.
	MaxRedirects int `name:"max-redirects" env:"VALKEYBATCH_MAX_REDIRECTS" default:"16" min:"1" max:"100" placeholder:"N" help:"How often one command follows redirects." group:"Limits"`
}

// Embedded reports whether no deployment is named, and so the embedded store is used.
func (c *Config) Embedded() bool { return len(c.Valkey.Seeds) == 0 }
