package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// panel is one diagram: medians over a size on a logarithmic axis.
type panel struct {
	title, across string
	lines         []line
}

type line struct {
	name string
	x    []int
	y    []spread
}

// plot draws the four panels as SVG.
func plot(points []*point) []byte {
	pick := func(of func(*point) bool, x func(*point) int, y func(*point) spread, name string) line {
		l := line{name: name}
		for _, p := range points {
			if of(p) {
				l.x, l.y = append(l.x, x(p)), append(l.y, y(p))
			}
		}
		return l
	}
	oneChannel := func(p *point) bool { return p.Channels == 1 }
	tenThousand := func(p *point) bool { return p.Connections == 10_000 }
	connections := func(p *point) int { return p.Connections }
	channels := func(p *point) int { return p.Channels }
	cpu, floor, memory := func(p *point) spread { return p.CPU }, func(p *point) spread { return p.Floor }, func(p *point) spread { return p.Memory }
	panels := []panel{
		{"µs of CPU per delivery, 1 channel", "connections", []line{pick(oneChannel, connections, cpu, "Belfry"), pick(oneChannel, connections, floor, "floor")}},
		{"bytes per connection, 1 channel", "connections", []line{pick(oneChannel, connections, memory, "Belfry")}},
		{"µs of CPU per delivery, 10,000 connections", "channels", []line{pick(tenThousand, channels, cpu, "Belfry"), pick(tenThousand, channels, floor, "floor")}},
		{"bytes per connection, 10,000 connections", "channels", []line{pick(tenThousand, channels, memory, "Belfry")}},
	}
	const width, height = 380, 240
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">
<style>
  text { fill: #24292f } .axis { stroke: #8c959f; fill: none } .grid { stroke: #8c959f; stroke-opacity: .3 }
  .l0 { stroke: #0969da; fill: #0969da } .l1 { stroke: #bf5b04; fill: #bf5b04 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .l0 { stroke: #58a6ff; fill: #58a6ff } .l1 { stroke: #f0883e; fill: #f0883e } }
</style>
`, 2*width, 2*height)
	for i, p := range panels {
		p.draw(&b, float64(i%2*width), float64(i/2*height), width, height)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw draws the panel with its corner at left, top.
func (p panel) draw(b *bytes.Buffer, left, top, width, height float64) {
	const margin, right, head, foot = 52, 44, 34, 36
	high, wide := 0.0, 1.0
	for _, l := range p.lines {
		for i, y := range l.y {
			high = max(high, slices.Max(y))
			wide = max(wide, float64(l.x[i]))
		}
	}
	high = roundUp(high)
	least := 1.0
	if p.lines[0].x[0] >= 100 {
		least = 100
	}
	x := func(v int) float64 {
		return left + margin + (width-margin-right)*math.Log(float64(v)/least)/math.Log(wide/least)
	}
	y := func(v float64) float64 { return top + height - foot - (height-head-foot)*max(v, 0)/high }
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" font-size="13">%s</text>`+"\n", left+10, top+18, p.title)
	for i := range 5 {
		v := high * float64(i) / 4
		fmt.Fprintf(b, `<line class="grid" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/><text x="%.0f" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left+margin, left+width-right, y(v), y(v), left+margin-5, y(v)+4, v)
	}
	for _, v := range p.lines[0].x {
		anchor := "middle"
		if v == 19_000 { // 10,000 stands close
			anchor = "start"
		}
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="%s">%d</text>`+"\n", x(v), top+height-foot+14, anchor, v)
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle">%s</text>`+"\n", left+margin+(width-margin-right)/2, top+height-6, p.across)
	for k, l := range p.lines {
		var way string
		for i := range l.x {
			way += fmt.Sprintf("%.1f,%.1f ", x(l.x[i]), y(l.y[i].Median()))
			fmt.Fprintf(b, `<circle class="l%d" cx="%.1f" cy="%.1f" r="3"/><line class="l%d" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n",
				k, x(l.x[i]), y(l.y[i].Median()), k, x(l.x[i]), x(l.x[i]), y(slices.Min(l.y[i])), y(slices.Max(l.y[i])))
		}
		fmt.Fprintf(b, `<polyline class="l%d" style="fill:none" points="%s"/>`+"\n", k, way)
		if len(p.lines) > 1 {
			fmt.Fprintf(b, `<text class="l%d" style="stroke:none" x="%.0f" y="%.0f">%s</text>`+"\n", k, left+width-110+float64(k)*55, top+32, l.name)
		}
	}
}

// roundUp gives a round number that is not below v.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{1, 2, 4, 5, 8, 10} {
		if k*step >= v {
			return k * step
		}
	}
	return 10 * step
}
