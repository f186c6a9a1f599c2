package suite

import (
	"context"
	"fmt"
	"slices"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/result"
)

// Options say what to compare.
type Options struct {
	Dir       string   // directory that the list's commands are relative to
	Servers   []string // names of the servers to measure, in the order of the comparison; nil: all
	Eras      []string // nil: all
	Scenarios []string // nil: all that the list has for a server
	Bench     bench.Options
	// Done is called with each run when it is complete, so that a long comparison that is
	// interrupted leaves something behind. May be nil.
	Done func(*result.Run) error
}

// Compare measures the servers of a list in turn, era by era, and returns a run for each server and
// era. A server that cannot be started is an error of its scenarios, not of the comparison.
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
			if run != nil { // including a part of one that was interrupted
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

// measure runs the scenarios of a server in one era, each with a process of its own. It returns nil
// if there are none.
func measure(ctx context.Context, s *Server, era string, o *Options) (*result.Run, error) {
	b := o.Bench
	b.URL, b.Label, b.Notes = s.URL, label(s), s.Notes
	b.Params = s.params(b.Params)
	var err error
	if b.Era, err = dialect.ParseEra(era); err != nil {
		return nil, err
	}
	var whole *result.Run
	asked := false // the server has reported its name
	for _, scenario := range bench.Scenarios() {
		if !slices.Contains(s.Scenarios[scenario.Name], era) || o.Scenarios != nil && !slices.Contains(o.Scenarios, scenario.Name) {
			continue
		}
		run, err := one(ctx, s, scenario.Name, o.Dir, b)
		if ctx.Err() != nil {
			return whole, ctx.Err()
		}
		if err != nil {
			run = bench.Stub(b, scenario, err)
			if b.Progress != nil {
				b.Progress(scenario.Name, err.Error())
			}
		}
		run.Server.Kind = s.Kind
		switch {
		case whole == nil:
			whole = run
		case err == nil && !asked: // the earlier scenarios could not be measured
			run.Began = whole.Began
			run.Scenarios = append(whole.Scenarios, run.Scenarios...)
			whole = run
		default:
			whole.Scenarios = append(whole.Scenarios, run.Scenarios...)
		}
		asked = asked || err == nil
	}
	return whole, nil
}

// one runs one scenario with a process of its own.
func one(ctx context.Context, s *Server, scenario, dir string, b bench.Options) (*result.Run, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	here := s.at(port)
	if b.Progress != nil {
		b.Progress(scenario, "— "+b.Label+", "+b.Era.String())
	}
	p, err := here.start(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	b.URL = here.URL
	b.MayEnd = true // the server belongs to the suite
	b.Params = here.params(b.Params)
	return bench.Run(ctx, b, scenario)
}

// label returns the name of a server in tables. Tables are made for each era, so the label need not
// contain the era.
func label(s *Server) string {
	if s.Label == "" {
		return s.Name
	}
	return s.Label
}
