package server

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/httpparse"
)

// flightOf returns a flight for a request with a token, as a loop begins it.
func flightOf(token string, more ...string) *authFlight {
	in := addCall(1, 2).with(bearerField(token) + strings.Join(more, "")).String()
	head, _, _ := strings.Cut(in, "\r\n\r\n")
	return &authFlight{token: token, head: []byte(head + "\r\n\r\n"), limits: &httpparse.Limits{}}
}

// The verifier gets all fields, with their names as net/http writes them, and all values of one
// that is repeated, in their order.
func TestAuthFlightRequest(t *testing.T) {
	f := flightOf("abc", "x-forwarded-for: 1\r\n", "X-Empty:\r\n", "X-FORWARDED-FOR: 2\r\n", "x_odd!: v\r\n", "X-Forwarded-For: 3\r\n")
	got := f.request().Header
	want := http.Header{
		"Host": {"localhost"}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"add"}, "Authorization": {"Bearer abc"},
		"X-Forwarded-For": {"1", "2", "3"}, "X-Empty": {""}, "X_odd!": {"v"},
		"Content-Length": got["Content-Length"],
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	got["X-Empty"] = append(got["X-Empty"], "more")
	if again := f.request().Header; !reflect.DeepEqual(again["X-Forwarded-For"], want["X-Forwarded-For"]) || len(got["X-Forwarded-For"]) != 3 {
		t.Error("the values of fields share room")
	}
}

// BenchmarkAuthFlightRequest makes the request that the verifier of a token gets.
func BenchmarkAuthFlightRequest(b *testing.B) {
	f := flightOf(strings.Repeat("jwt-", 200))
	b.ReportAllocs()
	for b.Loop() {
		f.request()
	}
}
