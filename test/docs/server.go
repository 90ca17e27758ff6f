package docs

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Start starts a server as documented ("make cluster"), on free ports, and returns its address
// and that for HTTP when it is healthy. It ends with the test.
func Start(t testing.TB, root, how string) (address, http string) {
	t.Helper()
	address, http = freeAddress(t), freeAddress(t)
	run := exec.Command("bash", "-c", how)
	run.Dir = root
	run.Env = append(os.Environ(), "VALKEYBATCH_LISTEN="+address, "VALKEYBATCH_HTTP_LISTEN="+http, "NODE_PORT=0", "MAKEFLAGS=")
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run.Wait() // however it ends; the health check tells whether it served
	}()
	t.Cleanup(func() {
		// Ctrl-C in a terminal reaches the whole group.
		_ = syscall.Kill(-run.Process.Pid, syscall.SIGINT)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = syscall.Kill(-run.Process.Pid, syscall.SIGKILL)
			<-ended
			t.Errorf("%s did not end a minute after Ctrl-C", how)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", how, out.String())
		}
	})
	serves := healthy
	if strings.Contains(how, "--tls-cert") {
		serves = handshakes // who may ask for health is the document's business
	}
	if !serves(t.Context(), address, ended) {
		t.Fatalf("%s does not serve on %s", how, address)
	}
	return address, http
}

// freeAddress returns an address that nothing listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// handshakes waits until the server at an address speaks TLS, or has ended.
func handshakes(ctx context.Context, address string, ended <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	return await(ctx, ended, func() bool {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		return err == nil && conn.Close() == nil
	})
}

// await asks again and again until something is so, or the server has ended.
func await(ctx context.Context, ended <-chan struct{}, is func() bool) bool {
	for ctx.Err() == nil {
		if is() {
			return true
		}
		select {
		case <-ended:
			return false
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return false
}

// healthy waits until the server at an address says that it serves, or has ended.
func healthy(ctx context.Context, address string, ended <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return false
	}
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)
	return await(ctx, ended, func() bool {
		resp, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
		return err == nil && resp.GetStatus() == healthpb.HealthCheckResponse_SERVING
	})
}
