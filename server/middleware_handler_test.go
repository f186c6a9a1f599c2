package server_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// On net/http, middleware decides about an initialize before its session has an ID.
func TestMiddlewareOnNetHTTP(t *testing.T) {
	h, m := newHandler(t, nil)
	refuse := true
	m.AddReceivingMiddlewareFor([]string{"initialize"}, func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method != "initialize" || ctx.Value(ctxKey{}) != "value" {
				t.Errorf("saw %s with the value %v", method, ctx.Value(ctxKey{}))
			}
			if refuse {
				return nil, errors.New("not today")
			}
			return next(ctx, method, req)
		}
	})
	const body = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"n","version":"1"}}}`
	for _, refuse = range []bool{true, false} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ctxKey{}, "value")))
		if refused := strings.Contains(w.Body.String(), "not today"); w.Code != 200 || refused != refuse || (w.Header().Get("Mcp-Session-Id") == "") != refuse {
			t.Errorf("refuse %v: %d %v %s", refuse, w.Code, w.Header(), w.Body)
		}
	}
}
