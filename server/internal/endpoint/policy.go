// Package endpoint holds the HTTP rules of the MCP endpoint and writes the heads of its responses.
// Its functions are pure: they read no clock and no socket, and may be called from any goroutine.
package endpoint

import (
	"bytes"
	"net"
	"net/url"
	"strings"

	"github.com/mooring-mcp/mooring/httpparse"
)

// Route is what a request head asks for.
type Route uint8

const (
	RouteRefused   Route = iota // the request is refused with Verdict.Status
	RouteMCP                    // a message for the MCP endpoint
	RouteStream                 // GET of the MCP endpoint
	RouteDelete                 // DELETE of the MCP endpoint
	RouteHealth                 // GET or HEAD /healthz
	RouteReady                  // GET or HEAD /readyz
	RouteOptions                // OPTIONS *
	RoutePreflight              // a CORS preflight of an endpoint
	RouteSSE                    // GET of the HTTP+SSE endpoint
	RouteMessage                // a message for the HTTP+SSE endpoint
)

// TakesMessage reports whether the content of the request is a message, which has to be read.
func (r Route) TakesMessage() bool { return r == RouteMCP || r == RouteMessage }

// Verdict is what Check decides about a head.
type Verdict struct {
	Route    Route
	Endpoint uint32 // for a route of MCP: 0 for Policy.Path, else the number of Policy.More
	Status   int    // the status of a refusal
	Reason   string // fixed text for the peer
	Allow    string // the value of Allow, with status 405
	JSON     bool   // the client accepts application/json
	Stream   bool   // the client accepts text/event-stream

	// Protected reports that the request is for an endpoint, from a host and an origin that may
	// call, and no preflight: who sends it matters, even if it is then refused for its method or its
	// fields, because some clients look for a challenge before all else. Endpoint is set then.
	Protected bool
}

// Refuse returns the verdict that refuses a request with a status. reason is a fixed text.
func Refuse(status int, reason string) Verdict {
	return Verdict{Route: RouteRefused, Status: status, Reason: reason}
}

// Trust says which hosts and origins a listener allows when Policy has no list of them.
type Trust uint8

const (
	TrustRemote   Trust = iota // any other address
	TrustLoopback              // a loopback address
	TrustUnix                  // a unix socket
)

// Policy holds the rules of the MCP endpoints. It is immutable.
type Policy struct {
	Path    string            // of the endpoint 0
	More    map[string]uint32 // the paths of other endpoints, which have numbers from 1
	Origins []string
	Hosts   []string
	Modern  bool // only 2026-07-28 is served, so there is no GET and no DELETE

	SSE, Messages string // paths of HTTP+SSE (2024-11-05); empty if it is not served
}

// Takes reports whether a path, as it is in a request-target, is one of an endpoint.
func (p *Policy) Takes(path string) bool { return takes(p, path) }

// Leaves reports whether a request is not for an endpoint, nor for the server as a whole.
func (p *Policy) Leaves(r *httpparse.Request) bool {
	return r.Form != httpparse.FormAsterisk && !takes(p, r.Path)
}

func takes[T string | []byte](p *Policy, path T) bool {
	return string(path) == p.Path || p.SSE != "" && (string(path) == p.SSE || string(path) == p.Messages) || p.More[string(path)] != 0
}

// Check applies the HTTP rules of Streamable HTTP that depend on the head alone (MCP 2026-07-28,
// basic/transports/streamable-http). It is a pure function.
func (p *Policy) Check(r *httpparse.Request, from Trust) Verdict {
	to, at, v := p.enter(r, from)
	if v.Route != RouteRefused || v.Status != 0 {
		return v
	}
	v = p.checkEndpoint(r, to)
	v.Protected, v.Endpoint = true, at
	return v
}

// enter is the part of Check that says for which endpoint a request is: to is RouteMCP, or one of
// HTTP+SSE. A verdict other than the zero Verdict is final.
func (p *Policy) enter(r *httpparse.Request, from Trust) (to Route, at uint32, v Verdict) {
	if r.Form == httpparse.FormAsterisk {
		// Only OPTIONS may have the asterisk form (RFC 9110 section 9.3.7). The parser enforces
		// this.
		return 0, 0, Verdict{Route: RouteOptions}
	}
	to = RouteMCP
	switch {
	case string(r.Path) == p.Path:
	case p.SSE != "" && string(r.Path) == p.SSE:
		to = RouteSSE
	case p.SSE != "" && string(r.Path) == p.Messages:
		to = RouteMessage
	case string(r.Path) == "/healthz":
		return 0, 0, probe(r, RouteHealth)
	case string(r.Path) == "/readyz":
		return 0, 0, probe(r, RouteReady)
	default:
		if at = p.More[string(r.Path)]; at == 0 {
			return 0, 0, Refuse(404, "no such resource")
		}
	}
	// "Servers MUST validate the Origin header on all incoming connections to prevent DNS rebinding
	// attacks": a request is refused if either Host or Origin is not allowed.
	if !p.hostAllowed(r.Host, from) {
		return 0, 0, Refuse(403, "host not allowed")
	}
	if r.Origin != nil && !p.originAllowed(r.Origin, from) {
		return 0, 0, Refuse(403, "origin not allowed")
	}
	if r.Method == httpparse.MethodOptions && r.Origin != nil {
		return 0, 0, Verdict{Route: RoutePreflight}
	}
	return to, at, Verdict{}
}

// checkEndpoint is the part of Check for an endpoint.
func (p *Policy) checkEndpoint(r *httpparse.Request, to Route) Verdict {
	if to != RouteMCP {
		return checkSSE(r, to)
	}
	switch r.Method {
	case httpparse.MethodPost:
	case httpparse.MethodGet:
		if p.Modern {
			return p.notAllowed()
		}
		v := Verdict{Route: RouteStream}
		if v.JSON, v.Stream = acceptable(r); !v.Stream {
			return Refuse(406, "client must accept text/event-stream")
		}
		return v
	case httpparse.MethodDelete:
		if p.Modern {
			return p.notAllowed()
		}
		return Verdict{Route: RouteDelete}
	default:
		return p.notAllowed()
	}
	if v := checkContentType(r); v.Status != 0 {
		return v
	}
	v := Verdict{Route: RouteMCP}
	v.JSON, v.Stream = acceptable(r)
	if !v.JSON && !v.Stream {
		return Refuse(406, "client must accept application/json or text/event-stream")
	}
	return v
}

// checkSSE is the part of Check that differs for HTTP+SSE (MCP 2024-11-05, basic/transports). The
// response to a POST there is only a status, so Accept does not matter.
func checkSSE(r *httpparse.Request, to Route) Verdict {
	v := Verdict{Route: to, JSON: true, Stream: true}
	switch {
	case to == RouteSSE && r.Method != httpparse.MethodGet:
		v = Refuse(405, "method not allowed")
		v.Allow = "GET"
	case to == RouteMessage && r.Method != httpparse.MethodPost:
		v = Refuse(405, "method not allowed")
		v.Allow = "POST"
	case to == RouteMessage:
		if refused := checkContentType(r); refused.Status != 0 {
			v = refused
		}
	case to == RouteSSE:
		if _, stream := acceptable(r); !stream {
			v = Refuse(406, "client must accept text/event-stream")
		}
	}
	return v
}

// SentTwice reports whether a field that may have only one value was sent more than once. It leaves
// out the fields that MCP itself checks for this.
func SentTwice(r *httpparse.Request) bool {
	var seen [4]bool
	for name := range r.Fields() {
		for i, single := range [...]string{"origin", "content-type", "authorization", "last-event-id"} {
			if equalFold(name, single) {
				if seen[i] {
					return true
				}
				seen[i] = true
			}
		}
	}
	return false
}

func (p *Policy) notAllowed() Verdict {
	v := Refuse(405, "method not allowed")
	if v.Allow = "GET, POST, DELETE"; p.Modern {
		v.Allow = "POST"
	}
	return v
}

func probe(r *httpparse.Request, to Route) Verdict {
	if r.Method == httpparse.MethodGet || r.Method == httpparse.MethodHead {
		return Verdict{Route: to}
	}
	return Verdict{Route: RouteRefused, Status: 405, Reason: "method not allowed", Allow: "GET, HEAD"}
}

func (p *Policy) hostAllowed(authority []byte, from Trust) bool {
	host := hostOf(authority)
	if len(p.Hosts) > 0 {
		for _, h := range p.Hosts {
			if h == "*" || equalFold(host, h) {
				return true
			}
		}
		return false
	}
	// HTTP/1.0 has no Host. DNS rebinding needs a browser, and no browser sends HTTP/1.0.
	return from != TrustLoopback || len(authority) == 0 || isLoopback(host)
}

func (p *Policy) originAllowed(origin []byte, from Trust) bool {
	for _, o := range p.Origins {
		if o == "*" || equalFold(origin, o) {
			return true
		}
	}
	if len(p.Origins) > 0 || from == TrustRemote {
		return false
	}
	u, err := url.Parse(string(origin))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	// "serialized-origin = scheme "://" host [ ":" port ]" (RFC 6454 section 7.1): nothing may
	// precede the host or follow the port.
	_, rest, _ := strings.Cut(string(origin), "//")
	return !strings.ContainsAny(rest, "/?#@") && isLoopback([]byte(u.Hostname()))
}

// hostOf returns the host of uri-host [":" port], without the brackets of an IPv6 address.
func hostOf(authority []byte) []byte {
	if len(authority) > 0 && authority[0] == '[' {
		if i := bytes.IndexByte(authority, ']'); i > 0 {
			return authority[1:i]
		}
		return authority
	}
	if i := bytes.IndexByte(authority, ':'); i >= 0 {
		return authority[:i]
	}
	return authority
}

func isLoopback(host []byte) bool {
	if equalFold(host, "localhost") || string(host) == "127.0.0.1" || string(host) == "::1" {
		return true
	}
	if n := len(host); n > len(".localhost") && equalFold(host[n-len(".localhost"):], ".localhost") {
		return true // RFC 6761 section 6.3
	}
	ip := net.ParseIP(string(host))
	return ip != nil && ip.IsLoopback()
}

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s)
}

// checkContentType refuses content that is not JSON without a content coding. Otherwise the status
// of the verdict is 0.
//
//	RFC 9110, section 8.4: "An origin server MAY respond with a status code of 415 (Unsupported
//	Media Type) if a representation in the request message has a content coding that is not
//	acceptable." Section 12.5.3: "identity" is "Used as a synonym for "no encoding"".
func checkContentType(r *httpparse.Request) Verdict {
	switch {
	case !isJSON(r.ContentType):
		return Refuse(415, "content type must be application/json")
	case len(r.ContentEncoding) > 0 && !equalFold(r.ContentEncoding, "identity"):
		return Refuse(415, "content must be sent without a content coding")
	}
	return Verdict{}
}

// isJSON reports whether a Content-Type names application/json, with any parameters (RFC 9110
// section 8.3.1).
func isJSON(ct []byte) bool {
	if i := bytes.IndexByte(ct, ';'); i >= 0 {
		ct = bytes.TrimRight(ct[:i], " \t")
	}
	return equalFold(ct, "application/json")
}

// acceptable reports which of the two forms of a response the client accepts. Without an Accept
// field, it accepts any (RFC 9110 section 12.5.1). A range with a weight of 0 does not count.
func acceptable(r *httpparse.Request) (json, stream bool) {
	if r.Accept == nil || !r.MoreAccept && string(r.Accept) == usualAccept {
		return true, true
	}
	var noJSON, noStream bool
	for name, value := range r.Fields() {
		if !equalFold(name, "accept") {
			continue
		}
		for len(value) > 0 {
			var item []byte
			item, value, _ = bytes.Cut(value, []byte{','})
			rng, params, _ := bytes.Cut(item, []byte{';'})
			rng = bytes.Trim(rng, " \t")
			if zeroWeight(params) {
				// The most specific range counts: "*/*, text/event-stream;q=0" accepts no stream.
				noJSON = noJSON || equalFold(rng, "application/json")
				noStream = noStream || equalFold(rng, "text/event-stream")
				continue
			}
			switch {
			case equalFold(rng, "application/json"):
				json = true
			case equalFold(rng, "text/event-stream"):
				stream = true
			case string(rng) == "*/*":
				json, stream = true, true
			case equalFold(rng, "application/*"):
				json = true
			case equalFold(rng, "text/*"):
				stream = true
			}
		}
	}
	return json && !noJSON, stream && !noStream
}

// usualAccept is what nearly all clients send.
const usualAccept = "application/json, text/event-stream"

// zeroWeight reports whether the parameters of a range have a weight of 0 (RFC 9110 section
// 12.4.2).
func zeroWeight(params []byte) bool {
	for len(params) > 0 {
		var p []byte
		p, params, _ = bytes.Cut(params, []byte{';'})
		p = bytes.Trim(p, " \t")
		if len(p) >= 3 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=' {
			return len(bytes.Trim(p[2:], "0.")) == 0
		}
	}
	return false
}
