package result

import (
	"math"
	"strconv"
	"strings"
)

// Missing is what tables show for a missing number.
const Missing = "–"

// Humanise formats a value for people, with three significant digits and a suitable prefix: 680 B,
// 38.2 KB (of 1,000 B), 1.9 ms, 6,740/s. Counts are written in full. A value that is not finite is
// Missing. The exact value is in the document.
func Humanise(value float64, unit string) string {
	if !isFinite(value) {
		return Missing
	}
	switch unit {
	case "B":
		return scaled(value, byteSteps)
	case "s":
		return duration(value)
	case "ms":
		return duration(value * 1e-3)
	case "µs":
		return duration(value * 1e-6)
	case "/s":
		return digits(value) + "/s"
	case "%":
		return digits(value) + " %"
	case "", "count":
		if value == math.Trunc(value) {
			return whole(value)
		}
		return digits(value)
	}
	return digits(value) + " " + Plain(unit, 16)
}

// HumaniseRatio formats a ratio to another number: 56 ×, 1.4 ×, 0.012 ×. It returns "" for 0 and
// for values that are not finite.
func HumaniseRatio(ratio float64) string {
	if ratio == 0 || !isFinite(ratio) {
		return ""
	}
	if math.Abs(ratio) >= 0.1 {
		return significant(ratio, 2) + " ×"
	}
	return significant(ratio, 1) + " ×"
}

// steps are the multiples of a unit, ascending.
type steps []step

type step struct {
	size float64
	name string
}

var (
	byteSteps = steps{{1, " B"}, {1e3, " KB"}, {1e6, " MB"}, {1e9, " GB"}, {1e12, " TB"}}
	timeSteps = steps{{1e-9, " ns"}, {1e-6, " µs"}, {1e-3, " ms"}, {1, " s"}}
)

func duration(seconds float64) string {
	if seconds == 0 {
		return "0 ms"
	}
	return scaled(seconds, timeSteps)
}

// scaled formats value in the largest step that leaves it at 1 or more once it is rounded.
func scaled(value float64, of steps) string {
	step := of.fit(value)
	return digits(value/step.size) + step.name
}

// digits formats three significant digits without trailing zeros, or the whole number if it has
// more.
func digits(v float64) string { return significant(v, 3) }

func significant(v float64, n int) string {
	switch {
	case v == 0:
		return "0"
	case v < 0:
		return "−" + significant(-v, n)
	case v >= 1e15:
		return strconv.FormatFloat(v, 'g', n, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', n-1, 64), 64)
	if err != nil {
		return strconv.FormatFloat(v, 'g', n, 64)
	}
	if rounded >= math.Pow10(n-1) {
		return whole(math.Round(v))
	}
	if rounded < 1e-6 {
		return strconv.FormatFloat(rounded, 'g', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// whole formats a whole number with commas between thousands.
func whole(v float64) string {
	switch {
	case v < 0:
		return "−" + whole(-v)
	case v >= 1e15:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', 0, 64) // a negative zero has no sign
	var b strings.Builder
	for i, r := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}
