package result

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// findings is the name of the number of findings in thresholds. No figure may have this name.
const findings = "findings"

// A Threshold is a condition under which a run fails: "close_wait_final>0".
type Threshold struct {
	Scenario string // empty: every scenario that has the figure
	Figure   string // or "findings"
	Op       string // > >= < <= == !=
	Value    float64
	Unit     string // as it was written; empty if there was none
}

// Thresholds are conditions, none of which may be met.
type Thresholds []Threshold

// A Breach is a threshold that is met.
type Breach struct {
	Threshold Threshold
	Scenario  string // empty for the findings of all scenarios
	Value     float64
	Unit      string
}

var thresholdForm = regexp.MustCompile(`^\s*(?:([a-z][a-z0-9_]*)\.)?([a-z][a-z0-9_]*)\s*(>=|<=|==|!=|>|<)\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*(\S*)\s*$`)

// Parse parses a threshold: a figure's name, preceded by a scenario's name and a dot if it applies
// only to that scenario, an operator, a number, and optionally the figure's unit:
//
//	close_wait_final>0
//	call.p99 > 5ms
//	churn.findings>=1
//
// "findings" stands for the number of findings, of the scenario or of all scenarios. µs may be
// written us. [Thresholds.Check] finds out whether the figure exists and has that unit.
func Parse(text string) (Threshold, error) {
	m := thresholdForm.FindStringSubmatch(text)
	if m == nil {
		return Threshold{}, fmt.Errorf("result: %.80q is not a threshold: write a figure, one of > >= < <= == !=, and a number, such as churn.close_wait_final>0", text)
	}
	value, err := strconv.ParseFloat(m[4], 64)
	if err != nil {
		return Threshold{}, fmt.Errorf("result: threshold %.80q: %s is out of range", text, m[4])
	}
	unit := m[5]
	if unit == "us" || unit == "μs" { // the Greek letter instead of the micro sign
		unit = "µs"
	}
	if !slices.Contains(units[:], unit) {
		return Threshold{}, fmt.Errorf("result: threshold %.80q: unknown unit %.20q; leave it out to use the figure's own", text, unit)
	}
	return Threshold{Scenario: m[1], Figure: m[2], Op: m[3], Value: value, Unit: unit}, nil
}

// String returns what Parse accepts.
func (t Threshold) String() string {
	name := t.Figure
	if t.Scenario != "" {
		name = t.Scenario + "." + name
	}
	return name + t.Op + strconv.FormatFloat(t.Value, 'f', -1, 64) + t.Unit
}

// String returns the figure and the threshold: "churn.close_wait_final is 12 (close_wait_final>0)".
// The number is exact.
func (b Breach) String() string {
	name := b.Threshold.Figure
	if b.Scenario != "" {
		name = b.Scenario + "." + name
	}
	unit := " " + b.Unit
	switch b.Unit {
	case "", "count":
		unit = ""
	case "/s":
		unit = b.Unit
	}
	return fmt.Sprintf("%s is %s%s (%s)", name, strconv.FormatFloat(b.Value, 'f', -1, 64), unit, b.Threshold)
}

// Check returns which thresholds the run meets, each for every scenario that it applies to, in the
// order of the thresholds and then of the scenarios. The error joins those that could not be
// judged, because no scenario of the run has the figure, it has another unit, or it is not a
// number: a threshold without a figure must not pass. Check may return both.
func (ts Thresholds) Check(run *Run) ([]Breach, error) {
	var breaches []Breach
	var errs []error
	for _, t := range ts {
		met, err := t.check(run)
		breaches = append(breaches, met...)
		if err != nil {
			errs = append(errs, fmt.Errorf("result: threshold %s: %w", t, err))
		}
	}
	return breaches, errors.Join(errs...)
}

func (t Threshold) check(run *Run) (met []Breach, err error) {
	if t.Figure == findings {
		return t.checkFindings(run)
	}
	seen := false
	for i := range run.Scenarios {
		s := &run.Scenarios[i]
		if t.Scenario != "" && t.Scenario != s.Name {
			continue
		}
		f := s.Figure(t.Figure)
		if f == nil {
			continue
		}
		seen = true
		switch {
		case t.Unit != "" && t.Unit != f.Unit:
			return met, fmt.Errorf("the figure of %s is in %s", s.Name, orWord(f.Unit, "no unit"))
		case !isFinite(f.Value):
			return met, fmt.Errorf("the figure of %s is not a finite number", s.Name)
		case t.holds(f.Value):
			met = append(met, Breach{Threshold: t, Scenario: s.Name, Value: f.Value, Unit: f.Unit})
		}
	}
	if !seen {
		return nil, t.missing(run)
	}
	return met, nil
}

func (t Threshold) checkFindings(run *Run) ([]Breach, error) {
	if t.Unit != "" && t.Unit != "count" {
		return nil, errors.New("findings have no unit")
	}
	ran, n := 0, 0
	for i := range run.Scenarios {
		s := &run.Scenarios[i]
		if s.Skipped != "" || t.Scenario != "" && t.Scenario != s.Name {
			continue
		}
		ran++
		n += len(s.Findings)
	}
	switch {
	case ran == 0:
		return nil, t.missing(run)
	case t.holds(float64(n)):
		return []Breach{{Threshold: t, Scenario: t.Scenario, Value: float64(n)}}, nil
	}
	return nil, nil
}

// missing says why t applies to nothing in run.
func (t Threshold) missing(run *Run) error {
	var names, why []string
	for i := range run.Scenarios {
		s := &run.Scenarios[i]
		names = append(names, s.Name)
		if reason := s.Skipped + s.Error; reason != "" && (t.Scenario == "" || t.Scenario == s.Name) {
			why = append(why, s.Name+": "+Plain(reason, 200))
		}
	}
	switch {
	case t.Scenario != "" && !slices.Contains(names, t.Scenario):
		return fmt.Errorf("the run has no scenario %s, only %s", t.Scenario, orWord(strings.Join(names, ", "), "none"))
	case len(why) > 0:
		return fmt.Errorf("no scenario has the figure (%s)", strings.Join(why, "; "))
	}
	return errors.New("no scenario has a figure of that name")
}

func (t Threshold) holds(v float64) bool {
	switch t.Op {
	case ">":
		return v > t.Value
	case ">=":
		return v >= t.Value
	case "<":
		return v < t.Value
	case "<=":
		return v <= t.Value
	case "==":
		return v == t.Value
	default:
		return v != t.Value
	}
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
