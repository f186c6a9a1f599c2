package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// Handlers on workers and middleware may keep the arguments of a call: no later message is written
// into their memory, whatever way the call has come.
func TestArgumentsAreKept(t *testing.T) {
	r := newPort(t, nil)
	var mu sync.Mutex
	kept := make(map[string]json.RawMessage)
	keep := func(by string, args json.RawMessage) {
		mu.Lock()
		defer mu.Unlock()
		kept[by+string(args)] = args
	}
	r.ms.AddTool(&mcp.Tool{Name: "keep", InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		keep("handler", req.Params.Arguments)
		return nil, nil
	})
	r.ms.AddReceivingMiddlewareFor([]string{"tools/call"}, func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if params, ok := req.GetParams().(*mcp.CallToolParamsRaw); ok {
				keep("middleware", params.Arguments)
			}
			return next(ctx, method, req)
		}
	})
	const calls = 8
	id := r.initialize("2025-11-25").id
	p := r.connect()
	for i := range calls {
		args := fmt.Sprintf(`{"text":"call %d %s"}`, i, strings.Repeat("x", 40))
		small := callTool("keep", args)
		p.exchange("a call", small.String())
		p.exchange("an inline tool behind middleware", addCall(i, i).String())
		p.exchange("a long call", callTool("keep", args[:len(args)-1]+`,"long":true}`).big().String())
		p.exchange("a call of a session", post(id, "2025-11-25", fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"keep","arguments":{"session":%d}}}`, i, i)))
	}
	mu.Lock()
	defer mu.Unlock()
	if len(kept) != 7*calls {
		t.Errorf("%d arguments were seen, want %d", len(kept), 7*calls)
	}
	for key, args := range kept {
		if !strings.HasSuffix(key, string(args)) {
			t.Errorf("%s became %s", key, args)
		}
	}
}
