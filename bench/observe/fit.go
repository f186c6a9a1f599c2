package observe

import "math"

// A Line is the straight line that fits points best.
type Line struct {
	Slope     float64
	Intercept float64
	// The true slope lies between Low and High with 95 % confidence, if deviations are independent
	// and normal.
	Low, High float64
	R2        float64 // the fraction of the variance that the line explains, from 0 to 1
}

// Grows reports whether the slope is above zero, with the confidence of Low.
func (l *Line) Grows() bool { return l.Low > 0 }

// Fit returns the least-squares line through points, and whether there is one: it takes three
// points or more, at least two of which differ in x. If x is the number of clients that have come
// and gone and y the resident bytes after each round, the slope is what a client leaves behind.
//
// A process with a garbage collector takes memory in its first rounds that it later reuses: leave
// those out.
func Fit(points [][2]float64) (l Line, ok bool) {
	n := float64(len(points))
	if len(points) < 3 {
		return l, false
	}
	var meanX, meanY float64
	for _, p := range points {
		meanX += p[0] / n
		meanY += p[1] / n
	}
	var xx, xy, yy float64
	for _, p := range points {
		dx, dy := p[0]-meanX, p[1]-meanY
		xx += dx * dx
		xy += dx * dy
		yy += dy * dy
	}
	if xx == 0 || math.IsNaN(xx+xy+yy) || math.IsInf(xx+xy+yy, 0) {
		return l, false
	}
	l.Slope = xy / xx
	l.Intercept = meanY - l.Slope*meanX
	var left float64
	for _, p := range points {
		d := p[1] - l.Intercept - l.Slope*p[0]
		left += d * d
	}
	if yy > 0 {
		l.R2 = max(0, 1-left/yy)
	}
	half := student(len(points)-2) * math.Sqrt(left/(n-2)/xx)
	l.Low, l.High = l.Slope-half, l.Slope+half
	return l, true
}

// studentTable holds the two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom.
var studentTable = [...]float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
	2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042}

// student returns that quantile; beyond the table it uses the first terms of its expansion, which
// are accurate to a thousandth.
func student(df int) float64 {
	if df <= len(studentTable) {
		return studentTable[df-1]
	}
	return 1.95996 + 2.3723/float64(df) + 2.8225/float64(df*df)
}
