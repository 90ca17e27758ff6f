// Command bench measures the service against its peers, side by side in one run. See
// README.md beside it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/client"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/runner"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == runner.ClientCommand {
		os.Exit(client.Main(os.Stdin, os.Stdout))
	}
	// The kernel ends a child when the thread that started it ends: that is to be the main one.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("run", "", "")
	subjects := flag.String("subjects", "", "")
	rounds := flag.Int("rounds", 5, "")
	seconds := flag.Float64("seconds", 1, "")
	flag.Parse()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	re := regexp.MustCompile(*only)
	sre := regexp.MustCompile(*subjects)
	cfg := runner.Config{
		Self: self, Service: filepath.Join(filepath.Dir(self), "bench-service"),
		Rounds: *rounds, WarmUp: 300 * time.Millisecond, Time: time.Duration(*seconds * 1e9),
		Subjects: sre.MatchString, Log: os.Stdout,
	}
	for _, s := range scenario.All {
		if re.MatchString(s.Name) {
			cfg.Scenarios = append(cfg.Scenarios, s)
		}
	}
	cells, err := runner.Run(ctx, cfg)
	_ = result.Run{Cells: cells}
	return err
}
