package auth_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/auth"
)

func TestProtectedResourceMetadataHandler(t *testing.T) {
	h := auth.ProtectedResourceMetadataHandler(&auth.ProtectedResourceMetadata{
		Resource:               "https://example.com/mcp",
		AuthorizationServers:   []string{"https://as.example.com"},
		ScopesSupported:        []string{"read"},
		BearerMethodsSupported: []string{"header"},
	})
	const doc = `{"resource":"https://example.com/mcp","authorization_servers":["https://as.example.com"],` +
		`"scopes_supported":["read"],"bearer_methods_supported":["header"]}`
	for _, tt := range []struct {
		method string
		status int
		body   string
	}{
		{"GET", 200, doc},
		{"HEAD", 200, doc}, // net/http leaves the content out
		{"OPTIONS", 204, ""},
		{"POST", 405, "method not allowed\n"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, "/.well-known/oauth-protected-resource/mcp", nil))
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.method, w.Code, w.Body, tt.status, tt.body)
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s: allows the origins %q", tt.method, got)
		}
		allowed := w.Header().Get("Access-Control-Allow-Headers")
		if tt.method == "OPTIONS" && !strings.Contains(allowed, "MCP-Protocol-Version") {
			t.Errorf("a preflight allows %q", allowed)
		}
		if tt.status == 200 && w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: Content-Type %q", tt.method, w.Header().Get("Content-Type"))
		}
		if tt.status == 405 && w.Header().Get("Allow") == "" {
			t.Error("405 without Allow")
		}
	}
}

// TestMetadataNames holds the names of RFC 9728, section 2.
func TestMetadataNames(t *testing.T) {
	names := strings.Fields(`resource authorization_servers scopes_supported bearer_methods_supported jwks_uri
		resource_signing_alg_values_supported resource_name resource_documentation resource_policy_uri resource_tos_uri
		tls_client_certificate_bound_access_tokens authorization_details_types_supported
		dpop_signing_alg_values_supported dpop_bound_access_tokens_required signed_metadata`)
	var full auth.ProtectedResourceMetadata
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		default:
			f.Set(reflect.ValueOf([]string{"x"}))
		}
	}
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s", name)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("names that the RFC does not have: %v", got)
	}
}
