package result

import (
	"fmt"
	"math"
	"slices"
)

// units are the units that figures may have; the empty one is for plain numbers such as ratios.
var units = [...]string{"", "B", "ms", "s", "µs", "/s", "%", "count"}

// kinds are the kinds of servers; the empty one means unknown.
var kinds = [...]string{"", kindMooring, "mcp", kindFloor}

const (
	kindMooring = "mooring"
	kindFloor   = "floor"
)

// IsKind reports whether kind is one that a Server may have.
func IsKind(kind string) bool { return slices.Contains(kinds[:], kind) }

// Limits of a document. Each list of a scenario has at most maxList elements, except the points of
// curves, which are limited by the size of the document.
const (
	maxScenarios = 64
	maxList      = 1000
)

// Validate reports the first reason why r is not a valid result document: another format, more than
// 64 scenarios, more than 1,000 figures, curves, findings, inputs or notes in one scenario,
// malformed or duplicate names, unknown units or kinds of servers, or numbers that JSON cannot
// hold. The types ensure what schema.json requires beyond that.
func (r *Run) Validate() error {
	if r.Format != Format {
		return fmt.Errorf("result: unknown format %.40q; this version reads %q", r.Format, Format)
	}
	if len(r.Scenarios) > maxScenarios {
		return fmt.Errorf("result: more than %d scenarios", maxScenarios)
	}
	if !IsKind(r.Server.Kind) {
		return fmt.Errorf("result: %.40q is not a kind of server", r.Server.Kind)
	}
	seen := map[string]bool{}
	for i := range r.Scenarios {
		s := &r.Scenarios[i]
		if !isName(s.Name) {
			return fmt.Errorf("result: %.40q is not a scenario name", s.Name)
		}
		if seen[s.Name] {
			return fmt.Errorf("result: duplicate scenario %s", s.Name)
		}
		seen[s.Name] = true
		if err := s.validate(); err != nil {
			return fmt.Errorf("result: scenario %s: %w", s.Name, err)
		}
	}
	return nil
}

func (s *Scenario) validate() error {
	if err := checkLengths(len(s.Params), len(s.Figures), len(s.Series), len(s.Distributions), len(s.Findings), len(s.Notes)); err != nil {
		return err
	}
	if !isFinite(s.Seconds) {
		return fmt.Errorf("its duration is %v s", s.Seconds)
	}
	seen := map[string]bool{}
	for _, f := range s.Figures {
		switch {
		case !isName(f.Name) || f.Name == findings:
			return fmt.Errorf("%.40q is not a figure name", f.Name)
		case seen[f.Name]:
			return fmt.Errorf("duplicate figure %s", f.Name)
		case !slices.Contains(units[:], f.Unit):
			return fmt.Errorf("figure %s: unknown unit %.40q", f.Name, f.Unit)
		case f.Better != "" && f.Better != "lower" && f.Better != "higher":
			return fmt.Errorf("figure %s: better is %.40q, not lower or higher", f.Name, f.Better)
		case !isFinite(f.Value) || f.Client != nil && !isFinite(*f.Client):
			return fmt.Errorf("figure %s is not a finite number", f.Name)
		}
		seen[f.Name] = true
	}
	for _, f := range s.Findings {
		if !isName(f.Code) {
			return fmt.Errorf("%.40q is not a finding code", f.Code)
		}
	}
	for _, series := range s.Series {
		if err := validateCurve(series.Name, series.Unit, series.Points); err != nil {
			return fmt.Errorf("series %w", err)
		}
	}
	for _, d := range s.Distributions {
		if err := validateCurve(d.Name, d.Unit, d.Quantiles); err != nil {
			return fmt.Errorf("distribution %w", err)
		}
		for i, q := range d.Quantiles {
			if q[0] < 0 || q[0] > 100 || i > 0 && q[0] < d.Quantiles[i-1][0] {
				return fmt.Errorf("distribution %s: percentile %v is out of order", d.Name, q[0])
			}
		}
	}
	return nil
}

// checkLengths checks the lengths of the lists of a scenario, in the order of names.
func checkLengths(lengths ...int) error {
	names := [...]string{"params", "figures", "series", "distributions", "findings", "notes"}
	for i, n := range lengths {
		if n > maxList {
			return fmt.Errorf("more than %d %s", maxList, names[i])
		}
	}
	return nil
}

// validateCurve checks what series and distributions have in common.
func validateCurve(name, unit string, points [][2]float64) error {
	switch {
	case !isName(name):
		return fmt.Errorf("%.40q is not a valid name", name)
	case !slices.Contains(units[:], unit):
		return fmt.Errorf("%s: unknown unit %.40q", name, unit)
	}
	for _, p := range points {
		if !isFinite(p[0]) || !isFinite(p[1]) {
			return fmt.Errorf("%s has a point that is not finite", name)
		}
	}
	return nil
}

// isName reports whether name is a valid name of a scenario, figure or curve: lower-case letters,
// digits and underscores, at most 64, a letter first.
func isName(name string) bool {
	if name == "" || len(name) > 64 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
