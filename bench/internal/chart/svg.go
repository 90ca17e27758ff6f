// Package chart draws the three kinds of pictures that the report has, as SVG.
//
// It is written for them alone. A plotting library would bring dozens of modules with it
// (fonts, image formats, PDF) for what are some hundred rectangles, lines and texts.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

const (
	width    = 760.0
	paper    = "#ffffff"
	ink      = "#1f2328"
	faint    = "#59636e"
	grid     = "#e4e8ec"
	font     = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
	headRoom = 62.0 // for title and subtitle
)

// Head is what stands above a picture.
type Head struct{ Title, Subtitle string }

// drawing is an SVG document in the making.
type drawing struct{ bytes.Buffer }

func newDrawing(h Head, height float64) *drawing {
	d := &drawing{}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" font-family="%s" font-size="13" role="img">`+"\n",
		width, height, width, height, font)
	fmt.Fprintf(d, "<title>%s</title>\n", html.EscapeString(h.Title))
	d.rect(0, 0, width, height, paper)
	d.text(20, 28, h.Title, style{size: 16, weight: 600})
	d.text(20, 48, h.Subtitle, style{fill: faint})
	return d
}

func (d *drawing) done() []byte {
	d.WriteString("</svg>\n")
	return d.Bytes()
}

func (d *drawing) rect(x, y, w, h float64, fill string) {
	fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, w, h, fill)
}

func (d *drawing) line(x1, y1, x2, y2 float64, stroke string, w float64) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"/>`+"\n", x1, y1, x2, y2, stroke, w)
}

func (d *drawing) dot(x, y, r float64, fill string) {
	fmt.Fprintf(d, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%s" stroke="%s"/>`+"\n", x, y, r, fill, paper)
}

// style is how a text looks; the zero value is plain ink from its place to the right.
type style struct {
	fill   string
	anchor string
	size   int
	weight int
}

func (d *drawing) text(x, y float64, text string, s style) {
	fill, anchor := s.fill, s.anchor
	if fill == "" {
		fill = ink
	}
	if anchor == "" {
		anchor = "start"
	}
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" fill="%s" text-anchor="%s"`, x, y, fill, anchor)
	if s.size != 0 {
		fmt.Fprintf(d, ` font-size="%d"`, s.size)
	}
	if s.weight != 0 {
		fmt.Fprintf(d, ` font-weight="%d"`, s.weight)
	}
	fmt.Fprintf(d, ">%s</text>\n", html.EscapeString(text))
}

// scale maps values to places on the paper, by their logarithm or as they are.
type scale struct {
	min, max float64 // values
	from, to float64 // places
	log      bool
}

func (s scale) at(v float64) float64 {
	min, max := s.min, s.max
	if s.log {
		v, min, max = math.Log10(v), math.Log10(min), math.Log10(max)
	}
	return s.from + (v-min)/(max-min)*(s.to-s.from)
}

// ticks are the values that the axis names.
func (s scale) ticks() []float64 {
	var ticks []float64
	if s.log {
		steps := []float64{1}
		if s.max/s.min < 200 {
			steps = []float64{1, 2, 5}
		}
		for decade := math.Pow(10, math.Floor(math.Log10(s.min))); decade <= s.max; decade *= 10 {
			for _, step := range steps {
				if v := decade * step; v >= s.min && v <= s.max*1.0001 {
					ticks = append(ticks, v)
				}
			}
		}
		return ticks
	}
	step := math.Pow(10, math.Floor(math.Log10(s.max/6)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if s.max/(step*factor) <= 6 {
			step *= factor
			break
		}
	}
	for i := 0; float64(i)*step <= s.max*1.0001; i++ {
		ticks = append(ticks, float64(i)*step)
	}
	return ticks
}

// Number writes a figure in at most three digits: 1.25, 16.3, 420, 1.2M.
func Number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case v >= 1e6:
		return digits(v/1e6) + "M"
	case v >= 1e4:
		return digits(v/1e3) + "k"
	case v >= 1e3:
		return strconv.Itoa(int(math.Round(v)))
	default:
		return digits(v)
	}
}

// tick writes the value of a tick.
func tick(v float64) string {
	if v > 0 && v < 1 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return Number(v)
}

// digits keeps three of them, and none behind the point of whole numbers.
func digits(v float64) string {
	decimals := 2
	switch {
	case v == math.Trunc(v), v >= 99.95:
		decimals = 0
	case v >= 9.995:
		decimals = 1
	case v < 0.0995:
		decimals = 3
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
