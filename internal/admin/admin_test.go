package admin

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server for the test and returns how to ask it.
func serve(t *testing.T, cfg Config) func(method, path string) (int, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := New(l, cfg)
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(func() {
		s.Close()
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(method, path string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
}

func TestPaths(t *testing.T) {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "some", Help: "x"}, func() float64 { return 7 }))
	var ready atomic.Bool
	ask := serve(t, Config{Metrics: metrics, Ready: ready.Load})
	for _, test := range []struct {
		method, path string
		ready        bool
		status       int
		says         string
	}{
		{"GET", "/healthz", false, 200, "ok\n"},
		{"GET", "/readyz", false, 503, "not ready"},
		{"GET", "/readyz", true, 200, "ready\n"},
		{"HEAD", "/readyz", true, 200, ""},
		{"GET", "/metrics", false, 200, "\nsome 7\n"},
		{"POST", "/metrics", false, 405, ""},
		{"GET", "/", false, 404, ""},
		{"GET", "/debug/pprof/", false, 404, ""},
		{"GET", "/debug/pprof/heap", false, 404, ""},
	} {
		ready.Store(test.ready)
		if status, text := ask(test.method, test.path); status != test.status || !strings.Contains(text, test.says) {
			t.Errorf("%s %s: %d, %q", test.method, test.path, status, text)
		}
	}
}

func TestProfiles(t *testing.T) {
	ask := serve(t, Config{Metrics: prometheus.NewRegistry(), Ready: func() bool { return true }, PProf: true})
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/profile?seconds=1"} {
		if status, text := ask("GET", path); status != 200 || text == "" {
			t.Errorf("%s: %d, %q", path, status, text)
		}
	}
	// A password may have been given as a flag.
	if status, text := ask("GET", "/debug/pprof/cmdline"); status != 404 || strings.Contains(text, os.Args[0]) {
		t.Errorf("the command line: %d, %q", status, text)
	}
}

func TestCloseBeforeServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(l, Config{Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	s.Close()
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the listener is open")
	}
}
