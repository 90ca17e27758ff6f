package servertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// build builds the server's binary as make does, for a test.
func build(t testing.TB) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("looking for the module: %v", err)
	}
	path := filepath.Join(t.TempDir(), "valkeybatch-server")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/server")
	build.Dir = string(bytes.TrimSpace(root))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the server: %v\n%s", err, out)
	}
	return path
}

// StartProcess starts the built server in front of a deployment, as a process of its own, and
// returns when it is healthy. The process must end well when the test ends.
func StartProcess(t testing.TB, seeds []string, flags ...string) *Server {
	t.Helper()
	path, target := build(t), socket(t)
	logs := &Log{}
	process := exec.Command(path, append([]string{"--listen", target, "--valkey", strings.Join(seeds, ","), "--drain-timeout", "1s"}, flags...)...)
	process.Stdout, process.Stderr = logs, logs
	process.SysProcAttr = local.ChildAttributes()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	s := connect(t, target, logs)
	s.PID = process.Process.Pid
	s.Stop = sync.OnceFunc(func() {
		s.Conn.Close()
		if err := process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("the server has ended by itself: %v", err)
		}
		if err := process.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	t.Cleanup(s.end(t))
	s.AwaitHealth(t, healthpb.HealthCheckResponse_SERVING)
	return s
}

// RSS returns the resident memory of the server's process, and the most that it had, in bytes.
func (s *Server) RSS(t testing.TB) (now, most int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
	if err != nil {
		t.Fatalf("the server's memory cannot be read: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = n << 10
		case "VmHWM:":
			most = n << 10
		}
	}
	return now, most
}
