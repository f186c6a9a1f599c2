package main

import (
	"fmt"
	"net"
	"path/filepath"
)

// cycleRounds is how many times each server's processor time is measured.
const cycleRounds = 3

// A rival is a server whose sessions cost more than ours.
type rival struct {
	kind, name string
	must, aim  float64 // lowest acceptable ratio, and the goal; 0: none
}

// figures compares the processor time of initialize → initialized → tools/call → close. Each round
// starts new processes, so that no server pays for what an earlier round left behind, and has the
// same number of sessions for all servers: the cost of a session grows with the number of sessions
// that are kept.
func figures(t *table, name string, o options, args ...string) error {
	rivals := []rival{
		{"mcpgo", "mcp-go v1.2.1 (stateful)", 2.5, 3.5},
		{"gosdk", "official Go SDK v1.8.0 (stateful)", 12, 17},
		{"floor", "bare gnet, fixed answers", 0, 0},
	}
	var ours []float64
	theirs := make([][]float64, len(rivals))
	ratios := make([][]float64, len(rivals))
	for round := range cycleRounds {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		our, err := cycles(round, o.figures, addr, o.mooring, append([]string{"serve", "--log-level", "error", "--listen", addr}, args...)...)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		ours = append(ours, our)
		for i, r := range rivals {
			if addr, err = freeAddr(); err != nil {
				return err
			}
			their, err := cycles(round, o.figures, addr, o.subject, r.kind, addr)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			theirs[i] = append(theirs[i], their)
			ratios[i] = append(ratios[i], our/their)
		}
	}
	fmt.Fprintln(&t.out)
	t.head("cycles per second of the server's processor time", "theirs", name, "ratio", "must", "aim", "")
	for i, r := range rivals {
		ratio := medianOf(ratios[i])
		var faults []string
		if ratio < r.must {
			faults = append(faults, fmt.Sprintf("%.2f times as many, but must be %g", ratio, r.must))
		}
		t.row(faults, r.name, fmt.Sprintf("%.0f", medianOf(theirs[i])), fmt.Sprintf("%.0f", medianOf(ours)),
			fmt.Sprintf("**%.2f ×**", ratio), goal(r.must), goal(r.aim))
	}
	return nil
}

// cycles starts a server, lets it warm up, and returns how many sessions it serves in a second of
// its processor time.
func cycles(round, count int, addr, bin string, args ...string) (float64, error) {
	p, err := start(filepath.Base(bin), addr, bin, args...)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	l := &load{addr: addr, source: net.IPv4(127, 3, 1, byte(round+1)), n: max(1, count/10)}
	if _, _, err := l.run(); err != nil {
		return 0, err
	}
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	l.n = count
	if _, _, err := l.run(); err != nil {
		return 0, err
	}
	after, err := p.cpu()
	if err != nil {
		return 0, err
	}
	if after <= before {
		return 0, fmt.Errorf("%d sessions are too few to measure", count)
	}
	return float64(count) / (after - before).Seconds(), nil
}

func goal(ratio float64) string {
	if ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%g ×", ratio)
}
