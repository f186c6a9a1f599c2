package endpoint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/httpparse"
)

// parsed returns the request of a head.
func parsed(t testing.TB, head string) *httpparse.Request {
	t.Helper()
	var r httpparse.Request
	if _, err := httpparse.ParseRequest(&r, []byte(head), 0, nil); err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return &r
}

// A checkCase is a head and the verdict of Check on it. A field that is empty stands for that of a
// valid POST.
type checkCase struct {
	name   string
	line   string // method and request-target
	host   string // "-": none, on HTTP/1.0
	origin string
	ctype  string // "-": none
	accept string // "-": none; lines are separated by "|"
	from   Trust
	policy Policy
	want   Verdict // status, route, allow, json, stream; reason is not compared
}

func (c checkCase) head() string {
	or := func(v, def string) string {
		if v == "" {
			return def
		}
		return v
	}
	var b strings.Builder
	version := "1.1"
	if c.host == "-" {
		version = "1.0"
	}
	fmt.Fprintf(&b, "%s HTTP/%s\r\n", or(c.line, "POST /mcp"), version)
	field := func(name, value string) {
		if value != "-" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	field("Host", or(c.host, "localhost:8080"))
	field("Origin", or(c.origin, "-"))
	field("Content-Type", or(c.ctype, "application/json"))
	for line := range strings.SplitSeq(or(c.accept, "application/json, text/event-stream"), "|") {
		field("Accept", line)
	}
	return b.String() + "\r\n"
}

var (
	good     = Verdict{Route: RouteMCP, JSON: true, Stream: true}
	onlyJSON = Verdict{Route: RouteMCP, JSON: true}
	onlySSE  = Verdict{Route: RouteMCP, Stream: true}
	forbid   = Verdict{Status: 403}
	message  = Verdict{Route: RouteMessage, JSON: true, Stream: true}
	both     = Policy{Path: "/mcp", SSE: "/sse", Messages: "/sse/message"}
)

func status(code int) Verdict { return Verdict{Status: code} }

func notAllowed(allow string) Verdict { return Verdict{Status: 405, Allow: allow} }

var checkCases = []checkCase{
	{name: "a plain POST", want: good},
	{name: "with a query", line: "POST /mcp?x=1", want: good},
	{name: "in absolute-form", line: "POST http://localhost:8080/mcp", want: good},
	{name: "another path", line: "POST /mcp/", want: status(404)},
	{name: "a path in another case", line: "POST /MCP", want: status(404)},
	{name: "a path in percent-encoding", line: "POST /%6dcp", want: status(404)},
	{name: "the root", line: "GET /", want: status(404)},
	{name: "a well-known page", line: "GET /.well-known/oauth-protected-resource", want: status(404)},
	{name: "a path of its own", line: "POST /a/b", policy: Policy{Path: "/a/b"}, want: good},

	{name: "GET", line: "GET /mcp", want: Verdict{Route: RouteStream, JSON: true, Stream: true}},
	{name: "GET of a client that accepts no stream", line: "GET /mcp", accept: "application/json", want: status(406)},
	{name: "GET without a content type", line: "GET /mcp", ctype: "-", want: Verdict{Route: RouteStream, JSON: true, Stream: true}},
	{name: "DELETE", line: "DELETE /mcp", ctype: "-", accept: "-", want: Verdict{Route: RouteDelete}},
	{name: "HEAD", line: "HEAD /mcp", want: notAllowed("GET, POST, DELETE")},
	{name: "PUT", line: "PUT /mcp", want: notAllowed("GET, POST, DELETE")},
	{name: "PATCH", line: "PATCH /mcp", want: notAllowed("GET, POST, DELETE")},
	{name: "TRACE", line: "TRACE /mcp", want: notAllowed("GET, POST, DELETE")},
	{name: "OPTIONS without an origin", line: "OPTIONS /mcp", want: notAllowed("GET, POST, DELETE")},
	{name: "modern only, POST", policy: Policy{Path: "/mcp", Modern: true}, want: good},
	{name: "modern only, GET", line: "GET /mcp", policy: Policy{Path: "/mcp", Modern: true}, want: notAllowed("POST")},
	{name: "modern only, DELETE", line: "DELETE /mcp", policy: Policy{Path: "/mcp", Modern: true}, want: notAllowed("POST")},
	{name: "modern only, HEAD", line: "HEAD /mcp", policy: Policy{Path: "/mcp", Modern: true}, want: notAllowed("POST")},

	{name: "HTTP+SSE, off", line: "GET /sse", want: status(404)},
	{name: "HTTP+SSE, off, a message", line: "POST /message", want: status(404)},
	{name: "HTTP+SSE", line: "GET /sse", ctype: "-", policy: both, want: Verdict{Route: RouteSSE, JSON: true, Stream: true}},
	{name: "HTTP+SSE with a query", line: "GET /sse?x=1", policy: both, want: Verdict{Route: RouteSSE, JSON: true, Stream: true}},
	{name: "HTTP+SSE, Accept absent", line: "GET /sse", accept: "-", policy: both, want: Verdict{Route: RouteSSE, JSON: true, Stream: true}},
	{name: "HTTP+SSE of a client that accepts no stream", line: "GET /sse", accept: "application/json", policy: both, want: status(406)},
	{name: "HTTP+SSE, POST", line: "POST /sse", policy: both, want: notAllowed("GET")},
	{name: "HTTP+SSE, HEAD", line: "HEAD /sse", policy: both, want: notAllowed("GET")},
	{name: "HTTP+SSE, OPTIONS without an origin", line: "OPTIONS /sse", policy: both, want: notAllowed("GET")},
	{name: "HTTP+SSE, a preflight", line: "OPTIONS /sse/message", origin: "http://localhost:3000", policy: both, want: Verdict{Route: RoutePreflight}},
	{name: "HTTP+SSE, another host", line: "GET /sse", host: "evil.example", policy: both, want: forbid},
	{name: "HTTP+SSE, another origin", line: "GET /sse", origin: "https://evil.example", policy: both, want: forbid},
	{name: "a message", line: "POST /sse/message?sessionId=x", policy: both, want: message},
	{name: "a message, whatever Accept says", line: "POST /sse/message", accept: "text/html", policy: both, want: message},
	{name: "a message of text", line: "POST /sse/message", ctype: "text/plain", policy: both, want: status(415)},
	{name: "a message, GET", line: "GET /sse/message", policy: both, want: notAllowed("POST")},
	{name: "a message, DELETE", line: "DELETE /sse/message", policy: both, want: notAllowed("POST")},
	{name: "a message from elsewhere", line: "POST /sse/message", origin: "https://evil.example", policy: both, want: forbid},
	{name: "the MCP endpoint next to HTTP+SSE", policy: both, want: good},
	{name: "a preflight", line: "OPTIONS /mcp", origin: "http://localhost:3000", want: Verdict{Route: RoutePreflight}},
	{name: "a preflight from elsewhere", line: "OPTIONS /mcp", origin: "https://evil.example", want: forbid},
	{name: "OPTIONS *", line: "OPTIONS *", host: "evil.example", want: Verdict{Route: RouteOptions}},

	{name: "health", line: "GET /healthz", want: Verdict{Route: RouteHealth}},
	{name: "health by HEAD", line: "HEAD /healthz", want: Verdict{Route: RouteHealth}},
	{name: "health by POST", line: "POST /healthz", want: notAllowed("GET, HEAD")},
	{name: "health under any host", line: "GET /healthz", host: "10.0.0.7:8080", want: Verdict{Route: RouteHealth}},
	{name: "health from any origin", line: "GET /healthz", origin: "https://evil.example", want: Verdict{Route: RouteHealth}},
	{name: "health of HTTP/1.0", line: "GET /healthz", host: "-", want: Verdict{Route: RouteHealth}},
	{name: "ready", line: "GET /readyz", host: "lb", want: Verdict{Route: RouteReady}},
	{name: "ready by DELETE", line: "DELETE /readyz", want: notAllowed("GET, HEAD")},

	{name: "Content-Type absent", ctype: "-", want: status(415)},
	{name: "Content-Type of text", ctype: "text/plain", want: status(415)},
	{name: "Content-Type with a charset", ctype: "application/json; charset=utf-8", want: good},
	{name: "Content-Type with space before the parameter", ctype: "application/json ;charset=utf-8", want: good},
	{name: "Content-Type in another case", ctype: "Application/JSON", want: good},
	{name: "Content-Type that only begins so", ctype: "application/json-patch+json", want: status(415)},
	{name: "Content-Type that only contains it", ctype: "text/plain; x=application/json", want: status(415)},
	{name: "two content types in one", ctype: "application/json, text/plain", want: status(415)},

	{name: "Accept absent", accept: "-", want: good},
	{name: "Accept of anything", accept: "*/*", want: good},
	{name: "Accept of JSON", accept: "application/json", want: onlyJSON},
	{name: "Accept of application/*", accept: "application/*", want: onlyJSON},
	{name: "Accept of streams", accept: "text/event-stream", want: onlySSE},
	{name: "Accept of text/*", accept: "text/*", want: onlySSE},
	{name: "Accept of something else", accept: "text/html, image/png", want: status(406)},
	{name: "Accept in another case and order", accept: "TEXT/Event-Stream , APPLICATION/json", want: good},
	{name: "Accept with weights", accept: "application/json;q=0.1, text/event-stream;q=1", want: good},
	{name: "a weight of nothing", accept: "application/json;q=0, text/event-stream", want: onlySSE},
	{name: "a weight of nothing in decimals", accept: "application/json; q=0.000, text/event-stream", want: onlySSE},
	{name: "a weight of almost nothing", accept: "application/json;q=0.001", want: onlyJSON},
	{name: "a weight behind a parameter", accept: "application/json;v=1;q=0, text/event-stream", want: onlySSE},
	{name: "all of no weight", accept: "*/*;q=0", want: status(406)},
	{name: "anything but streams", accept: "*/*, text/event-stream;q=0", want: onlyJSON},
	{name: "no JSON, but anything else", accept: "application/json;q=0, */*", want: onlySSE},
	{name: "Accept on two lines", accept: "application/json|text/event-stream", want: good},
	{name: "Accept on two lines, the first of no use", accept: "text/html|application/json", want: onlyJSON},
	{name: "Accept that only begins so", accept: "application/jsonl", want: status(406)},
	{name: "Accept of empty elements", accept: ", ,application/json,,", want: onlyJSON},
}

func TestCheck(t *testing.T) {
	for _, c := range checkCases {
		t.Run(c.name, func(t *testing.T) {
			if c.policy.Path == "" {
				c.policy.Path = "/mcp"
			}
			if c.from == TrustRemote {
				c.from = TrustLoopback
			}
			wantVerdict(t, c)
		})
	}
}

// protected returns want with Protected: an endpoint and its refusals are, whatever passes or fails
// without regard to the caller is not.
func protected(want Verdict) Verdict {
	switch want.Route {
	case RouteRefused:
		want.Protected = want.Status != 404 && want.Status != 403 && want.Allow != "GET, HEAD"
	case RouteHealth, RouteReady, RouteOptions, RoutePreflight:
	default:
		want.Protected = true
	}
	return want
}

// The rules are the same at each of several endpoints.
func TestCheckMore(t *testing.T) {
	p := Policy{Path: "/mcp", SSE: "/sse", Messages: "/sse/message", More: map[string]uint32{"/mcp/b": 1, "/b": 2}}
	modern := p
	modern.Modern = true
	const usual = "Host: localhost\r\nContent-Type: application/json\r\n\r\n"
	for _, c := range []struct {
		policy *Policy
		head   string
		want   Verdict
	}{
		{&p, "POST /mcp HTTP/1.1\r\n" + usual, Verdict{Route: RouteMCP, JSON: true, Stream: true}},
		{&p, "POST /mcp/b HTTP/1.1\r\n" + usual, Verdict{Route: RouteMCP, Endpoint: 1, JSON: true, Stream: true}},
		{&p, "POST /b?x=/mcp HTTP/1.1\r\n" + usual, Verdict{Route: RouteMCP, Endpoint: 2, JSON: true, Stream: true}},
		{&p, "GET /b HTTP/1.1\r\n" + usual, Verdict{Route: RouteStream, Endpoint: 2, JSON: true, Stream: true}},
		{&p, "DELETE /mcp/b HTTP/1.1\r\n" + usual, Verdict{Route: RouteDelete, Endpoint: 1}},
		{&p, "POST /b/ HTTP/1.1\r\n" + usual, status(404)},
		{&p, "POST /B HTTP/1.1\r\n" + usual, status(404)},
		{&p, "POST /%62 HTTP/1.1\r\n" + usual, status(404)},
		{&p, "POST /mcp/b/message HTTP/1.1\r\n" + usual, status(404)},
		{&p, "POST /b HTTP/1.1\r\nOrigin: http://evil.example\r\n" + usual, status(403)},
		{&p, "POST /b HTTP/1.1\r\nHost: localhost\r\n\r\n", Verdict{Status: 415, Endpoint: 2}},
		{&p, "OPTIONS /b HTTP/1.1\r\nOrigin: http://localhost\r\n" + usual, Verdict{Route: RoutePreflight}},
		{&modern, "POST /b HTTP/1.1\r\n" + usual, Verdict{Route: RouteMCP, Endpoint: 2, JSON: true, Stream: true}},
		{&modern, "GET /b HTTP/1.1\r\n" + usual, Verdict{Status: 405, Endpoint: 2, Allow: "POST"}},
	} {
		got := c.policy.Check(parsed(t, c.head), TrustLoopback)
		got.Reason = ""
		if c.want = protected(c.want); got != c.want {
			t.Errorf("%q\n got %+v\nwant %+v", c.head, got, c.want)
		}
	}
}

func wantVerdict(t *testing.T, c checkCase) {
	t.Helper()
	got := c.policy.Check(parsed(t, c.head()), c.from)
	if got.Route == RouteRefused && got.Reason == "" {
		t.Error("refused without a reason")
	}
	got.Reason = ""
	if c.want = protected(c.want); got != c.want {
		t.Errorf("%q\n got %+v\nwant %+v", c.head(), got, c.want)
	}
}

// TestCheckHostAndOrigin checks that either of the two can have a request refused, and that the
// default depends on the listener.
func TestCheckHostAndOrigin(t *testing.T) {
	const (
		loopback = 1 << TrustLoopback
		remote   = 1 << TrustRemote
		unix     = 1 << TrustUnix
		all      = loopback | remote | unix
	)
	hosts := []struct {
		host string
		pass int // the listeners where it passes without a list
	}{
		{"localhost", all}, {"localhost:8080", all}, {"LOCALHOST", all}, {"127.0.0.1:1", all},
		{"127.8.9.1", all}, {"[::1]", all}, {"[::1]:8080", all},
		{"mcp.localhost:80", all}, {"[::ffff:127.0.0.1]", all},
		{"evil.example", remote | unix}, {"localhost.evil.example", remote | unix},
		{"evil.example:8080", remote | unix}, {"10.0.0.1", remote | unix},
		{"127.0.0.1.evil.example", remote | unix}, {"xlocalhost", remote | unix},
		{"[fe80::1]", remote | unix}, {"0.0.0.0", remote | unix}, {"[::]", remote | unix},
		{"-", all}, // HTTP/1.0
	}
	origins := []struct {
		origin string
		pass   int
	}{
		{"", all},
		{"http://localhost", loopback | unix}, {"http://localhost:3000", loopback | unix},
		{"https://127.0.0.1:8443", loopback | unix}, {"http://[::1]:5", loopback | unix},
		{"http://app.localhost", loopback | unix},
		{"null", 0}, {"https://evil.example", 0}, {"http://localhost.evil.example", 0},
		{"http://localhost@evil.example", 0}, {"http://evil.example:80/localhost", 0},
		{"file://localhost", 0}, {"localhost", 0}, {"http://", 0}, {"://", 0},
		{"http://localhost/", 0}, {"http://%6cocalhost:x", 0},
		{"http://evil@localhost", 0}, {"http://localhost?x", 0}, {"http://localhost#x", 0},
	}
	for from, name := range map[Trust]string{TrustLoopback: "loopback", TrustRemote: "remote", TrustUnix: "unix"} {
		for _, h := range hosts {
			for _, o := range origins {
				want := good
				if h.pass>>from&1 == 0 || o.pass>>from&1 == 0 {
					want = forbid
				}
				t.Run(fmt.Sprintf("%s,%s,%s", name, h.host, o.origin), func(t *testing.T) {
					wantVerdict(t, checkCase{
						host:   h.host,
						origin: o.origin,
						from:   from,
						policy: Policy{Path: "/mcp"},
						want:   want,
					})
				})
			}
		}
	}
}

// TestCheckLists checks that a list replaces the default on every listener.
func TestCheckLists(t *testing.T) {
	hosts := Policy{Path: "/mcp", Hosts: []string{"mcp.example", "::1"}}
	origins := Policy{Path: "/mcp", Origins: []string{"https://app.example", "http://app.example:8080"}}
	for _, from := range []Trust{TrustLoopback, TrustRemote, TrustUnix} {
		for _, c := range []checkCase{
			{name: "a host of the list", host: "mcp.example:443", policy: hosts, want: good},
			{name: "in another case", host: "MCP.Example", policy: hosts, want: good},
			{name: "an address of the list", host: "[::1]:80", policy: hosts, want: good},
			{name: "a loopback name that is not in the list", host: "localhost", policy: hosts, want: forbid},
			{name: "a suffix", host: "evil.mcp.example", policy: hosts, want: forbid},
			{name: "HTTP/1.0 without a host", host: "-", policy: hosts, want: forbid},
			{name: "any host", host: "whatever", policy: Policy{Path: "/mcp", Hosts: []string{"*"}}, want: good},
			{name: "health under any host", line: "GET /healthz", host: "10.1.2.3", policy: hosts, want: Verdict{Route: RouteHealth}},
			{name: "an origin of the list", origin: "https://app.example", policy: origins, want: good},
			{name: "its scheme", origin: "http://app.example", policy: origins, want: forbid},
			{name: "its port", origin: "https://app.example:8443", policy: origins, want: forbid},
			{name: "a port of the list", origin: "http://app.example:8080", policy: origins, want: good},
			{name: "a loopback origin that is not in the list", origin: "http://localhost", policy: origins, want: forbid},
			{name: "no origin", policy: origins, want: good},
			{name: "any origin", origin: "null", policy: Policy{Path: "/mcp", Origins: []string{"*"}}, want: good},
			{name: "a good host does not excuse the origin", origin: "https://evil.example", host: "mcp.example", policy: hosts, want: forbid},
		} {
			c.from = from
			t.Run(fmt.Sprint(from, " ", c.name), func(t *testing.T) { wantVerdict(t, c) })
		}
	}
}

// FuzzCheck checks that Check returns a verdict on all that the parser accepts, that this verdict
// is always the same, and that nothing passes that a loopback listener must refuse.
func FuzzCheck(f *testing.F) {
	for _, c := range checkCases {
		f.Add(c.head())
	}
	f.Add("POST /mcp HTTP/1.1\r\nHost: [::1\r\nOrigin: http://[::1\r\nContent-Type: ;\r\nAccept: ;q=0,;;,\r\n\r\n")
	p := both
	f.Fuzz(func(t *testing.T, head string) {
		var r httpparse.Request
		if _, err := httpparse.ParseRequest(&r, []byte(head), 0, nil); err != nil {
			return
		}
		v := p.Check(&r, TrustLoopback)
		if again := p.Check(&r, TrustLoopback); v != again {
			t.Fatalf("%+v, then %+v", v, again)
		}
		switch v.Route {
		case RouteRefused:
			if v.Status < 400 || v.Status > 499 || v.Reason == "" || (v.Status == 405) != (v.Allow != "") {
				t.Fatalf("refused with %+v", v)
			}
		case RouteSSE, RouteMessage:
			get := v.Route == RouteSSE
			if get != (string(r.Path) == "/sse") || get != (r.Method == httpparse.MethodGet) ||
				!get && !isJSON(r.ContentType) {
				t.Fatalf("passed: %+v", v)
			}
		case RouteMCP:
			if r.Method != httpparse.MethodPost || !v.JSON && !v.Stream || string(r.Path) != "/mcp" {
				t.Fatalf("passed: %+v", v)
			}
			fallthrough
		case RoutePreflight:
			h := strings.ToLower(string(r.Host))
			if h != "" && !strings.Contains(h, "localhost") && !strings.Contains(h, "127.") &&
				!strings.Contains(h, ":") {
				t.Fatalf("host %q passed", h)
			}
			o := strings.ToLower(string(r.Origin))
			if r.Origin != nil && !strings.HasPrefix(o, "http://") && !strings.HasPrefix(o, "https://") {
				t.Fatalf("origin %q passed", o)
			}
		}
	})
}
