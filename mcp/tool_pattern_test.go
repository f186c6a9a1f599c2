package mcp

import (
	"encoding/json"
	"strings"
	"testing"
)

// A pattern is published as it was written. AddTool refuses one that cannot be checked, unless the
// host has chosen to publish it without enforcing it.
func TestToolPatterns(t *testing.T) {
	input := func(pattern string) json.RawMessage {
		return json.RawMessage(`{"type":"object","properties":{"text":{"type":"string","pattern":"` + pattern + `"}}}`)
	}
	const han, look = `^[\\u4e00-\\u9fa5]+$`, `^(?!no).*$`
	add := func(s *Server, pattern string) (refused any) {
		defer func() { refused = recover() }()
		AddTool(s, &Tool{Name: "pattern", InputSchema: input(pattern)}, echo)
		return nil
	}
	s := newTestServer(t, nil)
	if refused := add(s, look); refused == nil || !strings.Contains(refused.(string), "look-ahead") {
		t.Errorf("a pattern with look-ahead: %v", refused)
	}
	if refused := add(s, han); refused != nil {
		t.Fatal(refused)
	}
	c := newClient(t, s)
	c.call("tools/list", "").wantResult("published", han)
	if got := c.call("tools/call", `"name":"pattern","arguments":{"text":"船"}`).body; strings.Contains(got, `"isError"`) {
		t.Errorf("what matches is refused: %s", got)
	}
	if got := c.call("tools/call", `"name":"pattern","arguments":{"text":"ship"}`).body; !strings.Contains(got, `"isError":true`) {
		t.Errorf("what does not match passes: %s", got)
	}
	s = newTestServer(t, &ServerOptions{UncheckedPatterns: true})
	if refused := add(s, look); refused != nil {
		t.Fatal(refused)
	}
	c = newClient(t, s)
	c.call("tools/list", "").wantResult("published", look)
	if got := c.call("tools/call", `"name":"pattern","arguments":{"text":"no"}`).body; strings.Contains(got, `"isError"`) {
		t.Errorf("a pattern that cannot be checked is enforced: %s", got)
	}
}
