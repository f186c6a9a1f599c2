package peers

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed peers.json
var list []byte

// A Peer is a server to be measured. In Args, URL, Health and Change.URL the placeholder {port}
// stands for a free port of 127.0.0.1. Command and Args name files relative to the root of the
// repository.
type Peer struct {
	Name  string `json:"name"`  // its name in options and files
	Label string `json:"label"` // its name in tables and charts
	// Kind is mooring, mcp (another project's server), or floor (fixed answers: a lower bound, not
	// a finished server).
	Kind    string   `json:"kind"`
	Build   string   `json:"build"` // how to build Command, in the root of the repository
	Command string   `json:"command"`
	Args    []string `json:"args"`
	Env     []string `json:"env,omitempty"` // KEY=value, added to the environment
	URL     string   `json:"url"`
	Health  string   `json:"health"` // answers GET with 200 as soon as the peer is ready

	// Eras are the eras of the protocol that it serves: modern (2026-07-28), legacy (a session and
	// a GET stream), legacy-stateless (earlier revisions without session and stream), plain (event
	// streams that are not MCP).
	Eras []string `json:"eras"`

	// Scenarios are those of the suite that apply to this peer, and in which eras.
	Scenarios map[string][]string `json:"scenarios"`

	Tools     []string `json:"tools,omitempty"`
	Change    Change   `json:"change"`              // what makes it notify every stream of a change
	SlowCall  *Call    `json:"slowCall,omitempty"`  // a call that takes about three seconds
	LargeCall *Call    `json:"largeCall,omitempty"` // a call whose answer has about a mebibyte
	// Notes say for the report how it is configured, and on whose advice.
	Notes string `json:"notes"`
}

// Change is a call of a tool, or a POST of Body to URL.
type Change struct {
	Tool string `json:"tool,omitempty"`
	URL  string `json:"url,omitempty"`
	Body string `json:"body,omitempty"`
}

// Call is a call of a tool.
type Call struct {
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

// List returns the peers in the order of peers.json.
func List() ([]Peer, error) {
	var file struct {
		Peers []Peer `json:"peers"`
	}
	d := json.NewDecoder(bytes.NewReader(list))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("peers: peers.json: %w", err)
	}
	return file.Peers, nil
}

// At returns p with port in place of {port}.
func (p Peer) At(port int) Peer {
	put := strings.NewReplacer("{port}", fmt.Sprint(port)).Replace
	args := make([]string, len(p.Args))
	for i, arg := range p.Args {
		args[i] = put(arg)
	}
	p.Args, p.URL, p.Health, p.Change.URL = args, put(p.URL), put(p.Health), put(p.Change.URL)
	return p
}
