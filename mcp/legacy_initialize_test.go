package mcp

import (
	"testing"
)

// The agreed revision is the one that the client asked for if it is served, and otherwise the
// newest one with sessions.
func TestInitialize(t *testing.T) {
	s := newTestServer(t, nil)
	for _, tt := range []struct{ asked, want string }{
		{"2025-11-25", "2025-11-25"}, {"2025-06-18", "2025-06-18"}, {"2025-03-26", "2025-03-26"}, {"2024-11-05", "2024-11-05"},
		{"2026-07-28", "2025-11-25"}, {"2099-01-01", "2025-11-25"}, {"1.0", "2025-11-25"}, {"", "2025-11-25"},
	} {
		a := newClient(t, s).initialize(tt.asked, `{}`)
		a.wantResult(tt.asked, `"protocolVersion":"`+tt.want+`"`, `"id":"init"`)
		if a.kind != CallInitialize || !a.inline || a.opened.Revision != tt.want || a.opened.ClientName != "tester" {
			t.Errorf("%s: kind %d, inline %v, %+v", tt.asked, a.kind, a.inline, a.opened)
		}
	}
	c := newClient(t, s)
	const info = `"clientInfo":{"name":"n","version":"v"}`
	for params, status := range map[string]int{
		`{}`: 200,
		`{"protocolVersion":7,"capabilities":{},` + info + `}`:                                 200,
		`{"protocolVersion":"2025-11-25",` + info + `}`:                                        200,
		`{"protocolVersion":"2025-11-25","capabilities":[],` + info + `}`:                      200,
		`{"protocolVersion":"2025-11-25","capabilities":{"sampling":1},` + info + `}`:          200,
		`{"protocolVersion":"2025-11-25","capabilities":{}}`:                                   200,
		`{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"version":"v"}}`:      200,
		`{"protocolVersion":"2025-11-25","capabilities":{},"_meta":[],` + info + `}`:           200,
		`{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":[]}`:                   200,
		`{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":7}}`:           200,
		`{"protocolVersion":"2025-11-25","capabilities":null,"clientInfo":{"name":"n"},"x":1}`: 200,
	} {
		c.send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":`+params+`}`, nil).wantError(params, -32602, status)
	}
}

// A session has only capabilities of its revision.
func TestAgreedCapabilities(t *testing.T) {
	const roots, sampling = CapabilityRoots | CapabilityRootsListChanged, CapabilitySampling
	const form = CapabilityElicitation | CapabilityElicitationForm
	for _, tt := range []struct {
		rev, caps string
		want      CapabilityBits
	}{
		{"2025-11-25", `{}`, 0},
		{"2025-11-25", `{"roots":{},"experimental":{"x":{}}}`, CapabilityRoots},
		{"2025-11-25", `{"roots":{"listChanged":true},"sampling":{"tools":{},"context":{}}}`, roots | sampling | CapabilitySamplingTools | CapabilitySamplingContext},
		{"2025-11-25", `{"elicitation":{}}`, form},
		{"2025-11-25", `{"elicitation":{"form":{},"url":{}}}`, form | CapabilityElicitationURL},
		{"2025-11-25", `{"elicitation":{"url":{}}}`, CapabilityElicitation | CapabilityElicitationURL},
		{"2025-06-18", `{"elicitation":{"url":{}},"sampling":{"tools":{}}}`, form | sampling},
		{"2025-03-26", `{"elicitation":{},"sampling":{}}`, sampling},
		{"2024-11-05", `{"elicitation":{},"roots":{"listChanged":true}}`, roots},
	} {
		c := newLegacyClient(t, newTestServer(t, nil), tt.rev, tt.caps)
		if got := c.session.Capabilities; got != tt.want {
			t.Errorf("%s at %s: %b, want %b", tt.caps, tt.rev, got, tt.want)
		}
	}
}

// initialize declares the features of the time when it is called.
func TestInitializeSeesChanges(t *testing.T) {
	s := NewServer(&Implementation{Name: "n", Version: "v"}, nil)
	c := newClient(t, s)
	c.initialize("2025-06-18", `{}`).wantResult("nothing", `"capabilities":{"logging":{}}`)
	AddInlineTool(s, &Tool{Name: "add"}, add)
	c.initialize("2025-06-18", `{}`).wantResult("a tool", `"tools":{"listChanged":true}`)
}
