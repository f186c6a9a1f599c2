package mcptest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

// A dock is a Backend that asks for a name, and greets whoever has it.
type dock struct{ cancelled chan error }

func (d *dock) Start(f *mcp.Forward) {
	if f.InputResponses() == nil {
		go f.Ask([]mcp.Ask{{Key: "n", Method: "elicitation/create", Params: []byte(
			`{"mode":"form","message":"name?","requestedSchema":{"type":"object","properties":{"n":{"type":"string"}}}}`)}}, []byte("s"))
		return
	}
	if state, _ := f.State(); state != "s" {
		go f.Unavailable("the state is " + state)
		return
	}
	go f.Result([]byte(`{"content":[{"type":"text","text":"ahoy"}],"structuredContent":{"ok":true}}`))
}

func (d *dock) Cancel(f *mcp.Forward, cause error) {
	d.cancelled <- cause
	f.Unavailable("cancelled")
}

func newDock(t *testing.T) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "dock", Version: "1"}, nil)
	t.Cleanup(s.Close)
	errs := s.Replace("up", &mcp.Forwarded{Backend: &dock{make(chan error, 1)}, Tools: []mcp.ForwardedFeature{{Name: "up__t", Raw: []byte(
		`{"name":"t","inputSchema":{"type":"object"}}`)}}})
	if errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	return s
}

// Tools of an upstream are called as any others: in-process, in every revision that can ask, and
// over the handler for net/http.
func TestForwardedTool(t *testing.T) {
	s := newDock(t)
	answer := func(context.Context, string, mcp.InputRequest) (mcp.InputResponse, error) {
		return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"n": "x"}}, nil
	}
	for _, rev := range []string{"2026-07-28", "2025-11-25", "2025-06-18"} {
		c := &mcptest.Client{ProtocolVersion: rev, Answer: answer, Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}}}
		res, out, err := mcptest.Call[struct{ OK bool }](t.Context(), s, "up__t", nil, c)
		if err != nil || res.IsError || !out.OK {
			t.Errorf("%s: %+v, %v, %v", rev, res, out, err)
		}
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"n": "x"}}, nil
		},
	})
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	ss, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: "http://dock/mcp", HTTPClient: &http.Client{Transport: mcptest.RoundTripper(t, s, nil)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ss.Close()
	res, err := ss.CallTool(ctx, &mcp.CallToolParams{Name: "up__t"})
	if err != nil || len(res.Content) != 1 || res.Content[0].(*mcp.TextContent).Text != "ahoy" {
		t.Errorf("over HTTP: %+v, %v", res, err)
	}
}
