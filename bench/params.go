package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/bench/result"
)

// Params are what scenarios can be told. Each takes what it needs; its help says what that is. A zero stands for the scenario's own default.
type Params struct {
	Streams     int           // streams that are held open
	Clients     int           // clients that come and go, or requests that are made, in all
	Rounds      int           // how often a thing is done
	Concurrency int           // clients at work at the same time
	Rate        float64       // each second: calls of the open loop, clients that come; 0: as fast as goes
	OpenRate    float64       // streams opened each second; 0: as fast as goes
	Duration    time.Duration // of the measured part
	Wait        time.Duration // for things to settle, and for what is left to go away
	Silence     time.Duration // for which a stream may be without anything, even a comment
	Stalled     int           // clients that stop reading
	WithStream  bool          // clients that come and go open a stream besides
	End         string        // how streams are closed: fin, rst or silence
	Order       string        // which idle connection of the open loop gets the next request: last (that which was used last) or turn

	Tool       string // a tool that answers at once
	Args       string // its arguments, a JSON object
	SlowTool   string // a tool that takes seconds
	SlowArgs   string
	ChangeTool string // a tool that changes the list of tools
	ChangeArgs string
	ChangeURL  string // instead of ChangeTool: a POST there makes the change
	ChangeBody string // of that POST
	Event      string // what the event of a change contains; its method by default

	LargeBytes int    // of a large answer
	Health     string // path that answers health checks; empty: a request of MCP that costs little is used
}

// opening returns how long it takes to open the streams at OpenRate; 0 where they are opened as fast as goes.
func (p *Params) opening() time.Duration {
	if p.OpenRate <= 0 {
		return 0
	}
	return time.Duration(float64(p.Streams) / p.OpenRate * float64(time.Second))
}

// fill gives p the values of d where it has none.
func (p *Params) fill(d *Params) {
	or(&p.Streams, d.Streams)
	or(&p.Clients, d.Clients)
	or(&p.Rounds, d.Rounds)
	or(&p.Concurrency, d.Concurrency)
	or(&p.Rate, d.Rate)
	or(&p.OpenRate, d.OpenRate)
	or(&p.Duration, d.Duration)
	or(&p.Wait, d.Wait)
	or(&p.Silence, d.Silence)
	or(&p.Stalled, d.Stalled)
	or(&p.WithStream, d.WithStream)
	or(&p.End, d.End)
	or(&p.Order, d.Order)
	or(&p.Tool, d.Tool)
	or(&p.Args, d.Args)
	or(&p.SlowTool, d.SlowTool)
	or(&p.SlowArgs, d.SlowArgs)
	or(&p.ChangeTool, d.ChangeTool)
	or(&p.ChangeArgs, d.ChangeArgs)
	or(&p.ChangeURL, d.ChangeURL)
	or(&p.ChangeBody, d.ChangeBody)
	or(&p.Event, d.Event)
	or(&p.LargeBytes, d.LargeBytes)
	or(&p.Health, d.Health)
}

func or[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// ParamNames returns the names of all parameters, as scenarios list them and flags are called.
func ParamNames() []string {
	var p Params
	return slices.Sorted(maps.Keys(p.values()))
}

// values returns the params as text.
func (p *Params) values() map[string]string {
	return map[string]string{
		"streams": strconv.Itoa(p.Streams), "clients": strconv.Itoa(p.Clients), "rounds": strconv.Itoa(p.Rounds), "concurrency": strconv.Itoa(p.Concurrency),
		"rate": perSecond(p.Rate), "open-rate": perSecond(p.OpenRate), "duration": p.Duration.String(), "wait": p.Wait.String(), "silence": p.Silence.String(), "stalled": strconv.Itoa(p.Stalled), "end": p.End, "order": p.Order,
		"tool": p.Tool + " " + p.Args, "slow-tool": p.SlowTool + " " + p.SlowArgs, "change-tool": p.ChangeTool + " " + p.ChangeArgs, "change-url": p.ChangeURL,
		"with-stream": strconv.FormatBool(p.WithStream), "large-bytes": strconv.Itoa(p.LargeBytes), "health": p.Health,
	}
}

// list returns those of the params that a scenario uses, for its result.
func (p *Params) list(uses []string) []result.Param {
	all := p.values()
	var out []result.Param
	for _, name := range uses {
		v, ok := all[name]
		if !ok {
			panic(fmt.Sprintf("bench: no parameter %q", name))
		}
		if name == "order" && v == lastFirst {
			continue // documents from before there was a choice mean the same and do not say so
		}
		out = append(out, result.Param{Name: name, Value: v})
	}
	return out
}

func perSecond(rate float64) string {
	if rate == 0 {
		return "as fast as goes"
	}
	return strconv.FormatFloat(rate, 'g', -1, 64) + "/s"
}
