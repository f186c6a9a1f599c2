package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/observe"
	"github.com/mooring-mcp/mooring/bench/result"
)

// Options say what Run measures.
type Options struct {
	URL      string      // of the server's MCP endpoint
	Era      dialect.Era // zero: ask the server
	Revision string      // empty: the newest of the era
	Header   []string    // lines to send with each request, such as "Authorization: Bearer …"
	Label    string      // what tables call the server; empty: its own name
	Notes    string      // how it is configured, for the report
	PID      int         // process ID of the server; 0: find the process by its socket
	// MayEnd says that drain may end a process that was found by its socket. Otherwise drain needs
	// PID.
	MayEnd    bool
	NoProcess bool // ignore the server's process even if it is on this machine
	// OwnServer allows measuring a server that is not on this machine. Set it only with the consent
	// of the server's owner.
	OwnServer bool
	Params    Params
	// Worker is the command of a process that runs Work on its standard input and output. It holds
	// streams where one process cannot hold them all, and makes health checks. If it is nil, this
	// process does everything.
	Worker []string
	// Command is recorded in the result.
	Command []string
	// Progress is called with what is happening, from one goroutine at a time. May be nil.
	Progress func(scenario, text string)
}

// ErrNotLoopback is returned by Run when the server is not on this machine.
var ErrNotLoopback = errors.New("bench: the server is not on a loopback address: measuring it requires its owner's consent")

// Run runs the named scenarios against one server. A scenario that fails is reported in the result;
// the error is for what prevents all of them.
func Run(ctx context.Context, o Options, names ...string) (*result.Run, error) {
	var todo []*Scenario
	for _, name := range names {
		s := Find(name)
		if s == nil {
			return nil, fmt.Errorf("bench: there is no scenario %q", name)
		}
		todo = append(todo, s)
	}
	if err := o.Params.check(); err != nil {
		return nil, err
	}
	if !o.OwnServer {
		if err := checkLoopback(ctx, o.URL); err != nil {
			return nil, err
		}
	}
	target, err := dialect.Ask(ctx, o.URL, &dialect.Options{Era: o.Era, Revision: o.Revision, Header: o.Header})
	if err != nil {
		return nil, err
	}
	run := &result.Run{
		Format: result.Format, Tool: result.Tool{Version: version(), Go: runtime.Version()}, Began: time.Now().UTC(), Command: o.Command, Machine: observe.Machine(),
		Server: result.Server{Label: o.Label, URL: o.URL, Name: target.Name, Version: target.Version, Era: target.Era.String(), Revision: target.Revision, Notes: o.Notes},
	}
	or(&run.Server.Label, target.Name)
	or(&run.Server.Label, o.URL)
	for _, s := range todo {
		if ctx.Err() != nil {
			break
		}
		run.Scenarios = append(run.Scenarios, runOne(ctx, &o, target, s, &run.Server))
	}
	return run, nil
}

// runOne runs a scenario.
func runOne(ctx context.Context, o *Options, target *dialect.Target, s *Scenario, server *result.Server) (out result.Scenario) {
	p := o.Params
	p.fill(&s.Defaults)
	p.fill(&defaults)
	if s.adapt != nil {
		s.adapt(&p)
	}
	out = result.Scenario{Name: s.Name, Title: s.Title, Params: p.list(s.Uses), Began: time.Now().UTC(), Figures: []result.Figure{}}
	e := &env{Params: p, opts: o, target: target, out: &out, began: time.Now(), name: s.Name}
	defer func() {
		e.close()
		e.unread()
		onlyFinite(&out)
		out.Seconds = time.Since(e.began).Seconds()
	}()
	e.findProcess(server)
	if s.skip != nil {
		if out.Skipped = s.skip(e); out.Skipped != "" {
			e.progress("skipped: %s", out.Skipped)
			return out
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit(&p))
	defer cancel()
	if err := s.run(ctx, e); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) { // and not only the time of one request
			err = fmt.Errorf("%w: took longer than the limit of %v", err, s.limit(&p))
		}
		out.Error = err.Error()
		e.progress("failed: %v", err)
	}
	return out
}

// onlyFinite removes numbers from s that are not finite, and notes which figures are left out: one
// such number would make it impossible to write the whole document.
func onlyFinite(s *result.Scenario) {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	s.Figures = slices.DeleteFunc(s.Figures, func(f result.Figure) bool {
		bad := !finite(f.Value)
		if bad {
			s.Notes = append(s.Notes, f.Name+" is left out: it is not a finite number")
		}
		return bad
	})
	for i := range s.Figures {
		if c := s.Figures[i].Client; c != nil && !finite(*c) {
			s.Figures[i].Client = nil
		}
	}
	point := func(p [2]float64) bool { return !finite(p[0]) || !finite(p[1]) }
	for i := range s.Series {
		s.Series[i].Points = slices.DeleteFunc(s.Series[i].Points, point)
	}
	for i := range s.Distributions {
		s.Distributions[i].Quantiles = slices.DeleteFunc(s.Distributions[i].Quantiles, point)
	}
}

// checkLoopback returns an error unless all addresses of the URL's host are loopback addresses.
func checkLoopback(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if u.Hostname() == "" {
		return fmt.Errorf("bench: %q has no host", raw)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		if !a.Unmap().IsLoopback() {
			return fmt.Errorf("%w: %v", ErrNotLoopback, a)
		}
		return nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for _, a := range addrs {
		if !a.Unmap().IsLoopback() {
			return fmt.Errorf("%w: %s is %v", ErrNotLoopback, u.Hostname(), a)
		}
	}
	return nil
}

// version returns the version of the module that this program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, dep := range info.Deps {
		if dep.Path == "github.com/mooring-mcp/mooring" {
			v = dep.Version
		}
	}
	if v == "" || v == "(devel)" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
		return "unreleased"
	}
	return v
}
