package chart

import "math"

// Ranges is a picture of three quantiles for each row, on a logarithmic axis. The figure
// behind a row is its middle one.
type Ranges struct {
	Head
	Unit string
	Rows []RangeRow
}

// RangeRow is one row: its quantiles in rising order.
type RangeRow struct {
	Label, Color string
	Values       [3]float64
}

// SVG draws the picture.
func (r Ranges) SVG() []byte {
	bottom := headRoom + 10 + rowHeight*float64(len(r.Rows))
	d := newDrawing(r.Head, bottom+46)
	s := scale{min: math.Inf(1), from: labelRoom, to: width - 60, log: true}
	for _, row := range r.Rows {
		s.min, s.max = min(s.min, row.Values[0]), max(s.max, row.Values[2])
	}
	s.min, s.max = s.min*0.8, s.max*1.1
	d.verticals(s, headRoom+2, bottom, r.Unit)
	for i, row := range r.Rows {
		y := headRoom + 18 + rowHeight*float64(i)
		d.text(labelRoom-10, y+5, row.Label, style{anchor: "end"})
		d.line(s.at(row.Values[0]), y, s.at(row.Values[2]), y, row.Color, 3)
		for j, v := range row.Values {
			d.dot(s.at(v), y, [...]float64{6.5, 5, 3.5}[j], row.Color)
		}
		d.text(s.at(row.Values[2])+9, y+4, Number(row.Values[1]), style{size: 12})
	}
	return d.done()
}
