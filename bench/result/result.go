package result

import "time"

// Format names the format of a Run. It changes when a reader of the old format would misread the
// new one.
const Format = "mooring-bench/1"

// A Run is one run of one or more scenarios against one server.
type Run struct {
	Format    string     `json:"format"`
	Tool      Tool       `json:"tool"`
	Began     time.Time  `json:"began"`
	Command   []string   `json:"command"` // as it was given, so that it can be repeated
	Machine   Machine    `json:"machine"`
	Server    Server     `json:"server"`
	Scenarios []Scenario `json:"scenarios"`
}

// Tool is the program that measured.
type Tool struct {
	Version string `json:"version"`
	Go      string `json:"go"`
}

// Machine is where the clients ran, and the server too if it has a PID.
type Machine struct {
	OS              string `json:"os"`
	Kernel          string `json:"kernel"`
	CPU             string `json:"cpu"`
	Cores           int    `json:"cores"`
	MemoryBytes     int64  `json:"memoryBytes"`
	DescriptorLimit int64  `json:"descriptorLimit"` // of a process
}

// Server is what was measured.
type Server struct {
	Label string `json:"label"` // the name of the server in tables and charts
	// Kind is mooring, mcp (another project), or floor (fixed answers: a lower bound, not a
	// finished server). Empty: unknown.
	Kind    string `json:"kind,omitempty"`
	URL     string `json:"url"`
	Name    string `json:"name,omitempty"` // as reported to its clients
	Version string `json:"version,omitempty"`
	// Era is modern or legacy, or plain for a server of event streams that does not speak MCP.
	Era      string `json:"era"`
	Revision string `json:"revision,omitempty"`
	// PID is 0 if the server is not on this machine or its process is unknown. Its process was then
	// not measured.
	PID     int    `json:"pid,omitempty"`
	Command string `json:"command,omitempty"` // of the process
	Notes   string `json:"notes,omitempty"`   // how it was configured, and on whose advice
}

// A Scenario is what one scenario found.
type Scenario struct {
	Name    string    `json:"name"`
	Title   string    `json:"title"`
	Params  []Param   `json:"params,omitempty"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"` // how long it took

	Figures       []Figure       `json:"figures"`
	Series        []Series       `json:"series,omitempty"`
	Distributions []Distribution `json:"distributions,omitempty"`

	Findings []Finding `json:"findings,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Error    string    `json:"error,omitempty"`   // why it was not finished
	Skipped  string    `json:"skipped,omitempty"` // why it was not started
}

// Param is an input of a scenario.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Figure is one number.
type Figure struct {
	// Name has lower-case letters, digits and underscores, and is unique in its scenario:
	// rss_per_stream.
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Unit   string  `json:"unit,omitempty"` // B, ms, s, µs, /s, %, count, or empty
	Value  float64 `json:"value"`
	Better string  `json:"better,omitempty"` // lower, higher, or empty if neither is
	Key    bool    `json:"key,omitempty"`    // one of the few that a comparison shows first
	// Client is the measuring side's own value of the same kind, to show whether it was the
	// bottleneck: its processor time, or its memory for a stream. Nil: does not apply.
	Client *float64 `json:"client,omitempty"`
}

// A Series is a value over time.
type Series struct {
	Name   string       `json:"name"`
	Title  string       `json:"title"`
	Unit   string       `json:"unit,omitempty"`
	Points [][2]float64 `json:"points"` // seconds since the scenario began, value
}

// A Distribution is how values spread.
type Distribution struct {
	Name      string       `json:"name"`
	Title     string       `json:"title"`
	Unit      string       `json:"unit"`
	Count     int64        `json:"count"`
	Quantiles [][2]float64 `json:"quantiles"` // percentile from 0 to 100, value; ascending
}

// A Finding is a fault of the server that a scenario has detected.
type Finding struct {
	Code string `json:"code"` // close_wait, sessions_kept, no_heartbeat, lost_results, …
	Text string `json:"text"` // one sentence, with the figures
}

// Figure returns the figure of that name, or nil.
func (s *Scenario) Figure(name string) *Figure {
	for i := range s.Figures {
		if s.Figures[i].Name == name {
			return &s.Figures[i]
		}
	}
	return nil
}

// Scenario returns the scenario of that name, or nil.
func (r *Run) Scenario(name string) *Scenario {
	for i := range r.Scenarios {
		if r.Scenarios[i].Name == name {
			return &r.Scenarios[i]
		}
	}
	return nil
}
