// Command cluster runs a local Valkey cluster, three primaries with a replica each, and the
// server on it, until it is told to stop (Ctrl-C, SIGTERM) or the server ends. It is what
// "make cluster" runs. Everything it started ends with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

const (
	primaries = 3
	replicas  = 1 // of each primary
)

func main() {
	server := flag.String("server", "bin/valkeybatch-server", "the server's binary; empty runs the cluster alone")
	port := flag.Int("port", 7001, "first of the nodes' ports; 0 picks free ones")
	timeout := flag.Duration("start-timeout", time.Minute, "how long the cluster may take to form")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: cluster [flags] [-- further arguments of the server]")
		flag.PrintDefaults()
	}
	flag.Parse()
	// The kernel ends the server when the thread that started it ends: that is to be the
	// main one.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *server, *port, *timeout, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server string, port int, timeout time.Duration, args []string) (err error) {
	config := local.ClusterConfig{Primaries: primaries, Replicas: replicas}
	if port != 0 {
		for i := range primaries * (1 + replicas) {
			config.Ports = append(config.Ports, port+i)
		}
	}
	fmt.Println("Starting a Valkey cluster of", primaries, "primaries with", replicas, "replica each ...")
	starting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cluster, err := local.StartCluster(starting, config)
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop meanwhile
		}
		if taken := (*local.PortError)(nil); errors.As(err, &taken) && port != 0 {
			err = fmt.Errorf("%w\nchoose other ports with NODE_PORT=... of make, or --port of this program (0 picks free ones)", err)
		}
		return err
	}
	defer func() {
		err = errors.Join(err, cluster.Close())
		fmt.Println("The cluster has ended.")
	}()
	var seeds []string
	for _, n := range cluster.Nodes {
		role := "primary"
		if n.Primary != nil {
			role = "replica of " + n.Primary.Addr()
		}
		fmt.Printf("  %s  process %d  %s\n", n.Addr(), n.PID(), role)
		if n.Primary == nil {
			seeds = append(seeds, n.Addr())
		}
	}
	fmt.Println("Ctrl-C ends it all.")
	if server == "" {
		<-ctx.Done()
		return nil
	}
	return serve(ctx, server, append([]string{"--valkey", strings.Join(seeds, ",")}, args...))
}

// serve runs the server until ctx ends, then asks it to end and waits until it has.
func serve(ctx context.Context, binary string, args []string) error {
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = local.ChildAttributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return fmt.Errorf("the server ended by itself: %w", errors.Join(errors.New("see its log above"), err))
	case <-ctx.Done():
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return <-ended
}
