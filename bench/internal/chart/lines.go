package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Lines is a picture of lines, both axes logarithmic.
type Lines struct {
	Head
	XUnit, YUnit string
	Series       []Series
}

// Series is one line. Points rise in X.
type Series struct {
	Label, Color string
	Bold, Dashed bool
	Points       []Point
}

// Point is a place of a line.
type Point struct{ X, Y float64 }

const plotHeight = 330.0

// SVG draws the picture.
func (l Lines) SVG() []byte {
	top, bottom := headRoom+18, headRoom+18+plotHeight
	d := newDrawing(l.Head, bottom+46)
	x := scale{min: math.Inf(1), from: 66, to: width - 200, log: true}
	y := scale{min: math.Inf(1), from: bottom, to: top, log: true}
	for _, s := range l.Series {
		for _, p := range s.Points {
			x.min, x.max = min(x.min, p.X), max(x.max, p.X)
			y.min, y.max = min(y.min, p.Y), max(y.max, p.Y)
		}
	}
	y.min, y.max = y.min*0.85, y.max*1.15
	d.text(20, top-8, l.YUnit, style{fill: faint, size: 12})
	for _, v := range y.ticks() {
		d.line(x.from, y.at(v), x.to, y.at(v), grid, 1)
		d.text(x.from-8, y.at(v)+4, tick(v), style{fill: faint, anchor: "end", size: 12})
	}
	d.verticals(x, top, bottom, l.XUnit)
	for _, s := range l.Series {
		d.series(s, x, y)
	}
	d.labels(l.Series, x, y)
	return d.done()
}

func (d *drawing) series(s Series, x, y scale) {
	points := make([]string, len(s.Points))
	for i, p := range s.Points {
		points[i] = fmt.Sprintf("%.1f,%.1f", x.at(p.X), y.at(p.Y))
	}
	stroke, dash := 2.0, ""
	if s.Bold {
		stroke = 3.5
	}
	if s.Dashed {
		dash = ` stroke-dasharray="6 4"`
	}
	fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"%s/>`+"\n",
		strings.Join(points, " "), s.Color, stroke, dash)
	for _, p := range s.Points {
		d.dot(x.at(p.X), y.at(p.Y), stroke+1.2, s.Color)
	}
}

// labels writes each line's name at its end, moved down where it would cover another.
func (d *drawing) labels(series []Series, x, y scale) {
	ends := slices.SortedFunc(slices.Values(series), func(a, b Series) int {
		return int(math.Copysign(1, y.at(a.last().Y)-y.at(b.last().Y)))
	})
	const lineHeight = 17.0
	free := math.Inf(-1)
	for _, s := range ends {
		at := max(y.at(s.last().Y)+4, free)
		free = at + lineHeight
		weight := 400
		if s.Bold {
			weight = 600
		}
		d.text(max(x.at(s.last().X), x.to-1)+14, at, s.Label, style{fill: s.Color, weight: weight})
	}
}

func (s Series) last() Point { return s.Points[len(s.Points)-1] }
