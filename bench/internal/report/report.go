// Package report writes what a run found: the table of bars and the tables of figures as
// text, the pictures, and from all of it the page docs/performance.md.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
)

//go:embed performance.md.tmpl
var page string

// PicturesDir is where the page has its pictures, beside itself.
const PicturesDir = "performance"

// Page writes the page and its pictures into the directory.
func Page(run *result.Run, dir string) error {
	text, err := markdown(run)
	if err != nil {
		return err
	}
	pictures := filepath.Join(dir, PicturesDir)
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	for _, p := range Pictures(run) {
		if err := os.WriteFile(filepath.Join(pictures, p.File), p.SVG, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "performance.md"), text, 0o644)
}

// markdown is the page.
func markdown(run *result.Run) ([]byte, error) {
	t, err := template.New("performance.md").Funcs(proseFuncs(run)).Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Run":      run,
		"Bars":     BarTable(run),
		"Tally":    tally(run),
		"Missed":   missedBy(run),
		"Profiles": Profiles(run),
		"Figures":  Figures(run),
		"Pictures": Pictures(run),
		"Noise":    noiseOf(run),
		"Machine":  machine(run),
		"Dir":      PicturesDir,
		"Date":     run.Began.Format("2 January 2006"),
		"Minutes":  fmt.Sprintf("%.0f", run.Took.Minutes()),
		"Failed":   run.Failed(),
	})
	return b.Bytes(), err
}

func machine(run *result.Run) string {
	m := run.Machine
	return fmt.Sprintf("%d cores of %s, %.0f GiB of memory, Linux %s", m.Cores, m.CPU, float64(m.Memory)/(1<<30), m.Kernel)
}

// Outcomes judges all bars.
func Outcomes(run *result.Run) []scenario.Outcome {
	outcomes := make([]scenario.Outcome, len(scenario.Bars))
	for i, b := range scenario.Bars {
		outcomes[i] = b.Judge(run)
	}
	return outcomes
}

// tally counts the bars.
func tally(run *result.Run) string {
	met, missed, unmeasured := 0, 0, 0
	for _, o := range Outcomes(run) {
		switch {
		case !o.Measured:
			unmeasured++
		case o.Met:
			met++
		default:
			missed++
		}
	}
	text := fmt.Sprintf("%d met, %d missed", met, missed)
	if unmeasured > 0 {
		text += fmt.Sprintf(", %d not measured", unmeasured)
	}
	return text
}
