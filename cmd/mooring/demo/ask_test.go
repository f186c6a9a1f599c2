package demo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// An asker is the Sink of a transport that can send questions to clients of earlier revisions.
type asker struct {
	recorder
	asks []mcp.Ask
}

func (a *asker) Request(asks []mcp.Ask) bool {
	a.asks = asks
	return true
}

// TestAsk checks that the tool asks in every revision in which a server can ask, in the way of that
// revision.
func TestAsk(t *testing.T) {
	c := newClient(t)
	const caps = `"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}`
	modern := func(more string) string {
		t.Helper()
		var m jsonrpc.Envelope
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":%q,%s},"name":"ask"%s}}`, revision, caps, more)
		if err := m.Decode([]byte(body)); err != nil {
			t.Fatal(err)
		}
		var call mcp.Call
		if e := c.s.Prepare(&call, &m, nil); e != nil {
			t.Fatal(e)
		}
		r := new(recorder)
		call.Run(context.Background(), r)
		c.check.Message(t, revision, "tools/call", []byte(r.last))
		return r.last
	}
	answers := map[string]string{
		`{"action":"accept","content":{"name":"Vega","berth":"south"}}`: "Vega moors at the south quay.",
		`{"action":"accept","content":{"name":"Vega","berth":null}}`:    "Vega moors at the north quay.",
		// the call fails, or the tool shows the form again
		`{"action":"accept","content":{"name":"Vega","berth":7}}`: "berth",
		`{"action":"accept","content":{"berth":"south"}}`:         "name",
		`{"action":"decline"}`:                                    "The user did not answer.",
	}
	if got := modern(""); !strings.Contains(got, `"resultType":"input_required"`) || !strings.Contains(got, "Which ship") {
		t.Errorf("the tool asks with %s", got)
	}
	for answer, want := range answers {
		if got := modern(`,"inputResponses":{"ship":` + answer + `}`); !strings.Contains(got, want) {
			t.Errorf("%s: %s", answer, got)
		}
	}
	if got := c.call(context.Background(), "tools/call", `,"name":"ask"`); !strings.Contains(got.last, "cannot ask") {
		t.Errorf("a client that cannot ask its user: %s", got.last)
	}
	for _, rev := range []string{"2025-11-25", "2025-06-18"} {
		for answer, want := range answers {
			var m jsonrpc.Envelope
			if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","arguments":{"question":"Who?"}}}`)); err != nil {
				t.Fatal(err)
			}
			var call mcp.Call
			session := &mcp.SessionInfo{Revision: rev, Capabilities: mcp.CapabilityElicitation | mcp.CapabilityElicitationForm}
			if e := c.s.Prepare(&call, &m, &mcp.RequestMeta{Session: session}); e != nil {
				t.Fatal(e)
			}
			w := new(asker)
			call.Run(context.Background(), w)
			if !call.Asking() || len(w.asks) != 1 {
				t.Fatalf("%s: asked %d questions: %s", rev, len(w.asks), w.last)
			}
			ask := mcp.AppendAsk(nil, []byte("1"), &w.asks[0])
			c.check.Message(t, rev, "", ask)
			if !strings.Contains(string(ask), `"message":"Who?"`) {
				t.Errorf("%s: asked %s", rev, ask)
			}
			call.Resume(context.Background(), w, []byte(`{"ship":`+answer+`}`))
			c.check.Message(t, rev, "tools/call", []byte(w.last))
			if !strings.Contains(w.last, want) {
				t.Errorf("%s, %s: %s", rev, answer, w.last)
			}
		}
	}
}
