package chart

// Bars is a picture of horizontal bars, each stacked of the same segments.
type Bars struct {
	Head
	Unit     string
	Segments []Segment
	Rows     []BarRow
}

// Segment is a kind of part of every bar.
type Segment struct{ Label, Color string }

// BarRow is one bar.
type BarRow struct {
	Label  string
	Values []float64 // by segment
	Note   string    // behind the bar
}

const (
	labelRoom = 190.0
	rowHeight = 30.0
	barHeight = 18.0
)

// SVG draws the picture.
func (b Bars) SVG() []byte {
	bottom := headRoom + 26 + rowHeight*float64(len(b.Rows))
	d := newDrawing(b.Head, bottom+46)
	most := 0.0
	for _, row := range b.Rows {
		most = max(most, total(row.Values))
	}
	s := scale{min: 0, max: most * 1.12, from: labelRoom, to: width - 30}
	x := labelRoom
	for _, segment := range b.Segments {
		d.rect(x, headRoom+1, 11, 11, segment.Color)
		d.text(x+16, headRoom+11, segment.Label, style{fill: faint})
		x += 34 + 7*float64(len(segment.Label))
	}
	d.verticals(s, headRoom+22, bottom, b.Unit)
	for i, row := range b.Rows {
		y := headRoom + 26 + rowHeight*float64(i)
		d.text(labelRoom-10, y+14, row.Label, style{anchor: "end"})
		from := 0.0
		for j, v := range row.Values {
			if v > 0 {
				d.rect(s.at(from), y, s.at(from+v)-s.at(from), barHeight, b.Segments[j].Color)
			}
			from += v
		}
		d.text(s.at(from)+6, y+14, row.Note, style{size: 12})
	}
	return d.done()
}

// verticals draws the grid of a horizontal axis, and names its values and its unit.
func (d *drawing) verticals(s scale, top, bottom float64, unit string) {
	for _, v := range s.ticks() {
		d.line(s.at(v), top, s.at(v), bottom, grid, 1)
		d.text(s.at(v), bottom+16, tick(v), style{fill: faint, anchor: "middle", size: 12})
	}
	d.text((s.from+s.to)/2, bottom+36, unit, style{fill: faint, anchor: "middle", size: 12})
}

func total(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}
