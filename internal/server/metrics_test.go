package server

import (
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// scraper leaves no connections behind.
var scraper = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// get asks the admin listener.
func (r *running) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	response, err := scraper.Get("http://" + r.AdminAddr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// scraped is what a scrape brings.
type scraped map[string]*dto.MetricFamily

// scrape reads the metrics as Prometheus does.
func (r *running) scrape(t *testing.T) scraped {
	t.Helper()
	status, text := r.get(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", status, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// of returns the value of a metric, or the count of a histogram, by labels as "a=b"; those of
// several series are added up. NaN: there is no such series.
func (s scraped) of(name string, labels ...string) float64 {
	family := s[name]
	if family == nil {
		return math.NaN()
	}
	sum, found := 0.0, false
	for _, m := range family.GetMetric() {
		have := make([]string, 0, 4)
		for _, l := range m.GetLabel() {
			have = append(have, l.GetName()+"="+l.GetValue())
		}
		if slices.ContainsFunc(labels, func(want string) bool { return !slices.Contains(have, want) }) {
			continue
		}
		found = true
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	if !found {
		return math.NaN()
	}
	return sum
}

// figures are what metrics are to say: by name and labels, separated by spaces.
type figures map[string]float64

// check compares the growth between two scrapes; what is new began at zero.
func (f figures) check(t *testing.T, before, after scraped) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(f)) {
		parts := strings.Fields(key)
		was, is := before.of(parts[0], parts[1:]...), after.of(parts[0], parts[1:]...)
		if math.IsNaN(was) {
			was = 0
		}
		if got := is - was; got != f[key] {
			t.Errorf("%s grew by %v, want %v", key, got, f[key])
		}
	}
}

// clusterKeys returns a key of a slot of each primary's, and those primaries.
func clusterKeys(t *testing.T, c *valkeytest.Cluster) (keys []string, owners []*valkeytest.Server) {
	t.Helper()
	for _, primary := range c.Primaries() {
		for i := 0; ; i++ {
			key := "{" + strings.Repeat("k", i%7+1) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "}"
			if c.Owner(t, key) == primary {
				keys, owners = append(keys, key), append(owners, primary)
				break
			}
		}
	}
	return keys, owners
}

// TestMetrics scrapes real metrics after a known load on a real cluster, redirects included.
func TestMetrics(t *testing.T) {
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	r := start(t, settings(t, "--valkey", strings.Join(cluster.Seeds(), ","), "--admin-listen=127.0.0.1:0", "--topology-refresh=1h"))
	client := r.client(t)
	keys, owners := clusterKeys(t, cluster)
	must := func(req *valkeybatchv1.ExecuteBatchRequest) *valkeybatchv1.ExecuteBatchResponse {
		t.Helper()
		answer, err := client.ExecuteBatch(testContext(t), req)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	must(batch([]string{"PING"})) // the topology is known
	eventually(t, "readiness", func() bool { status, _ := r.get(t, "/readyz"); return status == http.StatusOK })

	before := r.scrape(t)
	// 5 pipelines of 3 SETs, one for each primary, and a hash's command that fails in place.
	for range 5 {
		answer := must(batch([]string{"SET", keys[0], "v"}, []string{"SET", keys[1], "v"}, []string{"SET", keys[2], "v"}, []string{"HGET", keys[0], "f"}))
		if answer.GetFailedCount() != 1 {
			t.Fatalf("got %v", answer)
		}
	}
	atomic := batch([]string{"INCR", keys[0] + "n"}, []string{"LPUSH", keys[0] + "l", "x"})
	atomic.Batch.IsAtomic = true
	for range 2 {
		must(atomic)
	}
	// A command split over three nodes.
	must(batch([]string{"MGET", keys[0], keys[1], keys[2]}))
	if _, err := client.ExecuteBatch(testContext(t), batch([]string{"SUBSCRIBE", "c"})); err == nil {
		t.Fatal("SUBSCRIBE is carried out")
	}
	s := r.stream(t, testContext(t))
	sendOn(t, s, 1, batch([]string{"XADD", keys[1] + "s", "*", "f", "v"}))
	receiveOn(t, s)
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != io.EOF {
		t.Fatal(err)
	}
	eventually(t, "the stream's end", func() bool {
		return r.scrape(t).of("grpc_server_handled_total", "grpc_method=StreamBatches", "grpc_code=OK") == 1
	})
	after := r.scrape(t)
	figures{
		"valkeybatch_batches_total":                                            10,
		"valkeybatch_batches_total mode=pipeline status=OK":                    7,
		"valkeybatch_batches_total mode=atomic status=OK":                      2,
		"valkeybatch_batches_total mode=pipeline status=INVALID_ARGUMENT":      1,
		"valkeybatch_batch_duration_seconds mode=pipeline":                     8,
		"valkeybatch_batch_duration_seconds mode=atomic":                       2,
		"valkeybatch_batch_commands":                                           10,
		"valkeybatch_commands_total family=string":                             5*3 + 2 + 1,
		"valkeybatch_commands_total family=hash":                               5,
		"valkeybatch_commands_total family=list":                               2,
		"valkeybatch_commands_total family=stream":                             1,
		"valkeybatch_commands_total family=pubsub":                             0,
		"valkeybatch_command_results_total outcome=ok":                         5*3 + 4 + 1 + 1,
		"valkeybatch_command_results_total outcome=failed":                     5,
		"valkeybatch_command_errors_total code=WRONGTYPE":                      5,
		"valkeybatch_command_errors_total":                                     5,
		"valkeybatch_batch_sub_pipelines":                                      9,
		"valkeybatch_batch_rounds_total":                                       9,
		"valkeybatch_redirects_total":                                          0,
		"valkeybatch_retries_total":                                            0,
		"valkeybatch_node_duration_seconds lane=ordinary":                      5*3 + 3 + 1,
		"valkeybatch_node_duration_seconds lane=atomic":                        2,
		"valkeybatch_node_queue_seconds lane=atomic":                           2,
		"valkeybatch_node_duration_seconds node=" + owners[2].Addr():           5 + 1,
		"grpc_server_handled_total grpc_method=ExecuteBatch grpc_code=OK":      8,
		"grpc_server_handled_total grpc_method=ExecuteBatch":                   9,
		"grpc_server_started_total grpc_method=ExecuteBatch":                   9,
		"grpc_server_msg_received_total grpc_method=ExecuteBatch":              9,
		"grpc_server_msg_sent_total grpc_method=ExecuteBatch":                  8,
		"grpc_server_started_total grpc_method=StreamBatches":                  1,
		"grpc_server_msg_sent_total grpc_method=StreamBatches":                 1,
		"valkeybatch_topology_refreshes_total result=failure":                  0,
		"valkeybatch_node_connections_lost_total node=" + owners[0].Addr():     0,
		"valkeybatch_in_flight_batches":                                        0,
		"valkeybatch_node_connections lane=atomic node=" + owners[0].Addr():    1,
		"valkeybatch_node_dials_total result=success node=" + owners[1].Addr(): 0,
	}.check(t, before, after)
	now := figures{
		"valkeybatch_serving": 1, "valkeybatch_topology_slots": 16384, "valkeybatch_topology_nodes role=primary": 3,
		"valkeybatch_topology_nodes role=replica": 0, "valkeybatch_node_reachable": 3, "valkeybatch_in_flight_batches_limit": 1024,
		"valkeybatch_in_flight_reply_bytes": 0, "valkeybatch_in_flight_request_bytes": 0, "valkeybatch_node_in_flight lane=ordinary": 0,
	}
	for key, want := range now {
		parts := strings.Fields(key)
		if got := after.of(parts[0], parts[1:]...); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "valkeybatch_build_info", "valkeybatch_topology_age_seconds"} {
		if math.IsNaN(after.of(name)) {
			t.Errorf("no %s", name)
		}
	}
	t.Run("redirects", func(t *testing.T) { testRedirectMetrics(t, r, cluster, keys[0], owners) })
	t.Run("names", func(t *testing.T) {
		_, text := r.get(t, "/metrics")
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "valkeybatch_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	})
}

// testRedirectMetrics moves a slot and counts what that does to batches.
func testRedirectMetrics(t *testing.T, r *running, cluster *valkeytest.Cluster, key string, owners []*valkeytest.Server) {
	client := r.client(t)
	slot := valkeytest.Slot(key)
	cluster.BeginMigration(t, slot, owners[0], owners[1])
	before := r.scrape(t)
	// Two of three keys are not there any more, or not yet: ASK.
	answer, err := client.ExecuteBatch(testContext(t), batch([]string{"GET", key}, []string{"GET", key + "no1"}, []string{"GET", key + "no2"}))
	if err != nil || answer.GetFailedCount() != 0 {
		t.Fatalf("%v, %v", answer, err)
	}
	figures{
		"valkeybatch_redirects_total kind=ask":            2,
		"valkeybatch_redirects_total kind=moved":          0,
		"valkeybatch_batch_rounds_total":                  2,
		"valkeybatch_node_duration_seconds lane=ordinary": 2,
		"valkeybatch_commands_total family=string":        3,
		"valkeybatch_command_results_total outcome=ok":    3,
	}.check(t, before, r.scrape(t))

	// The slot has moved, which the service does not know yet: MOVED for each of its commands.
	cluster.MigrateKeys(t, slot, owners[0], owners[1])
	cluster.FinishMigration(t, slot, owners[0], owners[1])
	before = r.scrape(t)
	if answer, err = client.ExecuteBatch(testContext(t), batch([]string{"GET", key}, []string{"SET", key, "w"}, []string{"GET", key})); err != nil || answer.GetFailedCount() != 0 {
		t.Fatalf("%v, %v", answer, err)
	}
	figures{
		"valkeybatch_redirects_total kind=moved":       3,
		"valkeybatch_redirects_total kind=ask":         0,
		"valkeybatch_batch_rounds_total":               2,
		"valkeybatch_batches_total status=OK":          1,
		"valkeybatch_commands_total family=string":     3,
		"valkeybatch_command_results_total outcome=ok": 3,
	}.check(t, before, r.scrape(t))
}

// TestNoAdmin: without the listener nothing is kept, and nothing stands in a batch's way.
func TestNoAdmin(t *testing.T) {
	r := start(t, settings(t))
	if r.AdminAddr() != nil || r.telemetry.observer() != nil || r.telemetry.batch() != nil {
		t.Error("something is observed")
	}
}
