// Package result is what a run of the benchmark found, as it is kept in results/latest.json.
package result

import (
	"encoding/json"
	"os"
	"slices"
	"time"
)

// Run is one run: every cell is one subject in one scenario in one round.
type Run struct {
	Machine  Machine
	Began    time.Time
	Took     time.Duration
	Rounds   int
	Seconds  float64 // of one measurement
	Whole    bool    // all scenarios and subjects were run
	Versions []Version
	Cells    []Cell
	Profiles []Profile `json:",omitempty"`
}

// Version is what was measured with.
type Version struct{ Name, Version string }

// Cell is what one subject did in one scenario in one round.
type Cell struct {
	Scenario, Subject string
	Round             int
	Error             string `json:",omitempty"` // why there are no figures

	Batches  int
	Commands int
	Seconds  float64
	P50      float64 // of a batch, in microseconds, like the two below
	P99      float64
	P999     float64

	// CPU is user and system time in microseconds for each command: of the process that calls,
	// of the service's (or Webdis's), and of all Valkey servers together.
	ClientCPU, ServiceCPU, ServersCPU float64
	// Allocations of Go heap objects and their bytes for each command. What GLIDE's Rust core
	// and Webdis allocate is not seen.
	ClientAllocs, ClientBytes, ServiceAllocs, ServiceBytes float64
	// Most resident memory in bytes, over the life of the process.
	ClientPeak, ServicePeak float64
}

// Metric is a figure of a cell.
type Metric struct {
	Name string
	of   func(*Cell) float64
}

// The metrics.
var (
	Rate          = Metric{"commands per second", func(c *Cell) float64 { return float64(c.Commands) / c.Seconds }}
	CPU           = Metric{"CPU of client and service, us per command", func(c *Cell) float64 { return c.ClientCPU + c.ServiceCPU }}
	ClientCPU     = Metric{"CPU of the client, us per command", func(c *Cell) float64 { return c.ClientCPU }}
	ServiceCPU    = Metric{"CPU of the service, us per command", func(c *Cell) float64 { return c.ServiceCPU }}
	ServersCPU    = Metric{"CPU of the Valkey servers, us per command", func(c *Cell) float64 { return c.ServersCPU }}
	P50           = Metric{"p50 of a batch, us", func(c *Cell) float64 { return c.P50 }}
	P99           = Metric{"p99 of a batch, us", func(c *Cell) float64 { return c.P99 }}
	P999          = Metric{"p99.9 of a batch, us", func(c *Cell) float64 { return c.P999 }}
	ClientAllocs  = Metric{"allocations of the client per command", func(c *Cell) float64 { return c.ClientAllocs }}
	ServiceAllocs = Metric{"allocations of the service per command", func(c *Cell) float64 { return c.ServiceAllocs }}
	ClientPeak    = Metric{"peak memory of the client, bytes", func(c *Cell) float64 { return c.ClientPeak }}
	ServicePeak   = Metric{"peak memory of the service, bytes", func(c *Cell) float64 { return c.ServicePeak }}
)

// Of returns the cell's figure.
func (m Metric) Of(c *Cell) float64 { return m.of(c) }

// Cell returns the cell, nil when there is none or it failed.
func (r *Run) Cell(scenario, subject string, round int) *Cell {
	i := slices.IndexFunc(r.Cells, func(c Cell) bool {
		return c.Scenario == scenario && c.Subject == subject && c.Round == round
	})
	if i < 0 || r.Cells[i].Error != "" {
		return nil
	}
	return &r.Cells[i]
}

// Times is how often that was measured which was measured most often: some of it is so more than once
// in a round, each time as if it were a round of its own.
func (r *Run) Times() (n int) {
	for i := range r.Cells {
		n = max(n, r.Cells[i].Round+1)
	}
	return n
}

// Values returns the figure of every round that has it.
func (r *Run) Values(scenario, subject string, m Metric) []float64 {
	var values []float64
	for round := range r.Times() {
		if c := r.Cell(scenario, subject, round); c != nil {
			values = append(values, m.Of(c))
		}
	}
	return values
}

// Failed returns the cells that have no figures, those of profiles among them.
func (r *Run) Failed() []Cell {
	var failed []Cell
	for _, c := range r.Cells {
		if c.Error != "" {
			failed = append(failed, c)
		}
	}
	for _, p := range r.Profiles {
		if p.Error != "" {
			failed = append(failed, p.Cell)
		}
	}
	return failed
}

// Write writes the run as JSON.
func (r *Run) Write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// Read reads what Write wrote.
func Read(path string) (*Run, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Run
	return &r, json.Unmarshal(b, &r)
}
