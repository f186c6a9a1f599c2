// Package bridge serves an MCP server that speaks stdio at an HTTP URL, so that the official
// conformance suite, which speaks HTTP alone, can test it.
//
// It applies the rules of Streamable HTTP itself, with mcp.Server.Prepare, and passes on every
// message that they admit. All requests of 2026-07-28 share one process of the server. Each session
// of an earlier revision has a process of its own, which ends with the session.
package bridge

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// Bridge is the HTTP side, an http.Handler for /mcp and /healthz.
type Bridge struct {
	command []string
	rules   *mcp.Server // prepares messages to check them, and answers none
	shared  *process    // serves the requests of 2026-07-28

	mu       sync.Mutex
	sessions map[string]*session
}

// session is a session of an earlier revision and its process.
type session struct {
	*process
	info mcp.SessionInfo
}

// New returns a Bridge to the server that command runs. rules is a server with the same features;
// it answers nothing. The caller closes the Bridge.
func New(command []string, rules *mcp.Server) (*Bridge, error) {
	shared, err := start(command)
	if err != nil {
		return nil, err
	}
	return &Bridge{command: command, rules: rules, shared: shared, sessions: make(map[string]*session)}, nil
}

// Close ends all processes and waits for them.
func (b *Bridge) Close() {
	b.shared.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		s.close()
	}
}

func (b *Bridge) session(id string) *session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[id]
}

const maxBody = 4 << 20

// ServeHTTP implements http.Handler.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Mcp-Session-Id")
	s := b.session(id)
	switch {
	case r.URL.Path == "/healthz":
	case r.URL.Path != "/mcp":
		http.NotFound(w, r)
	case !local(r.Host) || !localOrigin(r.Header.Get("Origin")):
		http.Error(w, "not allowed", http.StatusForbidden)
	case r.Method == http.MethodPost:
		b.post(w, r, id, s)
	case r.Method == http.MethodGet && s != nil:
		s.serveRest(w, r)
	case r.Method == http.MethodDelete && s != nil:
		b.mu.Lock()
		delete(b.sessions, id)
		b.mu.Unlock()
		s.close()
	case (r.Method == http.MethodGet || r.Method == http.MethodDelete) && id != "":
		http.NotFound(w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodDelete:
		http.Error(w, "no session", http.StatusBadRequest)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// local reports whether host names this machine: the bridge listens on loopback alone.
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func localOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "" || err == nil && local(u.Host)
}

// post serves a POST. s is nil if id names no session.
func (b *Bridge) post(w http.ResponseWriter, r *http.Request, id string, s *session) {
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
		http.Error(w, "content must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "content too long", http.StatusRequestEntityTooLarge)
		return
	}
	meta := metaOf(r)
	if s != nil {
		meta.Session, meta.SessionID = &s.info, id
	}
	var m jsonrpc.Envelope
	var call mcp.Call
	if err := m.Decode(body); err != nil {
		writeError(w, http.StatusBadRequest, nil, &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "parse error"})
		return
	}
	e := b.rules.Prepare(&call, &m, meta)
	modern := call.ClaimsModern() && !call.Legacy()
	switch {
	case id != "" && s == nil && !modern:
		http.NotFound(w, r)
	case e != nil:
		writeError(w, call.Status(e.Code), m.ID, e)
	case modern && call.Kind() == mcp.CallNotification:
		b.pass(w, b.shared, body)
	case modern:
		b.serve(w, r, b.shared, body, "")
	case call.Kind() == mcp.CallInitialize:
		b.initialize(w, r, call.NewSession(), body)
	case s == nil:
		http.Error(w, "no session", http.StatusBadRequest)
	case call.Kind() == mcp.CallNotification || call.Kind() == mcp.CallAnswer:
		b.pass(w, s.process, body)
	default:
		b.serve(w, r, s.process, body, "")
	}
}

// metaOf returns what the head of a request says of its message.
func metaOf(r *http.Request) *mcp.RequestMeta {
	field := func(name string) []byte {
		if v := r.Header.Values(name); len(v) > 0 {
			return []byte(strings.TrimSpace(v[0]))
		}
		return nil
	}
	meta := &mcp.RequestMeta{
		HTTP:            true,
		ProtocolVersion: field("Mcp-Protocol-Version"),
		Method:          field("Mcp-Method"),
		Name:            field("Mcp-Name"),
		Params: func(yield func(name, value []byte) bool) {
			for name, values := range r.Header {
				param, ok := strings.CutPrefix(name, "Mcp-Param-")
				for i := 0; ok && i < len(values); i++ {
					if !yield([]byte(param), []byte(strings.TrimSpace(values[i]))) {
						return
					}
				}
			}
		},
	}
	for _, name := range []string{"Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name"} {
		meta.Duplicate = meta.Duplicate || len(r.Header.Values(name)) > 1
	}
	return meta
}

// initialize starts a process for a new session.
func (b *Bridge) initialize(w http.ResponseWriter, r *http.Request, info *mcp.SessionInfo, body []byte) {
	p, err := start(b.command)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	id := rand.Text()
	b.mu.Lock()
	b.sessions[id] = &session{p, *info}
	b.mu.Unlock()
	b.serve(w, r, p, body, id)
}

// pass gives the server a message that has no response.
func (b *Bridge) pass(w http.ResponseWriter, p *process, body []byte) {
	if err := p.notify(body); err != nil {
		http.Error(w, "the server has ended", http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// serve gives the server a request and writes its messages: as JSON if the response is the only
// one, otherwise as an event stream. session is the ID of a new session.
func (b *Bridge) serve(w http.ResponseWriter, r *http.Request, p *process, body []byte, session string) {
	x, err := p.request(body)
	if err != nil {
		http.Error(w, "the server has ended", http.StatusBadGateway)
		return
	}
	if session != "" {
		w.Header().Set("Mcp-Session-Id", session)
	}
	var msg []byte
	var ok bool
	select {
	case msg, ok = <-x.messages:
	case <-r.Context().Done():
		p.cancel(x)
		return
	}
	if !ok {
		http.Error(w, "the server has ended", http.StatusBadGateway)
		return
	}
	if code, isResponse := codeOf(msg); isResponse {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(statusOf(b.rules, body, r, code))
		_, _ = w.Write(msg)
		return
	}
	writeStream(w, r, x, msg)
	if r.Context().Err() != nil {
		p.cancel(x)
	}
}

// codeOf returns the code of a response, 0 for a result.
func codeOf(msg []byte) (code jsonrpc.Code, isResponse bool) {
	var m struct {
		Method string
		Error  struct{ Code jsonrpc.Code }
	}
	_ = json.Unmarshal(msg, &m)
	return m.Error.Code, m.Method == ""
}

// statusOf returns the status of a response in the revision of its request.
func statusOf(rules *mcp.Server, body []byte, r *http.Request, code jsonrpc.Code) int {
	var m jsonrpc.Envelope
	var call mcp.Call
	if m.Decode(body) == nil {
		rules.Prepare(&call, &m, metaOf(r))
	}
	return call.Status(code)
}

// serveRest serves the GET stream of a session: what belongs to no request.
func (s *session) serveRest(w http.ResponseWriter, r *http.Request) {
	x := &exchange{messages: make(chan []byte, 1024)}
	s.mu.Lock()
	s.rest = x
	s.mu.Unlock()
	writeStream(w, r, x, nil)
	s.mu.Lock()
	if s.rest == x {
		s.rest = nil
	}
	s.mu.Unlock()
}

// writeStream writes an event stream: first, unless it is nil, and then the messages of x.
func writeStream(w http.ResponseWriter, r *http.Request, x *exchange, first []byte) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	if first != nil {
		fmt.Fprintf(w, "data: %s\n\n", first)
	}
	_ = flush()
	for {
		select {
		case msg, ok := <-x.messages:
			if !ok {
				return
			}
			fmt.Fprintf(w, "data: %s\n\n", msg)
			_ = flush()
		case <-r.Context().Done():
			return
		}
	}
}

func writeError(w http.ResponseWriter, status int, id []byte, e *jsonrpc.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(jsonrpc.AppendError(nil, id, e))
}
