package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

func TestEmbedded(t *testing.T) {
	r := start(t, settings(t))
	client := r.client(t)
	got, err := client.ExecuteBatch(testContext(t), batch([]string{"SET", "k", "v"}, []string{"GET", "k"}, []string{"LPUSH", "k", "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if got.GetResults()[0].GetStringValue() != "OK" || got.GetResults()[1].GetStringValue() != "v" ||
		got.GetResults()[2].GetErrorValue().GetCode() != "WRONGTYPE" || got.GetFailedCount() != 1 {
		t.Errorf("got %v", got)
	}
	atomic := batch([]string{"INCR", "n"}, []string{"INCR", "n"})
	atomic.Batch.IsAtomic = true
	if got, err = client.ExecuteBatch(testContext(t), atomic); err != nil || got.GetResults()[1].GetIntegerValue() != 2 {
		t.Errorf("atomic: %v, %v", got, err)
	}
	raise := batch([]string{"LPUSH", "k", "x"})
	raise.RaiseOnError = true
	_, err = client.ExecuteBatch(testContext(t), raise)
	if status.Code(err) != codes.FailedPrecondition || infoOf(t, err).GetMetadata()["code"] != "WRONGTYPE" {
		t.Errorf("raise_on_error: %v", err)
	}
	conn := dial(t, r.Addrs()[0])
	for _, name := range []string{HealthServer, HealthService, ComponentValkey} {
		if got := healthOf(t, conn, name); got != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v", name, got)
		}
	}
	if _, err := healthpb.NewHealthClient(conn).Check(testContext(t), &healthpb.HealthCheckRequest{Service: "nosuch"}); status.Code(err) != codes.NotFound {
		t.Errorf("health of an unknown service: %v", err)
	}
	if text := r.log.String(); strings.Count(text, "memory only") != 1 || !strings.Contains(text, "--valkey") {
		t.Errorf("the log does not say once where the data lives: %s", text)
	}
	if HealthService != valkeybatchv1.BatchService_ServiceDesc.ServiceName {
		t.Error("health answers for another service than there is")
	}
}

func TestReflection(t *testing.T) {
	r := start(t, settings(t))
	stream, err := reflectionpb.NewServerReflectionClient(dial(t, r.Addrs()[0])).ServerReflectionInfo(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, service := range answer.GetListServicesResponse().GetService() {
		found = found || service.GetName() == HealthService
	}
	if !found {
		t.Errorf("got %v", answer)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	cfg := settings(t, "--listen=unix://"+path)
	// A socket that a killed process left behind is replaced.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg)
	if len(r.Addrs()) != 2 {
		t.Fatalf("addresses %v", r.Addrs())
	}
	for _, addr := range r.Addrs() {
		if _, err := valkeybatchv1.NewBatchServiceClient(dial(t, addr)).ExecuteBatch(testContext(t), batch([]string{"PING"})); err != nil {
			t.Errorf("%v: %v", addr, err)
		}
	}
	// A socket that is in use is not.
	if _, err := New(settings(t, "--listen=unix://"+path), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a socket in use: %v", err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	// Nor is anything that is no socket.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(settings(t, "--listen=unix://"+path), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, args := range map[string][]string{
		"a port in use":      {"--listen=" + taken.Addr().String()},
		"a bad policy entry": {"--allow-command=@nosuchcategory"},
	} {
		s, err := New(settings(t, args...), slog.New(slog.DiscardHandler))
		if err == nil {
			s.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	// One that is never run can be closed, more than once.
	s, err := New(settings(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
}

func TestLimits(t *testing.T) {
	r := start(t, settings(t, "--max-commands=3", "--max-request-bytes=2KiB", "--max-reply-bytes=4KiB",
		"--max-in-flight-batches=1", "--max-in-flight-bytes=2KiB"))
	client := r.client(t)
	ping := []string{"PING"}
	if _, err := client.ExecuteBatch(testContext(t), batch(ping, ping, ping)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	refused := func(what string, req *valkeybatchv1.ExecuteBatchRequest, actual, allowed string) {
		t.Helper()
		_, err := client.ExecuteBatch(testContext(t), req)
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: %v", what, err)
			return
		}
		info := infoOf(t, err)
		if actual != "" && info.GetMetadata()["actual"] != actual || info.GetMetadata()["allowed"] != allowed {
			t.Errorf("%s: %v", what, info)
		}
	}
	refused("commands", batch(ping, ping, ping, ping), "4", "3")
	refused("request bytes", batch([]string{"SET", "k", strings.Repeat("x", 3000)}), "", "2048")
	refused("far more request bytes, within gRPC's own limit", batch([]string{"SET", "k", strings.Repeat("x", 900_000)}), "", "2048")
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"SETRANGE", "k", "5000", "x"})); err != nil {
		t.Fatal(err)
	}
	refused("reply bytes", batch([]string{"GET", "k"}), "", "4096")

	// One batch in flight leaves no room for another.
	ctx, cancel := context.WithCancel(testContext(t))
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		for ctx.Err() == nil { // it may be this one that finds no room
			_, _ = client.ExecuteBatch(ctx, batch([]string{"BLPOP", "nolist", "20"}))
		}
	}()
	eventually(t, "a refusal", func() bool {
		_, err := client.ExecuteBatch(testContext(t), batch(ping))
		return status.Code(err) == codes.ResourceExhausted && infoOf(t, err).GetReason() == "OVERLOADED"
	})
	cancel()
	<-blocked
	eventually(t, "room again", func() bool {
		_, err := client.ExecuteBatch(testContext(t), batch(ping))
		return err == nil
	})
}

// defective is a service that panics.
type defective struct{ *service.Service }

func (defective) ExecuteBatch(context.Context, *wire.Request) (*wire.Response, error) {
	panic("secret of the inside")
}

func (d defective) StreamBatches(_ grpc.ServerStream, execute service.ExecuteFunc) error {
	req := wire.NewRequest(nil)
	defer req.Release()
	_, err := execute(context.Background(), req)
	return err
}

func TestPanicIsRecovered(t *testing.T) {
	cfg, l := settings(t), &log{}
	listeners, err := listen(cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := newBackend(cfg, l.logger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, assemble(cfg, l.logger(), listeners, backend, defective{backend.service}, security{}, nil, &instruments{}), l)
	for range 2 {
		_, err = r.client(t).ExecuteBatch(testContext(t), batch([]string{"PING"}))
		if status.Code(err) != codes.Internal || infoOf(t, err).GetReason() != "INTERNAL" {
			t.Errorf("got %v", err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("callers see the inside: %v", err)
		}
	}
	stream, err := r.client(t).StreamBatches(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Internal {
		t.Errorf("on a stream: got %v", err)
	}
	if text := l.String(); !strings.Contains(text, "secret of the inside") || !strings.Contains(text, "defective") {
		t.Errorf("the log does not tell where: %s", text)
	}
}

func TestCallsAreLogged(t *testing.T) {
	r := start(t, settings(t))
	ctx := metadata.AppendToOutgoingContext(testContext(t), requestIDKey, "mine-1")
	if _, err := r.client(t).ExecuteBatch(ctx, batch([]string{"SET", "k", "secret value"})); err != nil {
		t.Fatal(err)
	}
	bad := metadata.AppendToOutgoingContext(testContext(t), requestIDKey, "not fit")
	if _, err := r.client(t).ExecuteBatch(bad, batch([]string{"SET", "k", "secret value"})); err != nil {
		t.Fatal(err)
	}
	failed := batch([]string{"LPUSH", "k", "secret value"}, []string{"NOSUCH", "secret value"})
	failed.Batch.IsAtomic = false
	if _, err := r.client(t).ExecuteBatch(testContext(t), failed); err != nil {
		t.Fatal(err)
	}
	raised := batch([]string{"NOSUCH", "secret value"})
	raised.RaiseOnError, raised.Batch.IsAtomic = true, true
	if _, err := r.client(t).ExecuteBatch(testContext(t), raised); status.Code(err) != codes.InvalidArgument {
		t.Fatalf("got %v", err)
	}
	healthOf(t, dial(t, r.Addrs()[0]), "")
	eventually(t, "a log line for each", func() bool { return strings.Count(r.log.String(), "finished call") == 4 })
	text := r.log.String()
	for _, present := range []string{
		"request_id=mine-1", "request_id=" + requestPrefix, "commands=2", "atomic=false", "atomic=true",
		"failed_count=0", "failed_count=2", "request_bytes=", "grpc.duration=", "reason=TRANSACTION_DISCARDED",
	} {
		if !strings.Contains(text, present) {
			t.Errorf("the log lacks %q: %s", present, text)
		}
	}
	for _, absent := range []string{"secret value", "not fit", "grpc.health"} {
		if strings.Contains(text, absent) {
			t.Errorf("the log shows %q: %s", absent, text)
		}
	}
}

// TestNewNamesTheSetting: what is found wrong with a setting only when the server is built names it
// as the check of the settings does.
func TestNewNamesTheSetting(t *testing.T) {
	for key, value := range map[string]string{"allow-command": "nosuch", "deny-command": "nosuch", "auth-file": filepath.Join(t.TempDir(), "none")} {
		_, err := New(settings(t, "--"+key+"="+value), (&log{}).logger())
		var wrong *config.SettingError
		if !errors.As(err, &wrong) || wrong.Key != key {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}
