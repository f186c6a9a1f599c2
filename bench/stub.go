package bench

import (
	"runtime"
	"time"

	"github.com/mooring-mcp/mooring/bench/observe"
	"github.com/mooring-mcp/mooring/bench/result"
)

// Stub returns the result of a scenario that could not be started because of err. It is what Run
// would return, without what only the server could report. Use it for a server that does not start,
// so that it still appears next to the others, on the same machine with the same inputs.
func Stub(o Options, s *Scenario, err error) *result.Run {
	p := o.Params
	p.fill(&s.Defaults)
	p.fill(&defaults)
	if s.adapt != nil {
		s.adapt(&p)
	}
	now := time.Now().UTC()
	return &result.Run{
		Format: result.Format, Tool: result.Tool{Version: version(), Go: runtime.Version()}, Began: now, Command: o.Command, Machine: observe.Machine(),
		Server:    result.Server{Label: o.Label, URL: o.URL, Era: o.Era.String(), Notes: o.Notes},
		Scenarios: []result.Scenario{{Name: s.Name, Title: s.Title, Params: p.list(s.Uses), Began: now, Figures: []result.Figure{}, Error: err.Error()}},
	}
}
