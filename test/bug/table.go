package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
)

const (
	// No socket may be left after the floor's time multiplied by this.
	floorFactor = 1.3
	healthBound = 100 * time.Millisecond // for the 99th percentile
	// Readings of an idle server's heap differ by this many bytes, because of pools and idle
	// workers.
	heapNoise     = 128 << 10
	perSession    = 0.5          // bytes that count as none
	speedAfter    = 0.8          // of a fresh server's speed, for new clients at the end
	proxyKeepMax  = 2 * inFlight // connections that a proxy may keep
	goroutinesMax = 1000         // right after a scenario: idle workers stay for some seconds
)

// A table collects rows and whether all of them were met.
type table struct {
	out    strings.Builder
	missed []string
	busy   bool // the machine does other work: times are reported, not judged
}

// ofTime is the prefix of faults that another machine, or a less busy one, might not show.
const ofTime = "time: "

func (t *table) head(cells ...string) {
	t.line(cells)
	t.line(slices.Repeat([]string{"---"}, len(cells)))
}

func (t *table) line(cells []string) { fmt.Fprintf(&t.out, "| %s |\n", strings.Join(cells, " | ")) }

// row adds a row; faults say what was not met.
func (t *table) row(faults []string, cells ...string) {
	verdict := "met"
	if n := len(faults); t.busy {
		faults = slices.DeleteFunc(faults, func(f string) bool { return strings.HasPrefix(f, ofTime) })
		if len(faults) < n {
			verdict = "met except for the time"
		}
	}
	if len(faults) > 0 {
		verdict = "**not met**"
		for _, f := range faults {
			t.missed = append(t.missed, cells[0]+": "+f)
		}
	}
	t.line(append(cells, verdict))
}

func (t *table) print(w io.Writer) { fmt.Fprint(w, t.out.String()) }

// late reports whether the last socket was gone too late, compared with the floor's. Times that
// differ by less than a count takes are equal.
func late(ours, floors, counting []time.Duration) bool {
	f := median(floors)
	return median(ours) > max(time.Duration(floorFactor*float64(f)), f+median(counting))
}

// faultsOf says what was not met in a scenario.
func faultsOf(m *measurement) []string {
	var out []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	for _, err := range m.faults {
		fault(true, "%v", err)
	}
	fault(m.end[sockdiag.CloseWait] > 0, "%d sockets in CLOSE-WAIT at the end", m.end[sockdiag.CloseWait])
	fault(late(m.gone, m.floor, m.counting), ofTime+"sockets gone %v after the last FIN, the floor's %v", median(m.gone), median(m.floor))
	if m.proxy == "" {
		fault(m.connections > 0, "%g connections left", m.connections)
	} else {
		fault(m.connections > proxyKeepMax, "%g connections left, but a proxy keeps %d at most", m.connections, proxyKeepMax)
	}
	fault(m.withState > 0, "%g sessions with state left", m.withState)
	fault(m.streams > 0, "%g streams left", m.streams)
	fault(retained(m) >= perSession, "%.2f bytes kept of each session", retained(m))
	fault(m.goroutines > goroutinesMax, "%g goroutines", m.goroutines)
	p99 := percentile(m.health, 99)
	fault(p99 >= healthBound, ofTime+"healthz p99 %v", p99)
	fault(len(m.health) == 0, "no health check was answered")
	return out
}

// retained returns the bytes of live heap that each session left, or 0 if it is within the noise of
// readings.
func retained(m *measurement) float64 {
	s := slope(m.heap)
	if s*float64(len(m.heap)-1) < heapNoise {
		return 0
	}
	return s * float64(len(m.heap)) / float64(m.sessions)
}

// scenarios prints the table of the measurements.
func (t *table) scenarios(ms []*measurement) {
	t.head("abandoned sessions", "number", "sessions/s", "CLOSE-WAIT at most → end", "no socket left after the last FIN (bare gnet; a count takes)",
		"connections left", "sessions with state", "live heap after each round, KiB", "kept per session", "goroutines right after", "healthz p50 / p99", "")
	for _, m := range ms {
		var heap []string
		for _, h := range m.heap {
			heap = append(heap, fmt.Sprintf("%.0f", h/1024))
		}
		t.row(faultsOf(m), m.name, fmt.Sprint(m.sessions), fmt.Sprintf("%.0f", medianOf(m.rates)),
			fmt.Sprintf("%d → %d", m.closeWait, m.end[sockdiag.CloseWait]),
			fmt.Sprintf("%s (%s; %s)", ms1(median(m.gone)), ms1(median(m.floor)), ms1(median(m.counting))),
			fmt.Sprintf("%g", m.connections), fmt.Sprintf("%g", m.withState), strings.Join(heap, " "),
			fmt.Sprintf("%.1f B", retained(m)), fmt.Sprintf("%g", m.goroutines),
			fmt.Sprintf("%s / %s", ms1(median(m.health)), ms1(percentile(m.health, 99))))
	}
}

func ms1(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func medianOf(xs []float64) float64 {
	xs = slices.Clone(xs)
	slices.Sort(xs)
	return xs[len(xs)/2]
}
