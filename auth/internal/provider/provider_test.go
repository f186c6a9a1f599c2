package provider

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCheckURL(t *testing.T) {
	for raw, ok := range map[string]bool{
		"https://example.com":           true,
		"https://example.com:8443/a?b":  true,
		"http://127.0.0.1:8080/x":       true,
		"http://127.9.9.9/x":            true,
		"http://[::1]:80/":              true,
		"http://localhost/":             true,
		"http://example.com/":           false,
		"http://localhost.example.com/": false,
		"http://127.0.0.1.example.com/": false,
		"https://":                      false,
		"https://:443/":                 false,
		"https:example.com":             false,
		"//example.com/":                false,
		"/path":                         false,
		"":                              false,
		"file:///etc/passwd":            false,
		"ftp://example.com/":            false,
		"https://a:b@example.com/":      false,
		"https://example.com/#":         false,
		"https://example.com/#x":        false,
		"https://exa mple.com/":         false,
		"https://example.com/\x00":      false,
	} {
		if _, err := CheckURL(raw); (err == nil) != ok {
			t.Errorf("%q: got %v, want ok %t", raw, err, ok)
		}
	}
}

func TestObject(t *testing.T) {
	for data, ok := range map[string]bool{
		`{}`:                         true,
		` {"a":[{"a":1},{"a":2}]} `:  true,
		`{"a":1,"A":2}`:              true,
		``:                           false,
		`null`:                       false,
		`[]`:                         false,
		`"a"`:                        false,
		`1`:                          false,
		`{"a":1,"a":2}`:              false,
		`{"a":1,"\u0061":2}`:         false,
		`{"b":{"a":1,"a":1}}`:        false,
		`{"b":[{"a":1,"a":1}]}`:      false,
		`{"a":1}x`:                   false,
		`{"a":1}{}`:                  false,
		`{"a":1}}`:                   false,
		`{"a":1`:                     false,
		`{"a"}`:                      false,
		`{"a":1,}`:                   false,
		`{a:1}`:                      false,
		`{"a":01}`:                   false,
		`{"a":NaN}`:                  false,
		"{\"a\":\"\xff\"}":           false,
		"\xef\xbb\xbf{}":             false,
		`{"a":` + nested(15) + `}`:   true,
		`{"a":` + nested(16) + `}`:   false,
		`{"a":` + nested(9999) + `}`: false,
		strings.Repeat("[", 100_000): false,
	} {
		if _, err := Object([]byte(data)); (err == nil) != ok {
			t.Errorf("%.60q: got %v, want ok %t", data, err, ok)
		}
	}
}

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestTime(t *testing.T) {
	for number, want := range map[string]int64{
		"0": 0, "1.5": 1500, "1e3": 1_000_000, "253402300799": 253402300799_000,
		"-1": -1, "-0.1": -1, "253402300800": -1, "1e400": -1, "1e99": -1, "-1e400": -1,
	} {
		got, ok := Time(json.Number(number))
		if ok != (want >= 0) || ok && got.UnixMilli() != want {
			t.Errorf("%s: got %v, %t", number, got, ok)
		}
	}
	for _, v := range []any{nil, "1", true, []any{}, map[string]any{}} {
		if _, ok := Time(v); ok {
			t.Errorf("%v is a time", v)
		}
	}
}

// TestResponses sends requests to servers whose responses must not be followed or read.
func TestResponses(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host gets a request") }))
	defer other.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("good")) })
	mux.Handle("/same", http.RedirectHandler("/good", http.StatusFound))
	mux.Handle("/other", http.RedirectHandler(other.URL, http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2000)) })
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	})
	mux.HandleFunc("/header", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, tt := range []struct {
		path      string
		redirects bool
		ok        bool
	}{
		{"/good", false, true}, {"/same", true, true}, {"/same", false, false}, {"/other", true, false},
		{"/loop", true, false}, {"/large", false, false}, {"/bomb", false, false}, {"/header", false, false}, {"/slow", false, false},
	} {
		client := NewClient(nil, 500*time.Millisecond, tt.redirects)
		req, err := http.NewRequest(http.MethodGet, srv.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, content, err := Do(client, req, 1000)
		if (err == nil) != tt.ok || tt.ok && (status != http.StatusOK || string(content) != "good") {
			t.Errorf("%s: got %d, %q, %v", tt.path, status, content, err)
		}
		client.CloseIdleConnections()
	}
}
