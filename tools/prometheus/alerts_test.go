// Package prometheus holds the alert rules and the dashboard to Prometheus' own parser and engine.
package prometheus

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const (
	alertsFile = "../../deploy/prometheus/alerts.yml"
	// span is how long a case goes on, with a sample and an evaluation each minute.
	span = 40 * time.Minute
)

// alert is a case of an alert: series with which it fires, and says so, and series close to those
// with which it does not.
type alert struct{ fires, says, quiet string }

const (
	okRate = `valkeybatch_batches_total{instance="a",mode="pipeline",status="OK"} 0+600x40` + "\n"
	lanes  = `{instance="a",node="n:1",lane="ordinary",`
)

var alerts = map[string]alert{
	"ValkeybatchDown": {
		`up{job="valkeybatch",instance="a"} 0x40`, "a cannot be scraped",
		`up{job="other",instance="a"} 0x40
		 up{job="valkeybatch",instance="a"} 1x40`,
	},
	"ValkeybatchNotServing": {
		`valkeybatch_serving{instance="a"} 0x40`, "a is not serving",
		`valkeybatch_serving{instance="a"} 1x10 0 1x29`,
	},
	"ValkeybatchNodeUnreachable": {
		`valkeybatch_node_reachable{instance="a",node="n:1"} 1x10 0x29`, "a cannot reach n:1",
		`valkeybatch_node_reachable{instance="a",node="n:1"} 1x10 0x1 1x28`, // a failover
	},
	"ValkeybatchSlotsUncovered": {
		`valkeybatch_topology_slots{instance="a"} 16384x10 10923x29`, "10923 of 16,384 slots have a primary that has not failed, as a sees it",
		`valkeybatch_topology_slots{instance="a"} 16384x40`,
	},
	"ValkeybatchSlotsUncovered none": {
		`valkeybatch_topology_slots{instance="a"} 0x40`, "0 of 16,384 slots have a primary that has not failed, as a sees it",
		`valkeybatch_topology_nodes{instance="a",role="primary"} 1x40`, // no cluster
	},
	"ValkeybatchTopologyOld": {
		`valkeybatch_topology_age_seconds{instance="a"} 0+60x40`, "a has not read the topology for 40m 0s",
		`valkeybatch_topology_age_seconds{instance="a"} 30x40`,
	},
	"ValkeybatchFailing": {
		okRate + `valkeybatch_batches_total{instance="a",mode="pipeline",status="UNAVAILABLE"} 0+60x40`, "9.091% of the batches of a fail",
		okRate + `valkeybatch_batches_total{instance="a",mode="pipeline",status="UNAVAILABLE"} 0+6x40
		 valkeybatch_batches_total{instance="a",mode="pipeline",status="INVALID_ARGUMENT"} 0+600x40`,
	},
	"ValkeybatchDefect": {
		`valkeybatch_batches_total{instance="a",mode="atomic",status="INTERNAL"} 0x39 1`, "a met a defect",
		okRate + `valkeybatch_batches_total{instance="a",mode="atomic",status="INTERNAL"} 7x40`,
	},
	"ValkeybatchOverloaded": {
		`valkeybatch_failures_total{instance="a",reason="OVERLOADED"} 0+120x40`, "a refuses 2 batches a second",
		`valkeybatch_failures_total{instance="a",reason="OVERLOADED"} 0+6x40
		 valkeybatch_failures_total{instance="a",reason="LIMIT_EXCEEDED"} 0+6000x40
		 valkeybatch_failures_total{instance="a",reason="COMMAND_FAILED"} 0+6000x40
		 valkeybatch_batches_total{instance="a",mode="pipeline",status="RESOURCE_EXHAUSTED"} 0+12006x40`,
	},
	"ValkeybatchNearLimit": {
		`valkeybatch_in_flight_batches{instance="a"} 90x40
		 valkeybatch_in_flight_batches_limit{instance="a"} 100x40`, "a is at 90% of what it may have in flight",
		`valkeybatch_in_flight_batches{instance="a"} 90x40
		 valkeybatch_in_flight_batches_limit{instance="a"} 1024x40
		 valkeybatch_in_flight_batches_limit{instance="b"} 90x40`,
	},
	"ValkeybatchNearLimit reply bytes": {
		`valkeybatch_in_flight_reply_bytes{instance="a"} 85x40
		 valkeybatch_in_flight_reply_bytes_limit{instance="a"} 100x40`, "a is at 85% of what it may have in flight",
		`valkeybatch_in_flight_request_bytes{instance="a"} 79x40
		 valkeybatch_in_flight_request_bytes_limit{instance="a"} 100x40`,
	},
	"ValkeybatchSlowNode": {
		`valkeybatch_node_duration_seconds_bucket` + lanes + `le="1"} 0+10x40
		 valkeybatch_node_duration_seconds_bucket` + lanes + `le="2.5"} 0+100x40
		 valkeybatch_node_duration_seconds_bucket` + lanes + `le="+Inf"} 0+100x40`, "n:1 takes 2.483s (p99), as a sees it",
		`valkeybatch_node_duration_seconds_bucket` + lanes + `le="1"} 0+100x40
		 valkeybatch_node_duration_seconds_bucket` + lanes + `le="2.5"} 0+100x40
		 valkeybatch_node_duration_seconds_bucket` + lanes + `le="+Inf"} 0+100x40
		 valkeybatch_node_duration_seconds_bucket{instance="a",node="n:1",lane="blocking",le="2.5"} 0x40
		 valkeybatch_node_duration_seconds_bucket{instance="a",node="n:1",lane="blocking",le="+Inf"} 0+900x40`,
	},
	"ValkeybatchUnknownOutcomes": {
		`valkeybatch_command_results_total{instance="a",outcome="unknown"} 0+60x40`, "1 commands a second may or may not have taken effect",
		`valkeybatch_command_results_total{instance="a",outcome="unknown"} 5x40
		 valkeybatch_command_results_total{instance="a",outcome="ok"} 0+60x40`,
	},
}

// engine returns an engine as Prometheus' own tests use it.
func engine(t *testing.T) *promql.Engine {
	t.Helper()
	return promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
}

// load is what promqltest takes for a sample a minute of some series.
func load(series string) string {
	var out strings.Builder
	out.WriteString("load 1m\n")
	for line := range strings.Lines(series) {
		out.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	return out.String()
}

// rulesOf reads the file of the rules as Prometheus does.
func rulesOf(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(alertsFile, false)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	out := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			out[r.Alert] = r
		}
	}
	return out
}

// firing evaluates a rule each minute, and returns what the alerts that fired last say, and
// whether any did at any time.
func firing(t *testing.T, name string, r rulefmt.Rule, series string) (says []string, ever bool) {
	t.Helper()
	storage := promqltest.LoadedStorage(t, load(series))
	defer storage.Close()
	expr, err := parser.ParseExpr(r.Expr)
	if err != nil {
		t.Fatal(err)
	}
	rule := rules.NewAlertingRule(name, expr, time.Duration(r.For), time.Duration(r.KeepFiringFor),
		labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	query := rules.EngineQueryFunc(engine(t), storage)
	for at := time.Duration(0); at <= span; at += time.Minute {
		if _, err := rule.Eval(t.Context(), 0, time.Unix(0, 0).Add(at), query, nil, 0); err != nil {
			t.Fatal(err)
		}
		says = nil
		for _, a := range rule.ActiveAlerts() {
			if a.State == rules.StateFiring {
				ever = true
				says = append(says, a.Annotations.Get("summary"))
			}
			a.Annotations.Range(func(l labels.Label) {
				if l.Value == "" || strings.Contains(l.Value, "<error") || strings.Contains(l.Value, "<no value>") {
					t.Errorf("%s: %q", l.Name, l.Value)
				}
			})
		}
	}
	return says, ever
}

// TestAlerts: each alert fires with what it is for, and not with what it is not for.
func TestAlerts(t *testing.T) {
	defined := rulesOf(t)
	tried := map[string]bool{}
	for name, c := range alerts {
		t.Run(name, func(t *testing.T) {
			of, _, _ := strings.Cut(name, " ")
			r, ok := defined[of]
			if !ok {
				t.Fatal("there is no such alert")
			}
			tried[of] = true
			if says, _ := firing(t, of, r, c.fires); !slices.Equal(says, []string{c.says}) {
				t.Errorf("says %q, want %q", says, c.says)
			}
			if _, ever := firing(t, of, r, c.quiet); ever {
				t.Error("fires when it should not")
			}
		})
	}
	for name := range defined {
		if !tried[name] {
			t.Errorf("no case tries %s", name)
		}
	}
}
