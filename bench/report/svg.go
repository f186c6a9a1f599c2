package report

import (
	"html/template"
	"math"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/bench/result"
)

// A canvas is an SVG image in the making. Colours and fonts are in the page's style sheet, so that
// they follow light and dark themes; texts are escaped here.
type canvas struct {
	b strings.Builder
}

// newCanvas begins an image of w by h units with a label for readers who cannot see it.
func newCanvas(class string, w, h float64, label string) *canvas {
	c := new(canvas)
	c.b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" role="img"`)
	c.attr("class", class)
	c.num("width", w)
	c.num("height", h)
	c.b.WriteString(` viewBox="0 0 ` + number(w) + ` ` + number(h) + `"`)
	c.attr("aria-label", label)
	c.b.WriteByte('>')
	c.title(label)
	return c
}

// done ends the image and returns it.
func (c *canvas) done() template.HTML {
	c.b.WriteString("</svg>")
	return template.HTML(c.b.String())
}

func (c *canvas) title(text string) {
	c.b.WriteString("<title>" + escape(text) + "</title>")
}

// line draws a straight line.
func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.begin("line", class)
	c.num("x1", x1)
	c.num("y1", y1)
	c.num("x2", x2)
	c.num("y2", y2)
	c.b.WriteString("/>")
}

// rect draws a rectangle with a tooltip.
func (c *canvas) rect(class string, x, y, w, h float64, tip string) {
	c.begin("rect", class)
	c.num("x", x)
	c.num("y", y)
	c.num("width", max(w, 0))
	c.num("height", max(h, 0))
	c.b.WriteByte('>')
	c.title(tip)
	c.b.WriteString("</rect>")
}

// dot draws a small disc.
func (c *canvas) dot(class string, x, y float64) {
	c.begin("circle", class)
	c.num("cx", x)
	c.num("cy", y)
	c.b.WriteString(` r="3"/>`)
}

// path draws a line through points, broken where one is not finite; isolated points become dots.
// dash is a stroke-dasharray, or empty.
func (c *canvas) path(class, dash, tip string, points [][2]float64) {
	var d strings.Builder
	var alone [][2]float64
	for begin := 0; begin < len(points); {
		if !isFinite(points[begin]) {
			begin++
			continue
		}
		end := begin
		for end < len(points) && isFinite(points[end]) {
			end++
		}
		if end-begin == 1 {
			alone = append(alone, points[begin])
		}
		for i := begin; i < end && end-begin > 1; i++ {
			op := "L"
			if i == begin {
				op = "M"
			}
			d.WriteString(op + number(points[i][0]) + " " + number(points[i][1]))
		}
		begin = end
	}
	if d.Len() > 0 {
		c.begin("path", "line "+class)
		if dash != "" {
			c.attr("stroke-dasharray", dash)
		}
		c.b.WriteString(` d="` + d.String() + `">`)
		c.title(tip)
		c.b.WriteString("</path>")
	}
	for _, p := range alone {
		c.dot("dot "+class, p[0], p[1])
	}
}

// text writes text at x, on the base line y; anchor is start, middle or end.
func (c *canvas) text(class, anchor string, x, y float64, text string) {
	c.begin("text", class)
	c.num("x", x)
	c.num("y", y)
	if anchor != "start" {
		c.attr("text-anchor", anchor)
	}
	c.b.WriteString(">" + escape(text) + "</text>")
}

// value writes text, followed by a less prominent aside.
func (c *canvas) value(class string, x, y float64, text, aside string) {
	c.begin("text", class)
	c.num("x", x)
	c.num("y", y)
	c.b.WriteByte('>')
	c.b.WriteString(escape(text))
	if aside != "" {
		c.b.WriteString(`<tspan class="tick" dx="7">` + escape(aside) + "</tspan>")
	}
	c.b.WriteString("</text>")
}

// label writes text of at most width units, truncated if necessary; a tooltip then shows all of it.
func (c *canvas) label(class, anchor string, x, y, width float64, text string) {
	short := result.Plain(text, max(int(width/charWidth), 1))
	if short == text {
		c.text(class, anchor, x, y, text)
		return
	}
	c.b.WriteString("<g>")
	c.title(text)
	c.text(class, anchor, x, y, short)
	c.b.WriteString("</g>")
}

func (c *canvas) begin(element, class string) {
	c.b.WriteString("<" + element)
	c.attr("class", class)
}

func (c *canvas) attr(name, value string) {
	c.b.WriteString(" " + name + `="` + escape(value) + `"`)
}

func (c *canvas) num(name string, v float64) {
	c.b.WriteString(" " + name + `="` + number(v) + `"`)
}

// charWidth is the mean width of a character in the widest font that charts may use, in units of
// the image.
const charWidth = 7.2

// number formats a coordinate. One that is not finite, or far outside any image, would spoil the
// image: it becomes the nearest one that does not.
func number(v float64) string {
	if math.IsNaN(v) {
		v = 0
	}
	v = min(max(v, -1e5), 1e5)
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// escape returns text for XML and HTML alike, in elements and in attributes. Plain has dropped the
// characters that XML 1.0 does not allow.
func escape(text string) string {
	return template.HTMLEscapeString(result.Plain(text, maxText))
}

func isFinite(p [2]float64) bool { return drawable(p[0]) && drawable(p[1]) }

// drawable reports whether a value can be drawn: differences and ratios of two such values, and
// their steps, are finite.
func drawable(v float64) bool {
	size := math.Abs(v)
	return size <= 1e100 && (size >= 1e-100 || v == 0)
}
