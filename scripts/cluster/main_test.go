package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestClusterRunsAndEnds does what "make cluster" does, on free ports: it starts the
// program, waits until the server is healthy, and ends it as Ctrl-C does.
func TestClusterRunsAndEnds(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, "valkeybatch-server", "../../cmd/server")
	build(t, dir, "local-cluster", ".")
	addr := freeAddr(t)

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "local-cluster"),
		"--server", filepath.Join(dir, "valkeybatch-server"), "--port", "0", "--", "--listen", addr, "--log-format", "json")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, out)

	for {
		probe := exec.CommandContext(ctx, filepath.Join(dir, "valkeybatch-server"), "healthcheck", "--address", addr)
		answer, err := probe.CombinedOutput()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Errorf("the server does not become healthy: %s", answer)
			break
		}
		time.Sleep(50 * time.Millisecond)
	}

	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt it ends with %v", err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("node %d is still running", pid)
		}
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("the server is still running")
	}
}

// Whoever finds the ports taken is told which, and how to choose others.
func TestTakenPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	first, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), "", first, time.Minute, nil)
	if err == nil || !strings.Contains(err.Error(), "port "+port+" is not free") || !strings.Contains(err.Error(), "NODE_PORT=") {
		t.Errorf("it ends with %v", err)
	}
}

var nodeLine = regexp.MustCompile(`127\.0\.0\.1:\d+  process (\d+)  (primary|replica)`)

// readPIDs reads the output up to where all nodes are named, and goes on reading the rest
// so that nobody blocks on it.
func readPIDs(t *testing.T, out io.Reader) (pids []int) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for len(pids) < primaries*(1+replicas) {
		if !lines.Scan() {
			t.Fatalf("the output ends after %d nodes", len(pids))
		}
		t.Log(lines.Text())
		if m := nodeLine.FindStringSubmatch(lines.Text()); m != nil {
			pid, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	drained := make(chan struct{})
	t.Cleanup(func() { <-drained })
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, out)
	}()
	return pids
}

func build(t *testing.T, dir, name, pkg string) {
	t.Helper()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
