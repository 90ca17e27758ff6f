package report

import (
	"fmt"

	"github.com/valkeybatch/valkeybatch/bench/internal/chart"
	"github.com/valkeybatch/valkeybatch/bench/internal/result"
	"github.com/valkeybatch/valkeybatch/bench/internal/scenario"
	"github.com/valkeybatch/valkeybatch/bench/internal/stats"
	"github.com/valkeybatch/valkeybatch/bench/internal/subject"
)

// Picture is one SVG file of the page.
type Picture struct {
	File string
	Alt  string
	SVG  []byte
}

// look is how a subject is drawn: ours in blue, peers each in a colour, the floor in grey.
type look struct {
	color        string
	bold, dashed bool
}

var looks = map[string]look{
	"unary":     {color: "#0b5fff", bold: true},
	"unix":      {color: "#5b9bff"},
	"stream":    {color: "#0a3aa8", bold: true},
	"streams":   {color: "#3d6fd6"},
	"glide":     {color: "#e5820e"},
	"go-redis":  {color: "#c93c37"},
	"valkey-go": {color: "#1a7f37"},
	"floor":     {color: "#7d8590", dashed: true},
	"webdis":    {color: "#8250df"},
	"empty":     {color: "#afb8c1", dashed: true},
}

// bySize are the scenarios of the picture over batch sizes, which differ in nothing else.
var bySize = []string{"cluster/get-10", "cluster/get-100", "cluster/get-1000", "cluster/get-10000", "cluster/get-100000"}

// Pictures draws all that the run has figures for.
func Pictures(run *result.Run) []Picture {
	var pictures []Picture
	add := func(file, alt string, svg []byte) {
		if svg != nil {
			pictures = append(pictures, Picture{file, alt, svg})
		}
	}
	add("rate.svg", "Commands per second by batch size, for every subject", ratePicture(run))
	add("cpu.svg", "CPU per command of client and service, for every subject", cpuPicture(run, "cluster/get-1000"))
	add("latency.svg", "Latency quantiles of batches under 64 callers, for every subject", latencyPicture(run, "cluster/get-100-64"))
	add("one.svg", "Latency quantiles of single commands, for every subject", latencyPicture(run, "one/1-caller"))
	return pictures
}

func ratePicture(run *result.Run) []byte {
	l := chart.Lines{
		Head:  chart.Head{Title: "Commands per second by batch size", Subtitle: "GET, 16 B values, cluster of 3 primaries, 8 callers; medians over rounds"},
		XUnit: "commands of a batch", YUnit: "commands per second",
	}
	for _, who := range subject.All {
		look := looks[who.Name]
		series := chart.Series{Label: who.Title, Color: look.color, Bold: look.bold, Dashed: look.dashed}
		for _, name := range bySize {
			if rate := stats.Summarize(run.Values(name, who.Name, result.Rate)); rate.Rounds > 0 {
				series.Points = append(series.Points, chart.Point{X: float64(scenario.ByName(name).Spec.Batch), Y: rate.Median})
			}
		}
		// Those that were not measured at every size would end in the middle of the others.
		if len(series.Points) == len(bySize) {
			l.Series = append(l.Series, series)
		}
	}
	if len(l.Series) == 0 {
		return nil
	}
	return l.SVG()
}

func cpuPicture(run *result.Run, name string) []byte {
	b := chart.Bars{
		Head:     chart.Head{Title: "CPU per command", Subtitle: scenario.ByName(name).Title() + "; medians over rounds"},
		Unit:     "microseconds of CPU, user and system",
		Segments: []chart.Segment{{Label: "client", Color: "#5b9bff"}, {Label: "service", Color: "#0a3aa8"}},
	}
	for _, who := range subject.All {
		client := stats.Summarize(run.Values(name, who.Name, result.ClientCPU))
		if client.Rounds == 0 {
			continue
		}
		service := stats.Median(run.Values(name, who.Name, result.ServiceCPU))
		together := stats.Median(run.Values(name, who.Name, result.CPU))
		b.Rows = append(b.Rows, chart.BarRow{
			Label: who.Title, Values: []float64{client.Median, service}, Note: fmt.Sprintf("%.2f", together),
		})
	}
	if len(b.Rows) == 0 {
		return nil
	}
	return b.SVG()
}

func latencyPicture(run *result.Run, name string) []byte {
	r := chart.Ranges{
		Head: chart.Head{
			Title:    "Latency of a batch: p50, p99 (the figure) and p99.9",
			Subtitle: scenario.ByName(name).Title() + "; medians over rounds",
		},
		Unit: "milliseconds",
	}
	for _, who := range subject.All {
		row := chart.RangeRow{Label: who.Title, Color: looks[who.Name].color}
		for i, m := range []result.Metric{result.P50, result.P99, result.P999} {
			row.Values[i] = stats.Median(run.Values(name, who.Name, m)) / 1000
		}
		if row.Values[0] > 0 {
			r.Rows = append(r.Rows, row)
		}
	}
	if len(r.Rows) == 0 {
		return nil
	}
	return r.SVG()
}
