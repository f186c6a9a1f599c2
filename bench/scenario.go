package bench

import (
	"context"
	"time"
)

// A Scenario measures one thing.
type Scenario struct {
	Name     string
	Title    string   // one line: what it shows
	Help     string   // what it does and how to read its figures
	Uses     []string // names of the parameters that it takes, spelled as the tool's flags
	Defaults Params

	run   func(context.Context, *env) error
	adapt func(*Params)     // sets defaults that depend on other parameters; may be nil
	skip  func(*env) string // returns why it cannot run against this server, or ""; may be nil
	// bound returns how long it may take. nil: ten minutes and what its parameters add.
	bound func(*Params) time.Duration
}

// limit returns how long the scenario may take.
func (s *Scenario) limit(p *Params) time.Duration {
	if s.bound != nil {
		return s.bound(p)
	}
	return 10*time.Minute + p.Duration + p.Wait + p.opening() + time.Duration(p.Clients)*3*time.Millisecond
}

// defaults apply to all scenarios.
var defaults = Params{
	Tool: "echo", Args: `{"text":"hello, world"}`,
	ChangeTool: "toggle",
	SlowTool:   "sleep", SlowArgs: `{"milliseconds":2000}`,
	End:     "fin",
	Silence: time.Minute, // proxies commonly close a connection after this
}

// Scenarios returns all scenarios, in the order in which `all` runs them.
func Scenarios() []*Scenario {
	return []*Scenario{&idle, &churn, &storm, &fanout, &call, &slow, &mixed, &hostile, &drain}
}

// Find returns the scenario of that name, or nil.
func Find(name string) *Scenario {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// AllDefaults returns the scenario's defaults, together with those that all scenarios share.
func (s *Scenario) AllDefaults() Params {
	p := s.Defaults
	p.fill(&defaults)
	return p
}
