package server

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

var update = flag.Bool("update", false, "write the list of metrics in docs/observability.md")

// expressions returns the queries of the dashboard and of the alert rules, by what they are for.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, RefID string }
		}
		Templating struct {
			List []struct{ Name string }
		}
	}
	if err := json.Unmarshal(file(t, "deploy/grafana/dashboards/valkeybatch.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			out["panel "+p.Title+" "+target.RefID] = target.Expr
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(file(t, "deploy/prometheus/alerts.yml"), &rules); err != nil {
		t.Fatal(err)
	}
	page := string(file(t, "docs/observability.md"))
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			out["alert "+r.Alert] = r.Expr
			if !strings.Contains(page, "| "+r.Alert+" |") {
				t.Errorf("docs/observability.md does not say what to do about %s", r.Alert)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s has no summary or no description", r.Alert)
			}
		}
	}
	if len(out) < 40 {
		t.Fatalf("only %d queries", len(out))
	}
	return out
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	selector = regexp.MustCompile(`\b((?:valkeybatch|grpc|go|process)_[a-z_]+|up\b)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// labelsOf returns the labels of a family's series and their values.
func (s scraped) labelsOf(name string) map[string][]string {
	out := map[string][]string{}
	for _, m := range s[name].GetMetric() {
		for _, l := range m.GetLabel() {
			out[l.GetName()] = append(out[l.GetName()], l.GetValue())
		}
	}
	return out
}

// added are the labels that Prometheus itself adds.
var added = []string{"instance", "job"}

// checkQuery holds a query to what was scraped: each metric is there, with each label that the
// query names, and values that the query asks for exactly. Whether it is a query at all, and an alert
// fires when it should, is for tools/prometheus to say, where Prometheus' own engine is at hand.
func checkQuery(s scraped, expr string) (problems []string) {
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		problems = append(problems, "its brackets do not match")
	}
	used := map[string]bool{}
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		name := m[1]
		if name == "up" {
			continue // Prometheus's own
		}
		family := name
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && s[base] != nil && s[base].GetType().String() == "HISTOGRAM" {
				family = base
				if suffix == "_bucket" {
					used["le"] = true
				}
			}
		}
		if s[family] == nil {
			problems = append(problems, "there is no metric "+name)
			continue
		}
		labels := s.labelsOf(family)
		for label := range labels {
			used[label] = true
		}
		for _, m := range matcher.FindAllStringSubmatch(m[2], -1) {
			label, op, value := m[1], m[2], m[3]
			if slices.Contains(added, label) {
				continue
			}
			if labels[label] == nil {
				problems = append(problems, fmt.Sprintf("%s has no label %s", name, label))
				continue
			}
			for _, v := range strings.Split(value, "|") {
				if (op == "=" || op == "=~") && !slices.Contains(labels[label], v) {
					problems = append(problems, fmt.Sprintf("%s has no %s %q", name, label, v))
				}
			}
		}
	}
	if len(used) == 0 && !selector.MatchString(expr) {
		problems = append(problems, "it asks for no metric")
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.Split(m[1], ",") {
			if label = strings.TrimSpace(label); !used[label] && !slices.Contains(added, label) {
				problems = append(problems, "it groups by "+label+", which none of its metrics has")
			}
		}
	}
	return problems
}

// TestDashboard holds the dashboard, the alerts and the documented list to what a server on a
// real cluster tells.
func TestDashboard(t *testing.T) {
	cluster := valkeytest.StartCluster(t, valkeytest.ClusterOptions{})
	r := start(t, settings(t, "--valkey", strings.Join(cluster.Seeds(), ","), "--admin-listen=127.0.0.1:0"))
	if _, err := r.client(t).ExecuteBatch(testContext(t), batch([]string{"SET", "k", "v"}, []string{"PING"})); err != nil {
		t.Fatal(err)
	}
	s := r.scrape(t)
	queries := expressions(t)
	for _, what := range slices.Sorted(maps.Keys(queries)) {
		for _, problem := range checkQuery(s, queries[what]) {
			t.Errorf("%s: %s: %s", what, problem, queries[what])
		}
	}
	for query, want := range map[string]string{
		"rate(valkeybatch_batchs_total[5m])":                   "no metric",
		`valkeybatch_batches_total{state="OK"}`:                "no label",
		`valkeybatch_batches_total{status="FINE"}`:             `no status "FINE"`,
		"sum by (node) (valkeybatch_batches_total)":            "groups by node",
		"sum by (le) (rate(valkeybatch_batches_total[5m]))":    "groups by le",
		"sum by (status) (rate(valkeybatch_batches_total[5m])": "brackets",
	} {
		if got := strings.Join(checkQuery(s, query), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	checkList(t, s)
}

// checkList holds the documented list of metrics to what was scraped.
func checkList(t *testing.T, s scraped) {
	t.Helper()
	var list strings.Builder
	list.WriteString("| metric | type | labels | |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if !strings.HasPrefix(name, "valkeybatch_") {
			continue
		}
		labels := slices.Sorted(maps.Keys(s.labelsOf(name)))
		fmt.Fprintf(&list, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(s[name].GetType().String()), strings.Join(labels, ", "), s[name].GetHelp())
	}
	page := string(file(t, "docs/observability.md"))
	begin := strings.Index(page, "| metric |")
	if *update {
		if begin < 0 {
			page = strings.Replace(page, "METRICS\n", list.String(), 1)
		} else {
			end := begin + strings.Index(page[begin:], "\n\n") + 1
			page = page[:begin] + list.String() + page[end:]
		}
		if err := os.WriteFile(filepath.Join("..", "..", "docs/observability.md"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !strings.Contains(page, list.String()) {
		t.Errorf("the list in docs/observability.md is not up to date: go test ./internal/server -run TestDashboard -update\n%s", list.String())
	}
}
