package prometheus

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

const dashboardFile = "../../deploy/grafana/dashboards/valkeybatch.json"

// variables are what Grafana puts in place of a dashboard's variables.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".+")

// queries returns the dashboard's queries as Grafana sends them, by what they are for.
func queries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			out[p.Title+" "+target.RefID] = variables.Replace(target.Expr)
		}
	}
	return out
}

// growing are the samples of a series, one a minute.
const growing = "0+60x10"

// series returns two series for each selector of a query, which match it: what grows, of two servers,
// with the labels that the query names.
func series(expr parser.Expr) string {
	grouping := map[string]bool{}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				grouping[label] = true
			}
		}
		return nil
	})
	var out strings.Builder
	for _, selector := range parser.ExtractSelectors(expr) {
		values := map[string]string{}
		name := ""
		for label := range grouping {
			if label != "le" {
				values[label] = "some"
			}
		}
		for _, m := range selector {
			switch {
			case m.Name == labels.MetricName:
				name = m.Value
			case m.Type == labels.MatchEqual:
				values[m.Name] = m.Value
			case m.Type == labels.MatchRegexp && m.Value != ".+":
				values[m.Name], _, _ = strings.Cut(m.Value, "|")
			default:
				values[m.Name] = "some"
			}
		}
		for _, instance := range []string{"a:1", "b:1"} {
			values["instance"] = instance
			bounds := []string{""}
			if strings.HasSuffix(name, "_bucket") {
				bounds = []string{"0.1", "1", "+Inf"}
			}
			for _, le := range bounds {
				if le != "" {
					values["le"] = le
				}
				text := make([]string, 0, len(values))
				for label, value := range values {
					text = append(text, fmt.Sprintf("%s=%q", label, value))
				}
				fmt.Fprintf(&out, "%s{%s} %s\n", name, strings.Join(text, ","), growing)
			}
		}
	}
	return out.String()
}

// TestDashboard: each of the dashboard's queries is one, and finds something where there is anything.
func TestDashboard(t *testing.T) {
	all := queries(t)
	if len(all) < 30 {
		t.Fatalf("only %d queries", len(all))
	}
	for name, query := range all {
		t.Run(name, func(t *testing.T) {
			expr, err := parser.ParseExpr(query)
			if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			have := series(expr)
			if strings.HasSuffix(query, "== 0)") {
				have = strings.ReplaceAll(have, growing, "0x10")
			}
			storage := promqltest.LoadedStorage(t, load(have))
			defer storage.Close()
			q, err := engine(t).NewInstantQuery(t.Context(), storage, nil, query, time.Unix(0, 0).Add(10*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			result := q.Exec(t.Context())
			if result.Err != nil || len(result.Warnings) > 0 {
				t.Fatalf("%s: %v %v", query, result.Err, result.Warnings)
			}
			vector, err := result.Vector()
			if err != nil || len(vector) == 0 {
				t.Errorf("%s finds nothing (%v) of\n%s", query, err, have)
			}
		})
	}
}
