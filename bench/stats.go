package bench

import (
	"slices"
	"time"
)

// ms returns d in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median returns the middle value, or the mean of the two in the middle; 0 if there are none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(n-1)/2] + s[n/2]) / 2
}

// maximum returns the highest value; 0 if there are none.
func maximum(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Max(values)
}
