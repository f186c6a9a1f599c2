package peers

import (
	"slices"
	"strings"
	"testing"
)

// TestList checks what readers of peers.json rely on.
func TestList(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 9 {
		t.Fatalf("%d peers, want Mooring, five MCP servers and three floors at least", len(list))
	}
	scenarios := []string{"idle", "churn", "storm", "fanout", "call", "slow", "drain", "mixed", "hostile"}
	eras := []string{"modern", "legacy", "legacy-stateless", "plain"}
	names, labels := map[string]bool{}, map[string]bool{}
	for _, p := range list {
		if names[p.Name] || labels[p.Label] || p.Name == "" || p.Label == "" {
			t.Errorf("%s (%s): the name or the label is empty or taken", p.Name, p.Label)
		}
		names[p.Name], labels[p.Label] = true, true
		if !slices.Contains([]string{"mooring", "mcp", "floor"}, p.Kind) {
			t.Errorf("%s: kind %q", p.Name, p.Kind)
		}
		if p.Command == "" || p.Build == "" || len(p.Notes) < 80 {
			t.Errorf("%s: command %q, build %q, %d bytes of notes", p.Name, p.Command, p.Build, len(p.Notes))
		}
		if len(p.Eras) == 0 || len(p.Scenarios) == 0 {
			t.Errorf("%s: serves no era or is in no scenario", p.Name)
		}
		for _, era := range p.Eras {
			if !slices.Contains(eras, era) {
				t.Errorf("%s: era %q", p.Name, era)
			}
		}
		for name, in := range p.Scenarios {
			if !slices.Contains(scenarios, name) {
				t.Errorf("%s: scenario %q", p.Name, name)
			}
			for _, era := range in {
				if !slices.Contains(p.Eras, era) {
					t.Errorf("%s: scenario %s in era %s, which it does not serve", p.Name, name, era)
				}
			}
		}
		if p.Change.Tool == "" && (p.Change.URL == "" || p.Change.Body == "") {
			t.Errorf("%s: nothing makes it notify its streams", p.Name)
		}
		for _, call := range []*Call{p.SlowCall, p.LargeCall} {
			if call != nil && !slices.Contains(p.Tools, call.Tool) {
				t.Errorf("%s: calls %s, which it does not have", p.Name, call.Tool)
			}
		}
		at := p.At(4711)
		if !strings.Contains(at.URL, ":4711/") || !strings.Contains(at.Health, ":4711/") || !slices.Contains(at.Args, "127.0.0.1:4711") {
			t.Errorf("%s: the port is not in %v", p.Name, at)
		}
		if !slices.Contains(p.Args, "127.0.0.1:{port}") {
			t.Errorf("%s: At changed the peer itself", p.Name)
		}
	}
}
