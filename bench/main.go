// Command bench measures the service beside its peers, in one run: README.md tells how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/valkeybatch/valkeybatch/bench/internal/client"
	"github.com/valkeybatch/valkeybatch/bench/internal/runner"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == runner.ClientCommand {
		os.Exit(client.Main())
	}
	// The kernel ends a child when the thread that started it ends: that is to be the main one.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2) // the flag package has said why
	}
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
