package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes text to a file and returns the file's name.
func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAdminTokens(t *testing.T) {
	tokens, err := readAdminTokens(write(t, "# the old one\nfirst-0123456789ab\n\n second-0123456789 \r\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), tokens)
	const none, wrong = `Bearer realm="mooring admin"`, `Bearer realm="mooring admin", error="invalid_token"`
	for _, tt := range []struct {
		path      string
		fields    []string
		challenge string // "" if the request is served
	}{
		{"/metrics", []string{"Bearer first-0123456789ab"}, ""},
		{"/debug/pprof/", []string{"bearer  second-0123456789"}, ""},
		{"/healthz", nil, ""},
		{"/readyz", []string{"Bearer wrong"}, ""},
		{"/metrics", nil, none},
		{"/healthz/", nil, none},
		{"/debug/pprof/heap", nil, none},
		{"/metrics?access_token=first-0123456789ab", nil, none},
		{"/metrics", []string{"Bearer first-0123456789aB"}, wrong},
		{"/metrics", []string{"Bearer first-0123456789a"}, wrong},
		{"/metrics", []string{"Bearer"}, wrong},
		{"/metrics", []string{""}, wrong},
		{"/metrics", []string{"Basic first-0123456789ab"}, wrong},
		{"/metrics", []string{"first-0123456789ab"}, wrong},
		{"/metrics", []string{"Bearer # the old one"}, wrong},
		{"/metrics", []string{"Bearer first-0123456789ab", "Bearer first-0123456789ab"}, wrong},
	} {
		r := httptest.NewRequest(http.MethodGet, tt.path, nil)
		r.Header["Authorization"] = tt.fields
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want := http.StatusNoContent
		if tt.challenge != "" {
			want = http.StatusUnauthorized
		}
		if w.Code != want || w.Header().Get("WWW-Authenticate") != tt.challenge {
			t.Errorf("%s with %q: %d, challenge %q, want %d, %q", tt.path, tt.fields, w.Code, w.Header().Get("WWW-Authenticate"), want, tt.challenge)
		}
	}
}

func TestRefusedAdminTokens(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "no tokens",
		"# secret-0123456789\n":           "no tokens",
		"\nsecret-01234567\n":             ":2: token has only 15 bytes",
		"secret-0123456789 and-another\n": ":1: token has white space",
	} {
		file := write(t, text)
		_, err := readAdminTokens(file)
		if err == nil || !strings.HasPrefix(err.Error(), "admin-token-file: "+file) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
	if tokens, err := readAdminTokens(""); err != nil || tokens != nil {
		t.Errorf("without a file: %v, %v", tokens, err)
	}
}
