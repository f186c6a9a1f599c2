package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/bench/result"
)

// Params are the settings of the scenarios. Each scenario uses the ones it needs; its help says
// which. A zero stands for the scenario's own default.
type Params struct {
	Streams     int // streams that are held open
	Clients     int // clients that come and go, or requests that are made, in all
	Rounds      int // how many times a thing is done
	Concurrency int // clients at work at the same time
	// Rate is how many calls of the open loop, or new clients, there are each second. 0: as fast as
	// possible.
	Rate       float64
	OpenRate   float64       // streams opened each second; 0: as fast as possible
	Duration   time.Duration // length of the measured part
	Wait       time.Duration // for things to settle, and for what is left to go away
	Silence    time.Duration // how long a stream may stay silent, without even a comment
	Stalled    int           // clients that stop reading
	WithStream bool          // clients that come and go also open a stream
	End        string        // how streams are closed: fin, rst or silence
	// Order says which idle connection of the open loop gets the next request: last (the most
	// recently used) or turn.
	Order string

	Tool       string // a tool that answers at once
	Args       string // its arguments, a JSON object
	SlowTool   string // a tool that takes seconds
	SlowArgs   string
	ChangeTool string // a tool that changes the list of tools
	ChangeArgs string
	ChangeURL  string // POSTing here makes the change, instead of calling ChangeTool
	ChangeBody string // content of that POST
	Event      string // what the event of a change contains; its method by default

	LargeBytes int    // size of a large answer
	Health     string // path that answers health checks; empty: a cheap MCP request is used
}

// opening returns how long it takes to open the streams at OpenRate; 0 if they are opened as fast
// as possible.
func (p *Params) opening() time.Duration {
	if p.OpenRate <= 0 {
		return 0
	}
	return time.Duration(float64(p.Streams) / p.OpenRate * float64(time.Second))
}

// fill gives p the values of d where it has none of its own.
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

// ParamNames returns the names of all parameters, as scenarios list them and as the flags are
// spelled.
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

// list returns the params that a scenario uses, for its result.
func (p *Params) list(uses []string) []result.Param {
	all := p.values()
	var out []result.Param
	for _, name := range uses {
		v, ok := all[name]
		if !ok {
			panic(fmt.Sprintf("bench: no parameter %q", name))
		}
		if name == "order" && v == lastFirst {
			continue // documents from before the choice existed mean the same and do not contain it
		}
		out = append(out, result.Param{Name: name, Value: v})
	}
	return out
}

func perSecond(rate float64) string {
	if rate == 0 {
		return "as fast as possible"
	}
	return strconv.FormatFloat(rate, 'g', -1, 64) + "/s"
}
