package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
)

// made is a whole run whose figures are all made up: everybody does equally well.
func made() *result.Run {
	run := &result.Run{
		Machine: result.Machine{CPU: "some CPU", Cores: 2, Memory: 8 << 30, Kernel: "6.1.0"},
		Began:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 15 * time.Minute, Rounds: 2, Seconds: 1,
		Versions: []result.Version{{Name: "Go", Version: "1.26"}, {Name: "valkey-server", Version: "8.0"}},
	}
	for _, s := range scenario.All {
		for _, who := range s.Subjects {
			for round := range run.Rounds {
				run.Cells = append(run.Cells, result.Cell{
					Scenario: s.Name, Subject: who, Round: round, Batches: 10, Commands: 1000 * (round + 1), Seconds: 1,
					P50: 100, P99: 2000, P999: 30_000, ClientCPU: 0.5, ServiceCPU: 0.25, ServersCPU: 0.2,
					ClientPeak: 50 << 20, ServicePeak: 20 << 20,
				})
			}
		}
	}
	return run
}

func TestPageIsWholeAndItsPicturesAreThere(t *testing.T) {
	dir := t.TempDir()
	run := made()
	if err := Page(run, dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{"2 cores of some CPU, 8 GiB of memory, Linux 6.1.0", "Go 1.26, valkey-server 8.0.", "2 January 2026", "2 rounds of 1 s", "15 minutes"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"NaN", "%!", "not measured", "<no value>", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, s := range scenario.All {
		if !strings.Contains(page, "### "+s.Title()+"\n") {
			t.Errorf("the page lacks %s", s.Title())
		}
	}
	for _, p := range Pictures(run) {
		if _, err := os.Stat(filepath.Join(dir, PicturesDir, p.File)); err != nil || !strings.Contains(page, "("+PicturesDir+"/"+p.File+")") {
			t.Errorf("%s: %v", p.File, err)
		}
	}
}

func TestBarsAreShownAsTheyAre(t *testing.T) {
	run := made()
	text := BarTable(run)
	// Equal to GLIDE: enough for small batches, not for large ones.
	for what, want := range map[string]string{
		"1,000 x 16 B GET, 8 callers: rate against GLIDE's":                           "**no**",
		"10 x 16 B GET, 8 callers, on a stream for each caller: rate against GLIDE's": " yes ",
	} {
		found := false
		for line := range strings.Lines(text) {
			if strings.Contains(line, "cluster, 3 primaries: "+what) {
				found = true
				if !strings.Contains(line, want) {
					t.Errorf("%q lacks %q", line, want)
				}
			}
		}
		if !found {
			t.Errorf("no bar says %q", what)
		}
	}
}

func TestPartsOfARunAreShownAsSuch(t *testing.T) {
	run := made()
	run.Cells = run.Cells[:1]
	run.Whole = true
	text := Results(run)
	if !strings.Contains(text, "not measured") || strings.Contains(text, "NaN") {
		t.Errorf("got:\n%s", text)
	}
	run.Whole = false
	if text := BarTable(run); strings.Count(text, "\n") != 2 {
		t.Errorf("bars that were left out of a part of a run are in it:\n%s", text)
	}
	if got := len(Figures(run)); got != 1 {
		t.Errorf("%d scenarios have figures, want 1", got)
	}
	if _, err := markdown(run); err != nil {
		t.Error(err)
	}
}

func TestFailuresAreTold(t *testing.T) {
	run := made()
	run.Cells = append(run.Cells, result.Cell{Scenario: "cluster/get-10", Subject: "glide", Error: "it broke"})
	text, err := markdown(run)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "- glide, cluster/get-10, round 1: it broke") || !strings.Contains(Results(run), "it broke") {
		t.Error("a failed measurement goes unmentioned")
	}
}

func TestTablesLineUp(t *testing.T) {
	var tab table
	tab.add("what", "n")
	tab.add("a longer one", "12.5")
	want := "| what         |    n |\n|--------------|-----:|\n| a longer one | 12.5 |\n"
	if got := tab.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
