package mcptest_test

import (
	"context"
	"testing"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

func TestRequest(t *testing.T) {
	for _, era := range eras[:2] {
		c := &mcptest.Client{
			ProtocolVersion: era,
			Capabilities:    &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{}},
			TokenInfo:       &auth.TokenInfo{UserID: "ann"},
		}
		var req *mcp.CallToolRequest
		t.Run(era, func(t *testing.T) {
			req = mcptest.Request(t, "greet", map[string]any{"name": "you"}, c)
			if req.Params.Name != "greet" || string(req.Params.Arguments) != `{"name":"you"}` {
				t.Errorf("params %+v", req.Params)
			}
			if req.Extra.TokenInfo.UserID != "ann" || req.Extra.Principal != "ann" || req.ProtocolVersion() != era {
				t.Errorf("asked by %+v at %s", req.Extra, req.ProtocolVersion())
			}
			if req.ClientCapabilities().Elicitation == nil || req.ClientInfo().Name != "mcptest" {
				t.Error("the client is not the one of the test")
			}
			if err := req.Progress(1, 3, "one"); err != nil {
				t.Error(err)
			}
			if err := req.Session.Log(context.Background(), &mcp.LoggingMessageParams{Level: "debug", Data: "x"}); err != nil {
				t.Error(err)
			}
			if len(c.Progress()) != 1 || len(c.Logs()) != 1 {
				t.Errorf("recorded %v and %v", c.Progress(), c.Logs())
			}
		})
		// The test is over, and with it the request.
		if _ = req.Progress(2, 3, "two"); len(c.Progress()) != 1 {
			t.Error("progress of a request that is over")
		}
	}
}

func TestRequestWithoutClient(t *testing.T) {
	req := mcptest.Request(t, "greet", nil)
	if req.Params.Arguments != nil || req.ClientInfo().Name != "mcptest" || req.ProtocolVersion() != "2026-07-28" {
		t.Errorf("%+v", req.Params)
	}
	if err := req.Progress(1, 1, ""); err != nil {
		t.Error(err)
	}
}
