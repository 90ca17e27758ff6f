package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// TestDrain checks the order of a shutdown: health first, then what is in flight ends in peace.
func TestDrain(t *testing.T) {
	r := start(t, settings(t, "--drain-delay=500ms"))
	conn := dial(t, r.Addrs()[0])
	client := valkeybatchv1.NewBatchServiceClient(conn)
	watch, err := healthpb.NewHealthClient(conn).Watch(testContext(t), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v", first, err)
	}
	type answer struct {
		resp *valkeybatchv1.ExecuteBatchResponse
		err  error
	}
	flying := make(chan answer, 1)
	go func() {
		resp, err := client.ExecuteBatch(testContext(t), batch([]string{"BLPOP", "list", "20"}))
		flying <- answer{resp, err}
	}()
	eventually(t, "the batch in flight", func() bool {
		batches, _ := r.backend.service.InFlight()
		return batches == 1
	})
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	if next, err := watch.Recv(); err != nil || next.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Fatalf("%v, %v", next, err)
	}
	// During the delay new batches are still taken; this one ends the one in flight.
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"RPUSH", "list", "x"})); err != nil {
		t.Errorf("during the drain delay: %v", err)
	}
	if a := <-flying; a.err != nil || len(a.resp.GetResults()[0].GetArrayValue().GetElements()) != 2 {
		t.Errorf("the batch in flight: %v, %v", a.resp, a.err)
	}
	// The watch would never end by itself.
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable || infoOf(t, err).GetReason() != service.ReasonDraining {
		t.Errorf("the watch ends with %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if text := r.log.String(); strings.Contains(text, "cutting off") || !strings.Contains(text, "drained") {
		t.Errorf("the server did not drain in peace: %s", text)
	}
}

// TestDrainDeadline checks that a batch that does not end is cut off when the time is up.
func TestDrainDeadline(t *testing.T) {
	r := start(t, settings(t, "--drain-timeout=200ms"))
	flying := make(chan error, 1)
	client := r.client(t)
	go func() {
		_, err := client.ExecuteBatch(testContext(t), batch([]string{"BLPOP", "list", "20"}))
		flying <- err
	}()
	eventually(t, "the batch in flight", func() bool {
		batches, _ := r.backend.service.InFlight()
		return batches == 1
	})
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if err := <-flying; err == nil {
		t.Error("the batch succeeded")
	}
	if !strings.Contains(r.log.String(), "cutting off") {
		t.Errorf("the log does not tell: %s", r.log.String())
	}
}

func TestHealthcheck(t *testing.T) {
	r := start(t, settings(t))
	probe := &config.Healthcheck{Address: r.Addrs()[0].String(), Timeout: 20 * time.Second}
	if err := Healthcheck(context.Background(), probe); err != nil {
		t.Error(err)
	}
	probe.Service = "nosuch"
	if err := Healthcheck(context.Background(), probe); err == nil {
		t.Error("an unknown service is healthy")
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	probe.Service, probe.Timeout = "", 5*time.Second
	if err := Healthcheck(context.Background(), probe); err == nil {
		t.Error("a stopped server is healthy")
	}
}

// TestStartsWhileValkeyIsDown checks that the server comes up without its deployment, says so,
// refuses batches with UNAVAILABLE, and recovers by itself, twice.
func TestStartsWhileValkeyIsDown(t *testing.T) {
	valkey := valkeytest.StartServer(t)
	valkey.Stop(t)
	r := start(t, settings(t, "--valkey="+valkey.Addr(), "--default-timeout=2s"))
	conn, client := dial(t, r.Addrs()[0]), r.client(t)
	is := func(want healthpb.HealthCheckResponse_ServingStatus) func() bool {
		return func() bool {
			for _, name := range []string{HealthServer, HealthService, ComponentValkey} {
				if healthOf(t, conn, name) != want {
					return false
				}
			}
			return true
		}
	}
	if !is(healthpb.HealthCheckResponse_NOT_SERVING)() {
		t.Error("serving without a deployment")
	}
	_, err := client.ExecuteBatch(testContext(t), batch([]string{"PING"}))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("without a deployment: %v", err)
	}
	infoOf(t, err)
	for range 2 {
		valkey.Start(t)
		eventually(t, "serving", is(healthpb.HealthCheckResponse_SERVING))
		got, err := client.ExecuteBatch(testContext(t), batch([]string{"SET", "k", "v"}, []string{"GET", "k"}))
		if err != nil || got.GetFailedCount() != 0 || got.GetResults()[1].GetStringValue() != "v" {
			t.Errorf("with a deployment: %v, %v", got, err)
		}
		valkey.Kill(t)
		eventually(t, "not serving", is(healthpb.HealthCheckResponse_NOT_SERVING))
	}
}

// TestEndlessScriptEnds checks that a script without an end keeps neither the embedded store
// from serving others nor the server from ending.
func TestEndlessScriptEnds(t *testing.T) {
	r := start(t, settings(t))
	client := r.client(t)
	endless := batch([]string{"EVAL", "while true do end", "0"}, []string{"SET", "k", "v"})
	got, err := client.ExecuteBatch(testContext(t), endless)
	if err != nil || !strings.Contains(got.GetResults()[0].GetErrorValue().GetMessage(), "ERR Script killed: ") ||
		got.GetResults()[1].GetStringValue() != "OK" {
		t.Errorf("got %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	go func() { _, _ = client.ExecuteBatch(ctx, endless) }()
	eventually(t, "the batch in flight", func() bool {
		batches, _ := r.backend.service.InFlight()
		return batches == 1
	})
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not end")
	}
}

// TestUnaryDrain: of the calls that come while a server shuts down each is carried out and answered,
// or neither.
func TestUnaryDrain(t *testing.T) {
	srv := valkeytest.StartServer(t)
	r := start(t, settings(t, "--valkey", srv.Addr(), "--drain-delay=200ms"))
	const callers = 16
	var calling sync.WaitGroup
	answered := make([]int, callers)
	under := make(chan struct{}, callers)
	ctx := testContext(t)
	for i := range callers {
		client := r.client(t)
		calling.Go(func() {
			for {
				got, err := client.ExecuteBatch(ctx, batch([]string{"INCR", fmt.Sprint("n", i)}))
				if err != nil {
					if status.Code(err) != codes.Unavailable {
						t.Errorf("caller %d: %v", i, err)
					}
					return
				}
				if answered[i]++; got.GetResults()[0].GetIntegerValue() != int64(answered[i]) {
					t.Errorf("caller %d: the reply %v after %d answers", i, got, answered[i])
				}
				if answered[i] == 100 {
					under <- struct{}{}
				}
			}
		})
	}
	for range callers {
		<-under
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	calling.Wait()
	if strings.Contains(r.log.String(), "cutting off") {
		t.Error("it was cut off")
	}
	for i, want := range answered {
		executed, _ := srv.MustDo(t, "GET", fmt.Sprint("n", i)).Bytes()
		if string(executed) != strconv.Itoa(want) {
			t.Errorf("caller %d: %s were executed and %d answered", i, executed, want)
		}
	}
}
