package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestPicturesAreWellFormed(t *testing.T) {
	head := Head{Title: "A & B", Subtitle: "<medians>"}
	for name, svg := range map[string][]byte{
		"bars": Bars{Head: head, Unit: "us", Segments: []Segment{{"client", "#111"}, {"service", "#222"}}, Rows: []BarRow{
			{Label: "first", Values: []float64{0.5, 0.75}, Note: "1.25"}, {Label: "second", Values: []float64{2, 0}},
		}}.SVG(),
		"lines": Lines{Head: head, Series: []Series{
			{Label: "up", Points: []Point{{10, 1e5}, {1e5, 2e6}}},
			{Label: "flat", Points: []Point{{10, 1e5}, {100, 1e5}}},
		}}.SVG(),
		"ranges": Ranges{Head: head, Rows: []RangeRow{
			{Label: "one", Values: [3]float64{20, 50, 400}},
		}}.SVG(),
	} {
		d := xml.NewDecoder(strings.NewReader(string(svg)))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if s := string(svg); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("%s has places that are no numbers", name)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		scale scale
		want  []float64
	}{
		{scale{min: 0, max: 5}, []float64{0, 1, 2, 3, 4, 5}},
		{scale{min: 0, max: 2.3}, []float64{0, 0.5, 1, 1.5, 2}},
		{scale{min: 10, max: 1e5, log: true}, []float64{10, 100, 1000, 1e4, 1e5}},
		{scale{min: 15, max: 600, log: true}, []float64{20, 50, 100, 200, 500}},
	} {
		got := test.scale.ticks()
		same := len(got) == len(test.want)
		for i := range min(len(got), len(test.want)) {
			same = same && math.Abs(got[i]-test.want[i]) <= 1e-9*test.want[i]
		}
		if !same {
			t.Errorf("%+v: ticks are %v, want %v", test.scale, got, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.05: "0.050", 0.25: "0.25", 1: "1", 1.256: "1.26", 16.34: "16.3", 419.6: "420",
		1234: "1234", 12345: "12.3k", 420_000: "420k", 1_234_567: "1.23M", 2e6: "2M", math.NaN(): "-",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %s, want %s", v, got, want)
		}
	}
}
