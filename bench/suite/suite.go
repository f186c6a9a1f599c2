package suite

import (
	"context"
	"fmt"
	"slices"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/result"
)

// Options say what is compared.
type Options struct {
	Dir       string   // where the commands of the list are found
	Servers   []string // names of those to measure, in the order in which they are compared; nil: all
	Eras      []string // nil: all
	Scenarios []string // nil: all that the list has for a server
	Bench     bench.Options
	// Done is called with each run as it is complete, so that a long comparison that is broken off leaves something. May be nil.
	Done func(*result.Run) error
}

// Compare measures the servers of a list in turn, era by era, and returns a run for each server and era. A server that cannot be started is an error of its scenarios, not of the comparison.
func Compare(ctx context.Context, servers []Server, o Options) ([]*result.Run, error) {
	chosen, err := choose(servers, o.Servers)
	if err != nil {
		return nil, err
	}
	for _, era := range o.Eras {
		if !slices.Contains(measuredEras, era) {
			return nil, fmt.Errorf("suite: there is no era %q", era)
		}
	}
	for _, name := range o.Scenarios {
		if bench.Find(name) == nil {
			return nil, fmt.Errorf("suite: there is no scenario %q", name)
		}
	}
	var runs []*result.Run
	for _, era := range measuredEras {
		if o.Eras != nil && !slices.Contains(o.Eras, era) {
			continue
		}
		for i := range chosen {
			run, merr := measure(ctx, &chosen[i], era, &o)
			if run != nil { // also what there was of one that was broken off
				runs = append(runs, run)
				if o.Done != nil {
					if err := o.Done(run); err != nil {
						return runs, err
					}
				}
			}
			if merr != nil {
				return runs, merr
			}
		}
	}
	return runs, nil
}

func choose(servers []Server, names []string) ([]Server, error) {
	if names == nil {
		return servers, nil
	}
	var out []Server
	for _, n := range names {
		i := slices.IndexFunc(servers, func(s Server) bool { return s.Name == n })
		if i < 0 {
			return nil, fmt.Errorf("suite: there is no server %q in the list", n)
		}
		out = append(out, servers[i])
	}
	return out, nil
}

// measure runs the scenarios of a server in one era, each with a process of its own. It returns nil if there are none.
func measure(ctx context.Context, s *Server, era string, o *Options) (*result.Run, error) {
	var whole *result.Run
	for _, scenario := range bench.Scenarios() {
		if !slices.Contains(s.Scenarios[scenario.Name], era) || o.Scenarios != nil && !slices.Contains(o.Scenarios, scenario.Name) {
			continue
		}
		run, err := one(ctx, s, era, scenario.Name, o)
		if ctx.Err() != nil {
			return whole, ctx.Err()
		}
		if err != nil {
			run = &result.Run{
				Format: result.Format, Server: result.Server{Label: label(s, era), Kind: s.Kind, URL: s.URL, Era: era, Notes: s.Notes},
				Scenarios: []result.Scenario{{Name: scenario.Name, Title: scenario.Title, Figures: []result.Figure{}, Error: err.Error()}},
			}
			if o.Bench.Progress != nil {
				o.Bench.Progress(scenario.Name, err.Error())
			}
		}
		switch {
		case whole == nil:
			whole = run
		case whole.Machine.OS == "": // the ones before could not be measured
			run.Scenarios = append(whole.Scenarios, run.Scenarios...)
			whole = run
		default:
			whole.Scenarios = append(whole.Scenarios, run.Scenarios...)
		}
	}
	return whole, nil
}

// one runs one scenario with a process of its own.
func one(ctx context.Context, s *Server, era, scenario string, o *Options) (*result.Run, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	here := s.at(port)
	if o.Bench.Progress != nil {
		o.Bench.Progress(scenario, "— "+label(s, era))
	}
	p, err := here.start(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	b := o.Bench
	b.URL, b.Label, b.Notes = here.URL, label(s, era), s.Notes
	b.Params = here.params(b.Params)
	if b.Era, err = dialect.ParseEra(era); err != nil {
		return nil, err
	}
	run, err := bench.Run(ctx, b, scenario)
	if err != nil {
		return nil, err
	}
	run.Server.Kind = s.Kind
	return run, nil
}

// label returns what tables call a server that was measured in an era.
func label(s *Server, era string) string {
	name := s.Label
	if name == "" {
		name = s.Name
	}
	if era == "legacy" && slices.Contains(s.Eras, "modern") {
		return name + ", sessions"
	}
	return name
}
