package mcp

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"testing"

	"github.com/mooring-mcp/mooring/auth"
)

// errSeen ends the handlers of this file, which have seen what they want.
var errSeen = errors.New("seen")

// newExtraServer returns a server whose handlers leave the RequestExtra they get in got.
func newExtraServer(t *testing.T, got **RequestExtra) *Server {
	s := newTestServer(t, &ServerOptions{CompletionHandler: func(_ context.Context, r *CompleteRequest) (*CompleteResult, error) {
		*got = r.Extra
		return nil, errSeen
	}})
	AddInlineTool(s, &Tool{Name: "inline"}, func(r *CallToolRequest, _ struct{}) (any, error) {
		copied := *r.Extra // the request of an inline tool is used again
		*got = &copied
		return nil, errSeen
	})
	AddTool(s, &Tool{Name: "worker"}, func(_ context.Context, r *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		*got = r.Extra
		return nil, nil, errSeen
	})
	s.AddResource(&Resource{URI: "test://r", Name: "r"}, func(_ context.Context, r *ReadResourceRequest) (*ReadResourceResult, error) {
		*got = r.Extra
		return nil, errSeen
	})
	s.AddPrompt(&Prompt{Name: "p"}, func(_ context.Context, r *GetPromptRequest) (*GetPromptResult, error) {
		*got = r.Extra
		return nil, errSeen
	})
	return s
}

// What a transport knows of a request reaches the handler of every method, and middleware.
func TestRequestExtra(t *testing.T) {
	header := http.Header{"X-Tenant": {"t"}}
	token := &auth.TokenInfo{UserID: "ada"}
	peer := netip.MustParseAddrPort("192.0.2.1:4711")
	asks := []struct{ method, members string }{
		{"tools/call", `"name":"inline"`},
		{"tools/call", `"name":"worker"`},
		{"resources/read", `"uri":"test://r"`},
		{"prompts/get", `"name":"p"`},
		{"completion/complete", `"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}`},
	}
	lists := []struct{ method, members string }{
		{"tools/list", ""}, {"prompts/list", ""}, {"resources/list", ""}, {"resources/templates/list", ""},
	}
	for _, wrapped := range []bool{false, true} {
		var got *RequestExtra
		s := newExtraServer(t, &got)
		if wrapped {
			asks = append(asks, lists...)
			s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
				return func(ctx context.Context, method string, r Request) (Result, error) {
					got = r.GetExtra()
					return next(ctx, method, r)
				}
			})
		}
		for _, c := range []*client{newClient(t, s), newLegacyClient(t, s, "2025-11-25", `{}`)} {
			for _, tt := range asks {
				got = nil
				c.callHTTP(tt.method, tt.members, &RequestMeta{Header: header, TokenInfo: token, RemoteAddr: peer})
				if got == nil || got.Header.Get("X-Tenant") != "t" || got.TokenInfo != token || got.RemoteAddr != peer {
					t.Errorf("%s %s, middleware %t: handler got %+v", tt.method, tt.members, wrapped, got)
				}
				c.call(tt.method, tt.members)
				if got.Header != nil || got.TokenInfo != nil || got.RemoteAddr.IsValid() {
					t.Errorf("%s %s, middleware %t: handler got %+v of nothing", tt.method, tt.members, wrapped, got)
				}
			}
		}
	}
}

// A Call that is used again knows nothing of the request before.
func TestRequestExtraIsForgotten(t *testing.T) {
	var got *RequestExtra
	s := newExtraServer(t, &got)
	m, meta := hotMessage(t, "tools/call", "inline", hotMeta+`,"name":"inline"`)
	var c Call
	var w discard
	meta.Header, meta.TokenInfo = http.Header{"A": {"b"}}, new(auth.TokenInfo)
	answerHot(t, s, &c, m, meta, &w)
	if got.Header == nil || got.TokenInfo == nil {
		t.Fatalf("got %+v", got)
	}
	meta.Header, meta.TokenInfo = nil, nil
	answerHot(t, s, &c, m, meta, &w)
	if got.Header != nil || got.TokenInfo != nil {
		t.Errorf("got %+v of the request before", got)
	}
}

// Header fields, a token and an address cost no allocation.
func TestRequestExtraAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newTestServer(t, nil)
	m, meta := hotMessage(t, hotCases[0].method, hotCases[0].target, hotCases[0].params)
	meta.Header, meta.TokenInfo = http.Header{"A": {"b"}}, new(auth.TokenInfo)
	meta.RemoteAddr = netip.MustParseAddrPort("[2001:db8::1]:80")
	var c Call
	var w discard
	if got := testing.AllocsPerRun(1000, func() { answerHot(t, s, &c, m, meta, &w) }); got > hotCases[0].allocs {
		t.Errorf("%v allocations, want %v", got, hotCases[0].allocs)
	}
}
