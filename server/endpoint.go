package server

import (
	"bytes"
	"net"
	"net/url"
	"strings"

	"github.com/mooring-mcp/mooring/httpparse"
)

// route is what a request head asks for.
type route uint8

const (
	routeRefused   route = iota // answered with verdict.status
	routeMCP                    // a message for the MCP endpoint
	routeStream                 // GET of the MCP endpoint
	routeDelete                 // DELETE of the MCP endpoint
	routeHealth                 // GET or HEAD /healthz
	routeReady                  // GET or HEAD /readyz
	routeOptions                // OPTIONS *
	routePreflight              // a CORS preflight of an endpoint
	routeSSE                    // GET of the HTTP+SSE endpoint
	routeMessage                // a message for the HTTP+SSE endpoint
)

// takesMessage reports whether the content is a message, which is waited for.
func (r route) takesMessage() bool { return r == routeMCP || r == routeMessage }

// verdict is what check decides of a head.
type verdict struct {
	route  route
	status int    // when refused
	reason string // fixed text for the peer
	allow  string // value of Allow with 405
	json   bool   // the client takes application/json
	stream bool   // the client takes text/event-stream
}

func refuse(status int, reason string) verdict {
	return verdict{route: routeRefused, status: status, reason: reason}
}

// trust says what a listener lets pass when no list is given.
type trust uint8

const (
	trustRemote   trust = iota
	trustLoopback       // bound to a loopback address
	trustUnix           // a unix socket
)

// policy holds the rules of the MCP endpoint. It is immutable.
type policy struct {
	path    string
	origins []string
	hosts   []string
	modern  bool // no GET and DELETE: revisions before 2026-07-28 are not served

	sse, messages string // of HTTP+SSE (2024-11-05); empty: it is not served
}

// check applies the HTTP rules of Streamable HTTP that need the head alone (MCP 2026-07-28, basic/transports/streamable-http). It is a pure function.
func (p *policy) check(r *httpparse.Request, from trust) verdict {
	if r.Form == httpparse.FormAsterisk {
		// Only OPTIONS may have the asterisk form (RFC 9110 section 9.3.7); the parser holds that.
		return verdict{route: routeOptions}
	}
	to := routeMCP
	switch {
	case string(r.Path) == p.path:
	case p.sse != "" && string(r.Path) == p.sse:
		to = routeSSE
	case p.sse != "" && string(r.Path) == p.messages:
		to = routeMessage
	case string(r.Path) == "/healthz":
		return probe(r, routeHealth)
	case string(r.Path) == "/readyz":
		return probe(r, routeReady)
	default:
		return refuse(404, "no such resource")
	}
	// "Servers MUST validate the Origin header on all incoming connections to prevent DNS rebinding attacks": each of Host and Origin alone can refuse.
	if !p.hostAllowed(r.Host, from) {
		return refuse(403, "host not allowed")
	}
	if r.Origin != nil && !p.originAllowed(r.Origin, from) {
		return refuse(403, "origin not allowed")
	}
	if r.Method == httpparse.MethodOptions && r.Origin != nil {
		return verdict{route: routePreflight}
	}
	if to != routeMCP {
		return checkSSE(r, to)
	}
	switch r.Method {
	case httpparse.MethodPost:
	case httpparse.MethodGet:
		if p.modern {
			return p.notAllowed()
		}
		v := verdict{route: routeStream}
		if v.json, v.stream = acceptable(r); !v.stream {
			return refuse(406, "client must accept text/event-stream")
		}
		return v
	case httpparse.MethodDelete:
		if p.modern {
			return p.notAllowed()
		}
		return verdict{route: routeDelete}
	default:
		return p.notAllowed()
	}
	if v := checkContentType(r); v.status != 0 {
		return v
	}
	v := verdict{route: routeMCP}
	v.json, v.stream = acceptable(r)
	if !v.json && !v.stream {
		return refuse(406, "client must accept application/json or text/event-stream")
	}
	return v
}

// checkSSE is the part of check that differs for HTTP+SSE (MCP 2024-11-05, basic/transports). A POST has no answer but its status, so Accept says nothing there.
func checkSSE(r *httpparse.Request, to route) verdict {
	v := verdict{route: to, json: true, stream: true}
	switch {
	case to == routeSSE && r.Method != httpparse.MethodGet:
		v = refuse(405, "method not allowed")
		v.allow = "GET"
	case to == routeMessage && r.Method != httpparse.MethodPost:
		v = refuse(405, "method not allowed")
		v.allow = "POST"
	case to == routeMessage:
		if refused := checkContentType(r); refused.status != 0 {
			v = refused
		}
	case to == routeSSE:
		if _, stream := acceptable(r); !stream {
			v = refuse(406, "client must accept text/event-stream")
		}
	}
	return v
}

// sentTwice reports whether a field that has one value was sent more than once, those that MCP itself refuses excepted.
func sentTwice(r *httpparse.Request) bool {
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

func (p *policy) notAllowed() verdict {
	v := refuse(405, "method not allowed")
	if v.allow = "GET, POST, DELETE"; p.modern {
		v.allow = "POST"
	}
	return v
}

func probe(r *httpparse.Request, to route) verdict {
	if r.Method == httpparse.MethodGet || r.Method == httpparse.MethodHead {
		return verdict{route: to}
	}
	return verdict{route: routeRefused, status: 405, reason: "method not allowed", allow: "GET, HEAD"}
}

func (p *policy) hostAllowed(authority []byte, from trust) bool {
	host := hostOf(authority)
	if len(p.hosts) > 0 {
		for _, h := range p.hosts {
			if h == "*" || equalFold(host, h) {
				return true
			}
		}
		return false
	}
	// HTTP/1.0 has no Host; nothing that rebinds a name speaks it.
	return from != trustLoopback || len(authority) == 0 || isLoopback(host)
}

func (p *policy) originAllowed(origin []byte, from trust) bool {
	for _, o := range p.origins {
		if o == "*" || equalFold(origin, o) {
			return true
		}
	}
	if len(p.origins) > 0 || from == trustRemote {
		return false
	}
	u, err := url.Parse(string(origin))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	// "serialized-origin = scheme "://" host [ ":" port ]" (RFC 6454 section 7.1): nothing before the host and nothing behind the port.
	_, rest, _ := strings.Cut(string(origin), "//")
	return !strings.ContainsAny(rest, "/?#@") && isLoopback([]byte(u.Hostname()))
}

// hostOf returns the host of uri-host [":" port], the brackets of an IPv6 address taken off.
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

// checkContentType refuses content that is not JSON as it is sent. Its status is 0 otherwise.
//
//	RFC 9110, section 8.4: "An origin server MAY respond with a status code of 415 (Unsupported
//	Media Type) if a representation in the request message has a content coding that is not
//	acceptable." Section 12.5.3: "identity" is "Used as a synonym for "no encoding"".
func checkContentType(r *httpparse.Request) verdict {
	switch {
	case !isJSON(r.ContentType):
		return refuse(415, "content type must be application/json")
	case len(r.ContentEncoding) > 0 && !equalFold(r.ContentEncoding, "identity"):
		return refuse(415, "content must be sent without a content coding")
	}
	return verdict{}
}

// isJSON reports whether a Content-Type names application/json, with any parameters (RFC 9110 section 8.3.1).
func isJSON(ct []byte) bool {
	if i := bytes.IndexByte(ct, ';'); i >= 0 {
		ct = bytes.TrimRight(ct[:i], " \t")
	}
	return equalFold(ct, "application/json")
}

// acceptable reports which of the two forms of an answer the client takes. No Accept field means any (RFC 9110 section 12.5.1); a range of weight 0 does not count.
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
				// The most specific range counts: "*/*, text/event-stream;q=0" takes no stream.
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
