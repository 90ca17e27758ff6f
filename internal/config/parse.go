package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Command is what the command line asks for.
type Command struct {
	// Serve is set when the server is to run: its validated settings.
	Serve *Config
	// UnknownEnvironment are, with Serve, the environment variables that begin with
	// VALKEYBATCH_ and mean nothing, sorted; those that Kubernetes sets are not among them.
	UnknownEnvironment []string
	// Effective is set, with Serve, when the settings are to be printed instead: all of them as
	// a YAML file, see --print-config.
	Effective string
	// Healthcheck is set when a running server's health is asked for.
	Healthcheck *Healthcheck
	// Token is set when a new token for a caller is asked for.
	Token bool
}

// Healthcheck is the settings of the probe.
type Healthcheck struct {
	// Address is the server's, as given to --listen.
	Address string `name:"address" env:"VALKEYBATCH_HEALTHCHECK_ADDRESS" default:"127.0.0.1:7400" placeholder:"ADDR" help:"Address of the server: host:port or unix:///path."`
	// Service is the service to ask for; empty: the server as a whole.
	Service string `name:"service" env:"VALKEYBATCH_HEALTHCHECK_SERVICE" placeholder:"NAME" help:"Service to ask for; none: the server as a whole."`
	// TLS makes the probe speak TLS; the settings below need it. Without CA the system's
	// certificates are trusted.
	TLS        bool   `name:"tls" env:"VALKEYBATCH_HEALTHCHECK_TLS" help:"Connect with TLS."`
	CA         string `name:"ca" env:"VALKEYBATCH_HEALTHCHECK_CA" placeholder:"FILE" help:"With tls, PEM file with the certificates to trust instead of the system's."`
	Cert       string `name:"cert" env:"VALKEYBATCH_HEALTHCHECK_CERT" placeholder:"FILE" help:"With tls, PEM file with the client certificate."`
	Key        string `name:"key" env:"VALKEYBATCH_HEALTHCHECK_KEY" placeholder:"FILE" help:"With tls, PEM file with the client certificate's key."`
	ServerName string `name:"server-name" env:"VALKEYBATCH_HEALTHCHECK_SERVER_NAME" placeholder:"NAME" help:"With tls, the name that the server's certificate must hold, instead of the address's host."`
	// TokenFile is a file with the bearer token to send, where health is not open to anyone.
	TokenFile string `name:"token-file" env:"VALKEYBATCH_HEALTHCHECK_TOKEN_FILE" placeholder:"FILE" help:"File with the bearer token to send, where health needs one."`
	// Timeout bounds the whole probe.
	Timeout time.Duration `name:"timeout" env:"VALKEYBATCH_HEALTHCHECK_TIMEOUT" default:"3s" placeholder:"DURATION" help:"How long the probe may take."`
}

// cli is the command line. Settings without a command's name are those of serve.
type cli struct {
	Version     kong.VersionFlag `name:"version" help:"Print the version and exit."`
	PrintConfig bool             `name:"print-config" help:"Print the settings as they take effect, as a YAML file that says where each is from and leaves secrets out, and exit."`
	Serve       Config           `cmd:"" default:"withargs" help:"Serve batches of Valkey commands over gRPC. This is the default command; the others are healthcheck and token."`
	Token       struct{}         `cmd:"" help:"Make a token for a caller: prints the token, and on a second line what stands for it in the file of --auth-file."`
	Healthcheck Healthcheck      `cmd:"" help:"Ask a running server for its health: exit code 0 if it is serving, 1 if not."`
}

// Streams is where help, the version and usage errors go, and how the process ends after
// help or the version was asked for.
type Streams struct {
	Out, Err io.Writer
	Exit     func(code int)
}

// Parse reads the command line, the environment and the file they name. Settings of serve are
// validated. The version is what --version prints.
func Parse(args []string, version string, streams Streams) (*Command, error) {
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		// What people look for are the settings of the default command.
		args = []string{"serve", "--help"}
	}
	// The first pass finds the file, the second has its values.
	out, err := parse(args, version, streams, nil)
	if err != nil {
		return nil, err
	}
	if path := out.cli.Serve.File; path != "" {
		file, err := readFile(path)
		if err != nil {
			return nil, err
		}
		if out, err = parse(args, version, streams, file); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(out.command, "healthcheck") {
		return &Command{Healthcheck: &out.cli.Healthcheck}, nil
	}
	if out.command == "token" {
		return &Command{Token: true}, nil
	}
	config := &out.cli.Serve
	config.normalize()
	effective := ""
	if out.cli.PrintConfig {
		effective = config.effective(out.origins)
	}
	unknown := unknownEnvironment(out.app, os.Environ())
	if err := errors.Join(config.checkUnknownEnvironment(unknown), located(config.Check(), out.origins)); err != nil {
		return nil, err
	}
	return &Command{Serve: config, UnknownEnvironment: unknown, Effective: effective}, nil
}

// parsed is a command line that has been read, with the environment and the file.
type parsed struct {
	cli     cli
	command string // the command's name and what follows it
	app     *kong.Application
	origins map[string]origin // see originsOf
}

// parse reads the command line and the environment, and what the file adds to them; nil: none.
func parse(args []string, version string, streams Streams, values *file) (*parsed, error) {
	var out parsed
	opts := []kong.Option{
		kong.Name("valkeybatch-server"),
		kong.Description("Batches of Valkey commands over gRPC: atomic batches and pipelines, on standalone servers and clusters."),
		kong.Vars{"version": version},
		kong.Writers(streams.Out, streams.Err),
		kong.Exit(streams.Exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ValueFormatter(helpOf),
	}
	if values != nil {
		opts = append(opts, kong.Resolvers(values))
	}
	parser, err := kong.New(&out.cli, opts...)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if values != nil {
		if err := values.check(parser.Model); err != nil {
			return nil, err
		}
	}
	context, err := parser.Parse(args)
	if err != nil {
		if better := misplaced(parser.Model, args, values); better != nil {
			return nil, better
		}
		return nil, err
	}
	out.command, out.app, out.origins = context.Command(), parser.Model, originsOf(parser.Model, args, values)
	return &out, nil
}

// normalize drops the empty elements of lists, which empty environment variables and
// trailing commas leave behind.
func (c *Config) normalize() {
	for _, list := range []*[]string{&c.Listen, &c.HTTP.Listen, &c.HTTP.AllowOrigin, &c.Valkey.Seeds, &c.AllowCommand, &c.DenyCommand, &c.Auth.Open} {
		kept := (*list)[:0]
		for _, element := range *list {
			if element = strings.TrimSpace(element); element != "" {
				kept = append(kept, element)
			}
		}
		if *list = kept; len(kept) == 0 {
			*list = nil
		}
	}
}
