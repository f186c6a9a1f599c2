package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Requests that no server serves work in tests of handlers, with no session or with an empty one.
func TestRequestsWithoutServer(t *testing.T) {
	for name, req := range map[string]*CallToolRequest{
		"params alone":     {Params: &CallToolParamsRaw{Name: "n", Arguments: json.RawMessage(`{}`)}},
		"an empty session": {Session: new(ServerSession), Params: new(CallToolParamsRaw), Extra: new(RequestExtra)},
		"nothing":          {},
	} {
		t.Run(name, func(t *testing.T) {
			if err := errors.Join(req.Progress(1, 2, "m"), req.Log(LevelError, "l", "x")); err != nil {
				t.Error(err)
			}
			req.CloseSSEStream(CloseSSEStreamArgs{})
			if caps := req.ClientCapabilities(); caps == nil || caps.Sampling != nil {
				t.Errorf("capabilities %+v", caps)
			}
			if req.ClientInfo() != nil || req.ProtocolVersion() != "" || req.GetExtra() != req.Extra {
				t.Errorf("client %v, version %q", req.ClientInfo(), req.ProtocolVersion())
			}
			if got, ok := req.GetParams().(*CallToolParamsRaw); !ok || got != req.Params {
				t.Errorf("params %v", req.GetParams())
			}
			ss, ok := req.GetSession().(*ServerSession)
			if !ok || ss != req.Session || req.GetSession().ID() != "" {
				t.Errorf("session %v", req.GetSession())
			}
			ctx := context.Background()
			err := errors.Join(ss.Log(ctx, &LoggingMessageParams{Level: LevelError}), ss.NotifyProgress(ctx, &ProgressNotificationParams{}),
				ss.Wait(), ss.Close())
			if err != nil || ss.InitializeParams() != nil {
				t.Errorf("%v, %+v", err, ss.InitializeParams())
			}
			ss.CloseSSEStream(CloseSSEStreamArgs{})
			for method, ask := range map[string]func() error{
				"elicit": func() error { _, err := ss.Elicit(ctx, &ElicitParams{Message: "m"}); return err },
				"sample": func() error { _, err := ss.CreateMessage(ctx, nil); return err },
				"tools":  func() error { _, err := ss.CreateMessageWithTools(ctx, nil); return err },
				"roots":  func() error { _, err := ss.ListRoots(ctx, nil); return err },
				"ping":   func() error { return ss.Ping(ctx, nil) },
			} {
				if ask() == nil {
					t.Errorf("%s: nobody was asked, and there is no error", method)
				}
			}
			if err := ss.NotifyElicitationComplete(ctx, &ElicitationCompleteParams{ElicitationID: "e"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A test may say in the metadata who calls, as values or as they come from JSON.
func TestClaimsInMetadata(t *testing.T) {
	info := &Implementation{Name: "n", Version: "v"}
	caps := &ClientCapabilities{Elicitation: &ElicitationCapabilities{}}
	for name, meta := range map[string]Meta{
		"values": {MetaKeyProtocolVersion: modern, MetaKeyClientInfo: info, MetaKeyClientCapabilities: caps},
		"JSON": {MetaKeyProtocolVersion: modern, MetaKeyClientInfo: map[string]any{"name": "n", "version": "v"},
			MetaKeyClientCapabilities: map[string]any{"elicitation": map[string]any{}}},
	} {
		req := &GetPromptRequest{Params: &GetPromptParams{Meta: meta}}
		if req.ProtocolVersion() != modern || !cmp.Equal(req.ClientInfo(), info) || !cmp.Equal(req.ClientCapabilities(), caps) {
			t.Errorf("%s: %q, %+v, %+v", name, req.ProtocolVersion(), req.ClientInfo(), req.ClientCapabilities())
		}
	}
	bad := &GetPromptRequest{Params: &GetPromptParams{Meta: Meta{MetaKeyProtocolVersion: 7, MetaKeyClientInfo: 7, MetaKeyClientCapabilities: func() {}}}}
	if bad.ProtocolVersion() != "" || bad.ClientInfo() != nil || !cmp.Equal(bad.ClientCapabilities(), new(ClientCapabilities)) {
		t.Errorf("%q, %+v, %+v", bad.ProtocolVersion(), bad.ClientInfo(), bad.ClientCapabilities())
	}
}

// A request that middleware has made needs the session, and nothing else.
func TestMiddlewareMakesRequests(t *testing.T) {
	s := newTestServer(t, nil)
	s.AddResourceTemplate(&ResourceTemplate{URITemplate: "test://{id}"}, func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Contents: []*ResourceContents{{Text: req.Extra.Variables["id"]}}}, nil
	})
	var session *ServerSession
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			if session = req.GetSession().(*ServerSession); req.GetParams().(*ReadResourceParams).URI == "test://lost" {
				session = nil
			}
			return next(ctx, method, &ReadResourceRequest{Session: session, Params: &ReadResourceParams{URI: "test://made"}})
		}
	})
	c := newClient(t, s)
	c.call("resources/read", `"uri":"test://x"`).wantResult("made", `"text":"made"`)
	c.call("resources/read", `"uri":"test://lost"`).wantError("lost", -32603, 200, "without its session")
}
