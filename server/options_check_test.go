package server

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// These tests compare what an option may contain with how check then treats the request that a
// client would send. A value is either refused, or some request passes because of it.
func TestOptionsThatCanNeverMatch(t *testing.T) {
	const refused = "-"
	tests := []struct {
		option, value string
		// a request that passes because of the value; refused if New must refuse the value
		match string
	}{
		{"AllowedHosts", "a.example", "A.example:8080"},
		{"AllowedHosts", " a.example\t", "a.example"},
		{"AllowedHosts", "a.example.", "a.example."},
		{"AllowedHosts", "192.0.2.1", "192.0.2.1"},
		{"AllowedHosts", "::1", "[::1]:8080"},
		{"AllowedHosts", "[::1]", "[::1]"},
		{"AllowedHosts", "a_b.example", "a_b.example"},
		{"AllowedHosts", "*", "whatever.example"},
		{"AllowedHosts", "", refused},
		{"AllowedHosts", "  ", refused},
		{"AllowedHosts", "a.example:8080", refused},
		{"AllowedHosts", "[::1]:8080", refused},
		{"AllowedHosts", "https://a.example", refused},
		{"AllowedHosts", "*.example", refused},
		{"AllowedHosts", "a example", refused},
		{"AllowedHosts", "a.example/mcp", refused},
		{"AllowedHosts", "a.example,b.example", refused},
		{"AllowedHosts", "münchen.example", refused},
		{"AllowedOrigins", "https://a.example", "https://a.example"},
		{"AllowedOrigins", "https://a.example ", "https://a.example"},
		{"AllowedOrigins", "HTTPS://A.example:8443", "https://a.example:8443"},
		{"AllowedOrigins", "http://[::1]:3000", "http://[::1]:3000"},
		{"AllowedOrigins", "http://[::1]", "http://[::1]"},
		{"AllowedOrigins", "http://localhost:3000", "http://localhost:3000"},
		{"AllowedOrigins", "http://a.example:443", "http://a.example:443"},
		{"AllowedOrigins", "vscode-webview://0a1b", "vscode-webview://0a1b"},
		{"AllowedOrigins", "null", "null"},
		{"AllowedOrigins", "*", "https://whatever.example"},
		{"AllowedOrigins", "", refused},
		{"AllowedOrigins", "a.example", refused},
		{"AllowedOrigins", "a.example:8080", refused},
		{"AllowedOrigins", "://a.example", refused},
		{"AllowedOrigins", "https:a.example", refused},
		{"AllowedOrigins", "https://", refused},
		{"AllowedOrigins", "https://a.example/", refused},
		{"AllowedOrigins", "https://a.example/mcp", refused},
		{"AllowedOrigins", "https://a.example?x", refused},
		{"AllowedOrigins", "https://a.example#x", refused},
		{"AllowedOrigins", "https://user@a.example", refused},
		{"AllowedOrigins", "https://a.example:443", refused},
		{"AllowedOrigins", "http://a.example:80", refused},
		{"AllowedOrigins", "http://a.example:080", refused},
		{"AllowedOrigins", "http://a.example:0", refused},
		{"AllowedOrigins", "http://a.example:", refused},
		{"AllowedOrigins", "http://a.example:65536", refused},
		{"AllowedOrigins", "http://a.example:x", refused},
		{"AllowedOrigins", "https://*.example", refused},
		{"AllowedOrigins", "https://a.example, https://b.example", refused},
		{"AllowedOrigins", "https://a .example", refused},
		{"AllowedOrigins", "https://münchen.example", refused},
		{"AllowedOrigins", "http://[0:0::1]:3000", refused},
		{"AllowedOrigins", "http://[::1%eth0]:3000", refused},
		{"AllowedOrigins", "http://[::1", refused},
		{"AllowedOrigins", "http://[::1]x", refused},
		{"Path", "/", "/"},
		{"Path", "/a/b%20c", "/a/b%20c"},
		{"Path", "mcp", refused},
		{"Path", "/mcp?x", refused},
		{"Path", "/mcp#x", refused},
		{"Path", "/a b", refused},
		{"Path", "/ä", refused},
		{"Path", "/a\n", refused},
		{"SSEPath", "/sse", "/sse"},
		{"SSEPath", "sse", refused},
		{"SSEPath", "/sse ", refused},
	}
	for _, tt := range tests {
		o := Options{}
		line, host, origin := "POST /mcp", "localhost", "http://localhost"
		switch tt.option {
		case "AllowedHosts":
			o.AllowedHosts, host = []string{tt.value}, tt.match
		case "AllowedOrigins":
			o.AllowedOrigins, origin = []string{tt.value}, tt.match
		case "Path":
			o.Path, line = tt.value, "POST "+tt.match
		case "SSEPath":
			o.SSEPath, line = tt.value, "GET "+tt.match
		}
		name := fmt.Sprintf("%s %q", tt.option, tt.value)
		var e *OptionError
		switch err := o.Validate(); {
		case tt.match == refused && (!errors.As(err, &e) || e.Option != tt.option || e.Value != tt.value):
			t.Errorf("%s: %v, want an OptionError that names it", name, err)
		case tt.match != refused && err != nil:
			t.Errorf("%s: %v", name, err)
		}
		if tt.match == refused {
			continue
		}
		s := New(mcp.NewServer(&mcp.Implementation{Name: "t", Version: "1"}, nil), &o)
		head := line + " HTTP/1.1\r\nHost: " + cmp.Or(host, "localhost") + "\r\nContent-Type: application/json\r\n"
		if origin != "" {
			head += "Origin: " + origin + "\r\n"
		}
		var req httpparse.Request
		if _, err := httpparse.ParseRequest(&req, []byte(head+"\r\n"), 0, nil); err != nil {
			t.Fatal(err)
		}
		if v := s.endpoints.Load().policy.Check(&req, endpoint.TrustLoopback); v.Route == endpoint.RouteRefused {
			t.Errorf("%s: a client that sends %q gets %d %s", name, tt.match, v.Status, v.Reason)
		}
	}
}

// What cannot work without a server says so at once, not with the first request.
func TestNewRefusesNil(t *testing.T) {
	for want, f := range map[string]func(){
		"the mcp.Server is nil": func() { New(nil, nil) },
		"needs a getServer":     func() { NewStreamableHTTPHandler(nil, nil) },
		"net/http needs a":      func() { NewSSEHandler(nil, nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("recovered with %v, want %s", got, want)
				}
			}()
			f()
		}()
	}
}

// New panics if options cannot work.
func TestNewRefusesOptions(t *testing.T) {
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "AllowedOrigins") {
			t.Errorf("New recovered with %v, want an error that names AllowedOrigins", err)
		}
	}()
	New(mcp.NewServer(&mcp.Implementation{Name: "t", Version: "1"}, nil), &Options{AllowedOrigins: []string{"https://a.example/"}})
}

func TestHandlerHeadersAreNames(t *testing.T) {
	for name, ok := range map[string]bool{"X-Tenant": true, " authorization ": true, "*": true, "": false, "X Tenant": false, "X-Tenant:": false, "ä": false} {
		err := (&Options{HandlerHeaders: []string{"Origin", name}}).Validate()
		var e *OptionError
		if (err == nil) != ok || err != nil && (!errors.As(err, &e) || e.Option != "HandlerHeaders" || e.Value != name) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
