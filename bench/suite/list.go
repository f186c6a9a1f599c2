package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/result"
)

// A Server is one server of a list. In Args, URL, Health and Change.URL, {port} stands for a free
// port of 127.0.0.1. Command and the files that Args name are relative to the directory that
// Options names.
type Server struct {
	Name    string   `json:"name"`  // its name in options and files
	Label   string   `json:"label"` // its name in tables and charts
	Kind    string   `json:"kind"`  // mooring, mcp or floor, as in a result.Server
	Build   string   `json:"build"` // how to build Command
	Command string   `json:"command"`
	Args    []string `json:"args"`
	Env     []string `json:"env,omitempty"` // KEY=value
	URL     string   `json:"url"`
	Health  string   `json:"health"` // answers GET with 200 as soon as the server is ready

	Eras      []string            `json:"eras"`
	Scenarios map[string][]string `json:"scenarios"` // those that apply to it, and in which eras

	Tools     []string `json:"tools,omitempty"`
	Change    Change   `json:"change"`
	SlowCall  *Call    `json:"slowCall,omitempty"`
	LargeCall *Call    `json:"largeCall,omitempty"`
	Notes     string   `json:"notes"` // how it is configured
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

// maxList limits the size of a list, in bytes.
const maxList = 1 << 20

// ReadList reads a list of servers: {"peers":[…]}.
func ReadList(name string) ([]Server, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("suite: %w", err)
	}
	defer f.Close()
	var file struct {
		Peers []Server `json:"peers"`
	}
	d := json.NewDecoder(io.LimitReader(f, maxList))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("suite: %s: %w", name, err)
	}
	seen := map[string]bool{}
	for i := range file.Peers {
		s := &file.Peers[i]
		if err := s.validate(); err != nil {
			return nil, fmt.Errorf("suite: %s: server %d: %w", name, i+1, err)
		}
		if seen[s.Name] {
			return nil, fmt.Errorf("suite: %s: there are two servers %q", name, s.Name)
		}
		seen[s.Name] = true
	}
	if len(file.Peers) == 0 {
		return nil, fmt.Errorf("suite: %s: no servers", name)
	}
	return file.Peers, nil
}

func (s *Server) validate() error {
	if s.Name == "" || s.Command == "" || s.URL == "" || s.Health == "" {
		return errors.New("name, command, url and health are required")
	}
	if !strings.Contains(s.URL, "{port}") || !strings.Contains(s.Health, "{port}") {
		return fmt.Errorf("%s: url and health must contain {port}", s.Name)
	}
	if !result.IsKind(s.Kind) {
		return fmt.Errorf("%s: kind %q is not one of mooring, mcp, floor", s.Name, s.Kind)
	}
	for name, eras := range s.Scenarios {
		if bench.Find(name) == nil {
			return fmt.Errorf("%s: there is no scenario %q", s.Name, name)
		}
		for _, era := range eras {
			if !slices.Contains(measuredEras, era) {
				return fmt.Errorf("%s: scenario %s: era %q is not one of %s", s.Name, name, era, strings.Join(measuredEras, ", "))
			}
		}
	}
	return nil
}

// measuredEras are the eras of a list, in the order in which they are measured.
var measuredEras = []string{"modern", "legacy", "plain"}

// at returns s with port in place of {port}.
func (s Server) at(port string) Server {
	put := strings.NewReplacer("{port}", port).Replace
	args := make([]string, len(s.Args))
	for i, arg := range s.Args {
		args[i] = put(arg)
	}
	s.Args, s.URL, s.Health, s.Change.URL = args, put(s.URL), put(s.Health), put(s.Change.URL)
	return s
}

// params returns p with what the list says about s.
func (s *Server) params(p bench.Params) bench.Params {
	if s.Change.Tool != "" {
		p.ChangeTool = s.Change.Tool
	}
	p.ChangeURL, p.ChangeBody = s.Change.URL, s.Change.Body
	if s.SlowCall != nil {
		p.SlowTool, p.SlowArgs = s.SlowCall.Tool, string(s.SlowCall.Arguments)
	}
	if _, path, ok := strings.Cut(strings.TrimPrefix(s.Health, "http://"), "/"); ok {
		p.Health = "/" + path
	}
	return p
}
