package bench

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/observe"
	"github.com/mooring-mcp/mooring/bench/result"
	"os"
)

// env is the environment of a scenario. It belongs to the goroutine that runs the scenario.
type env struct {
	Params
	opts    *Options
	name    string
	target  *dialect.Target
	out     *result.Scenario
	began   time.Time
	server  *observe.Process // nil: nothing is known about the server's process
	self    *observe.Process
	sockets *observe.Sockets // nil: not on this machine
	closers []func()

	watchers []*observe.Watcher
}

// findProcess finds the processes of the server and of this client, and the server's sockets. What
// it cannot find is noted.
func (e *env) findProcess(server *result.Server) {
	self, err := observe.Open(os.Getpid())
	if err == nil {
		e.self = self
		e.closers = append(e.closers, func() { _ = self.Close() })
	}
	if e.opts.NoProcess || !e.target.Addr.Addr().Unmap().IsLoopback() {
		return
	}
	if s, err := observe.OpenSockets(e.target.Addr.Port()); err == nil {
		e.sockets = s
		e.closers = append(e.closers, func() { _ = s.Close() })
	}
	var pids []int
	if e.opts.PID != 0 {
		pids, err = observe.Tree(e.opts.PID)
	} else {
		pids, err = observe.FindListener(e.target.Addr)
	}
	if err == nil {
		e.server, err = observe.Open(pids...)
	}
	if err != nil {
		e.note("the server's process is not measured: %v", err)
		return
	}
	e.closers = append(e.closers, func() { _ = e.server.Close() })
	server.PID, server.Command = e.server.PID(), e.server.Command()
	if server.Version == "" {
		server.Version = e.server.Build()
	}
}

// unread notes what could not be read about the server.
func (e *env) unread() {
	var all []string
	if e.server != nil {
		all = e.server.Notes()
	}
	for _, w := range e.watchers {
		all = append(all, w.Faults()...)
	}
	for i, text := range all {
		if !slices.Contains(all[:i], text) {
			e.note("%s", text)
		}
	}
}

func (e *env) close() {
	for _, f := range slices.Backward(e.closers) {
		f()
	}
}

func (e *env) progress(format string, args ...any) {
	if e.opts.Progress != nil {
		e.opts.Progress(e.name, fmt.Sprintf(format, args...))
	}
}

func (e *env) note(format string, args ...any) {
	e.out.Notes = append(e.out.Notes, fmt.Sprintf(format, args...))
}

// fault records a fault of the server as a finding.
func (e *env) fault(code, format string, args ...any) {
	f := result.Finding{Code: code, Text: fmt.Sprintf(format, args...)}
	e.out.Findings = append(e.out.Findings, f)
	e.progress("%s: %s", code, f.Text)
}

// figure adds a figure. better says whether lower or higher values are better, or neither. The rest
// of its fields can be set on the figure that it returns.
func (e *env) figure(name, title, unit string, value float64, better string) *result.Figure {
	e.out.Figures = append(e.out.Figures, result.Figure{Name: name, Title: title, Unit: unit, Value: value, Better: better})
	return &e.out.Figures[len(e.out.Figures)-1]
}

// key is figure for one of the few that a comparison shows first.
func (e *env) key(name, title, unit string, value float64, better string) *result.Figure {
	f := e.figure(name, title, unit, value, better)
	f.Key = true
	return f
}

const lower, higher, neither = "lower", "higher", ""

// quantiles are the quantiles of a distribution that a result contains.
var quantiles = []float64{0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100}

// distribution adds the distribution of h, which holds microseconds, in milliseconds.
func (e *env) distribution(name, title string, h *hdrhistogram.Histogram) {
	d := result.Distribution{Name: name, Title: title, Unit: "ms", Count: h.TotalCount()}
	if d.Count == 0 {
		return
	}
	for _, q := range quantiles {
		if q > 50 && q < 100 && float64(d.Count)*(100-q)/100 < 1 {
			continue // there are too few values for this quantile
		}
		d.Quantiles = append(d.Quantiles, [2]float64{q, float64(h.ValueAtPercentile(q)) / 1000})
	}
	e.out.Distributions = append(e.out.Distributions, d)
}

// millis returns a percentile of h, which holds microseconds, in milliseconds.
func millis(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtPercentile(percentile)) / 1000
}

// newHistogram returns a histogram of microseconds, up to ten minutes.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }

// fleet returns a fleet of streams. It is closed when the scenario ends.
func (e *env) fleet(o fleet.Options) (*fleet.Fleet, error) {
	o.Target, o.Worker = e.target, e.opts.Worker
	f, err := fleet.New(o)
	if err == nil {
		e.closers = append(e.closers, f.Close)
	}
	return f, err
}

// tellEvery is how often a long operation reports its progress.
const tellEvery = 5 * time.Second

// openStreams opens n streams, reports its progress, and returns how long it took. It fails if no
// stream could be opened, and records a finding if some could not.
func (e *env) openStreams(ctx context.Context, f *fleet.Fleet, n int) (time.Duration, fleet.State, error) {
	e.progress("opening %d streams", n)
	begin := time.Now()
	opened := make(chan struct{})
	telling := make(chan struct{})
	go func() {
		defer close(telling)
		for t := time.NewTicker(tellEvery); ; {
			select {
			case <-t.C:
				if s, err := f.State(); err == nil {
					e.progress("%d of %d streams are open", s.Open, n)
				}
			case <-opened:
				t.Stop()
				return
			}
		}
	}()
	err := f.Open(ctx, n, e.OpenRate)
	took := time.Since(begin)
	close(opened)
	<-telling
	if err != nil {
		return 0, fleet.State{}, err
	}
	s, err := f.State()
	if err != nil {
		return took, s, err
	}
	if s.Open == 0 {
		return took, s, fmt.Errorf("none of %d streams could be opened: %s", n, s.Failure)
	}
	if s.Failed > 0 {
		e.fault("streams_refused", "%d of %d streams could not be opened; the first: %s", s.Failed, n, s.Failure)
	}
	if ended := s.Ended(); ended > 0 {
		e.fault("streams_ended", "%d of %d streams were ended by the server while others were being opened", ended, n)
	}
	return took, s, nil
}

// warmUp opens a few streams and closes them, so that the server allocates what it allocates only
// once. They are few because the measured streams would reuse the memory that they leave in the
// server's allocator.
func (e *env) warmUp(ctx context.Context) error {
	f, err := e.fleet(fleet.Options{Opening: e.Concurrency})
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, err := e.openStreams(ctx, f, min(1000, max(1, e.Streams/32))); err != nil {
		return err
	}
	f.Close()
	return e.settle(ctx, 10*time.Second)
}

// watch samples the server, this process and the sockets until the returned function is called,
// which adds the series to the result.
func (e *env) watch(every time.Duration) (stop func() *observe.Watcher) {
	w := observe.Watch(observe.Sources{Server: e.server, Client: e.self, Sockets: e.sockets}, e.began, every)
	e.watchers = append(e.watchers, w)
	done := false
	stop = func() *observe.Watcher {
		if !done {
			done = true
			w.Stop()
			e.out.Series = append(e.out.Series, w.Series()...)
		}
		return w
	}
	e.closers = append(e.closers, func() { stop() })
	return stop
}

// cpu is what both sides had used at some moment.
type cpu struct{ server, client observe.Usage }

func (e *env) cpu() (c cpu) {
	if e.server != nil {
		c.server, _ = e.server.Glance()
	}
	if e.self != nil {
		c.client, _ = e.self.Glance()
	}
	return c
}

// since returns the seconds of processor time that the server and this process have used since c.
func (e *env) since(c cpu) (server, client float64) {
	now := e.cpu()
	return (now.server.CPU - c.server.CPU).Seconds(), (now.client.CPU - c.client.CPU).Seconds()
}

// memory returns the server's memory now. For a server of several processes, RSS is the sum of
// their PSS if that is known, so that shared pages count once.
func (e *env) memory() (observe.Usage, bool) {
	if e.server == nil {
		return observe.Usage{}, false
	}
	u, err := e.server.Sample()
	if u.Processes > 1 && u.PSS > 0 {
		u.RSS = u.PSS
	}
	return u, err == nil
}

// glance is a cheaper memory, if the server is one process.
func (e *env) glance() (observe.Usage, bool) {
	if e.server == nil {
		return observe.Usage{}, false
	}
	if u, err := e.server.Glance(); err != nil || u.Processes == 1 {
		return u, err == nil
	}
	return e.memory()
}

// settle waits until the server has been idle for half a second, for limit at most.
func (e *env) settle(ctx context.Context, limit time.Duration) error {
	const step = 500 * time.Millisecond
	for end := time.Now().Add(limit); time.Now().Before(end); {
		before := e.cpu()
		if err := sleep(ctx, step); err != nil {
			return err
		}
		if server, _ := e.since(before); e.server != nil && server < 0.01 {
			return nil
		}
		if e.server == nil {
			return nil
		}
	}
	return ctx.Err()
}

// rest lets the server rest for three seconds, or --wait if that is less, and then until it is
// idle: what it does when it is quiet, such as giving memory back, has to be over.
func (e *env) rest(ctx context.Context) error {
	if err := sleep(ctx, min(3*time.Second, e.Wait)); err != nil {
		return err
	}
	return e.settle(ctx, 7*time.Second)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// statesWithout returns the states of the sockets of the server's port, except connections with
// these peers; none if they cannot be counted.
func (e *env) statesWithout(peers []netip.Addr) observe.States {
	if e.sockets == nil {
		return observe.States{}
	}
	s, _ := e.sockets.CountWithout(peers)
	return s
}

// states returns the states of the sockets of the server's port.
func (e *env) states() (observe.States, bool) {
	if e.sockets == nil {
		return observe.States{}, false
	}
	s, err := e.sockets.Count()
	return s, err == nil
}
