package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// On net/http, Visible sees what the middleware around the handler has put into the context, and
// the header fields.
func TestVisibleOnNetHTTP(t *testing.T) {
	for _, inline := range []bool{false, true} {
		m := mcp.NewServer(&mcp.Implementation{Name: "n", Version: "1"}, &mcp.ServerOptions{
			VisibleInline: inline,
			Visible: func(ctx context.Context, caller *mcp.Caller, _ mcp.FeatureKind, name string) bool {
				return name == ctx.Value(ctxKey{}) && caller.Header.Get("X-Tenant") == "acme"
			},
		})
		t.Cleanup(m.Close)
		for _, name := range []string{"mine", "theirs"} {
			mcp.AddInlineTool(m, &mcp.Tool{Name: name}, func(*mcp.CallToolRequest, struct{}) (any, error) { return nil, nil })
		}
		h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return m }, &server.StreamableHTTPOptions{Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_ = h.Shutdown(ctx)
		})
		for tenant, want := range map[string]string{"acme": `"name":"mine"}],"ttlMs"`, "other": `"tools":[]`} {
			r := post("tools/list", "", "")
			r.Header.Set("X-Tenant", tenant)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ctxKey{}, "mine")))
			if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, want) || strings.Contains(body, "theirs") {
				t.Errorf("inline %v, %s: %d %s", inline, tenant, w.Code, body)
			}
		}
	}
}
