// The valkeybatch server: batches of Valkey commands over gRPC.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/server"
)

// Set at link time: -ldflags "-X main.version=v1.2.3". The commit is for builds that see no
// repository, such as the image's: the Go tool stamps others with theirs.
var version, commit string

func main() { os.Exit(run()) }

// run returns the exit code: 0 for success, 1 for a failure, 2 for wrong usage.
func run() int {
	command, err := config.Parse(os.Args[1:], config.Build(version, commit),
		config.Streams{Out: os.Stdout, Err: os.Stderr, Exit: os.Exit})
	if err != nil {
		fmt.Fprintf(os.Stderr, "valkeybatch-server: %v\n", err)
		return 2
	}
	if command.Token {
		token, line := auth.NewToken()
		fmt.Printf("%s\n%s\n", token, line)
		return 0
	}
	if command.Effective != "" {
		fmt.Print(command.Effective)
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// After the first signal the server drains; a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	if command.Healthcheck != nil {
		err = server.Healthcheck(ctx, command.Healthcheck)
	} else {
		err = serve(ctx, command.Serve, command.UnknownEnvironment)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "valkeybatch-server: %v\n", err)
		return 1
	}
	return 0
}

// serve runs the server until ctx ends. It warns of environment variables that mean nothing.
func serve(ctx context.Context, cfg *config.Config, unknown []string) error {
	logger := cfg.Logger(os.Stderr)
	slog.SetDefault(logger)
	for _, name := range unknown {
		logger.Warn("this environment variable means nothing to the server: is its name misspelt? --help lists all", "variable", name)
	}
	s, err := server.New(cfg, logger, server.WithVersion(config.Version(version)))
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
