package runner

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/proc"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// backend is the process between client and deployment, where the subject has one.
type backend interface {
	// sample says what the process has used so far. It begins a CPU profile if a file for it
	// is named, and ends one that is under way.
	sample(profile string) (proc.Sample, error)
	end()
}

// none is the backend of clients that talk to the deployment themselves.
type none struct{}

func (none) sample(string) (proc.Sample, error) { return proc.Sample{}, nil }
func (none) end()                               {}

// service is the product's server (command bench/service).
type service struct {
	*process
	dir string
	// collector is where it sends its traces; nil: nowhere.
	collector *collector
}

// startService starts the server on the target's nodes and says in the target where it is.
func startService(ctx context.Context, binary string, observed subject.Observed, target *subject.Target) (backend, error) {
	dir, err := os.MkdirTemp("", "valkeybatch-bench-")
	if err != nil {
		return nil, err
	}
	target.Unix = filepath.Join(dir, "s.sock")
	s := &service{dir: dir}
	args := []string{
		"--listen", "127.0.0.1:0", "--listen", "unix://" + target.Unix,
		"--valkey", strings.Join(target.Nodes, ","),
		"--log-level", "error",
		// As with the peers: well above what any batch takes.
		"--default-timeout", "60s",
	}
	if observed >= subject.Metrics {
		args = append(args, "--admin-listen", "127.0.0.1:0")
	}
	if observed >= subject.Traces {
		if s.collector, err = startCollector(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		args = append(args, "--trace-endpoint", "http://"+s.collector.addr, "--trace-sample", "0.01")
	}
	if s.process, err = start(ctx, binary, args...); err != nil {
		s.collector.stop()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.receive(target); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (s *service) sample(profile string) (proc.Sample, error) {
	if err := s.send(profile); err != nil {
		return proc.Sample{}, err
	}
	var sample proc.Sample
	return sample, s.receive(&sample)
}

func (s *service) end() {
	s.process.end()
	s.collector.stop()
	_ = os.RemoveAll(s.dir)
}

// webdis is Debian's HTTP server in front of Redis.
type webdis struct {
	*process
	dir string
}

// webdisBinary is where Webdis is, an error where it is not installed.
func webdisBinary() (string, error) { return exec.LookPath("webdis") }

func startWebdis(ctx context.Context, target *subject.Target) (backend, error) {
	dir, err := os.MkdirTemp("", "valkeybatch-bench-")
	if err != nil {
		return nil, err
	}
	w := &webdis{dir: dir}
	if err := w.start(ctx, target); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// webdisSettings are Webdis's defaults but for addresses, the log and the threads, of which
// there is one for each core here as well.
func webdisSettings(dir string, port, valkeyPort int) map[string]any {
	return map[string]any{
		"redis_host": "127.0.0.1", "redis_port": valkeyPort,
		"http_host": "127.0.0.1", "http_port": port,
		"threads": 2, "pool_size": 20, "daemonize": false, "database": 0,
		"acl":       []any{map[string]any{"disabled": []string{"DEBUG"}}},
		"verbosity": 0, "logfile": filepath.Join(dir, "webdis.log"),
	}
}

func (w *webdis) start(ctx context.Context, target *subject.Target) error {
	_, valkeyPort, err := net.SplitHostPort(target.Nodes[0])
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(valkeyPort)
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	settings, err := json.Marshal(webdisSettings(w.dir, port, number))
	if err != nil {
		return err
	}
	file := filepath.Join(w.dir, "webdis.json")
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		return err
	}
	binary, err := webdisBinary()
	if err != nil {
		return err
	}
	if w.process, err = start(ctx, binary, file); err != nil {
		return err
	}
	target.Webdis = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return waitListening(ctx, target.Webdis)
}

func (w *webdis) sample(string) (proc.Sample, error) {
	pid := w.cmd.Process.Pid
	cpu, err := proc.CPU(pid)
	if err != nil {
		return proc.Sample{}, err
	}
	peak, err := proc.Peak(strconv.Itoa(pid))
	return proc.Sample{CPU: cpu, Peak: peak}, err
}

func (w *webdis) end() {
	if w.process != nil {
		// It does not end with its standard input.
		_ = w.cmd.Process.Kill()
		w.process.end()
	}
	_ = os.RemoveAll(w.dir)
}

// freePort returns a port that nobody listens on at this moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// waitListening returns when somebody listens there.
func waitListening(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}
