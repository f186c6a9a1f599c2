package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// What belongs to one principal gets another exactly the answer that something unknown gets, octet
// for octet, and nothing happens to it.

// A foreignRig is a server with two callers, u1 and u2, whose tokens are their names.
type foreignRig struct {
	t    *testing.T
	addr string
	hold chan struct{} // ends a call of the tool hold
}

// foreignServers are how the rig is served. SSE says that HTTP+SSE is served too.
var foreignServers = []struct {
	name  string
	sse   bool
	serve func(t *testing.T, m *mcp.Server, o *server.Options) (addr string)
}{
	{"loops", true, func(t *testing.T, m *mcp.Server, o *server.Options) string {
		s := server.New(m, o)
		l, err := s.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_ = s.Shutdown(ctx)
			<-served
		})
		return l.Addr().String()
	}},
	{"net/http", false, func(t *testing.T, m *mcp.Server, o *server.Options) string {
		h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return m }, &server.StreamableHTTPOptions{Options: o})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		hs := &http.Server{Handler: h}
		go func() { _ = hs.Serve(l) }()
		t.Cleanup(func() {
			_ = hs.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_ = h.Shutdown(ctx)
		})
		return l.Addr().String()
	}},
}

func newForeignRig(t *testing.T, serve func(*testing.T, *mcp.Server, *server.Options) string, sse bool) *foreignRig {
	r := &foreignRig{t: t, hold: make(chan struct{})}
	m := newHandlerServer(t)
	mcp.AddTool(m, &mcp.Tool{Name: "ask"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		if len(req.Params.InputResponses) > 0 {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "answered"}}}, nil, nil
		}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: "who?"}}, RequestState: "asked"}, nil, nil
	})
	mcp.AddTool(m, &mcp.Tool{Name: "hold"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		_ = req.Progress(1, 2, "begun")
		select {
		case <-r.hold:
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "held"}}}, nil, nil
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	})
	m.AddResource(&mcp.Resource{URI: "test://a", Name: "a"}, func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "a"}}}, nil
	})
	var calls atomic.Int64
	o := authOptions(&calls, 0)
	if sse {
		o.SSEPath = "/sse"
	}
	r.addr = serve(t, m, o)
	return r
}

// foreignHead returns the head of a request up to the fields that differ.
func foreignHead(method, path, token string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token +
		"\r\nAccept: application/json, text/event-stream\r\n"
}

// foreignMessage returns a POST. Session and revision are left out if they are empty.
func foreignMessage(path, token, session, rev, body string) string {
	h := foreignHead("POST", path, token) + "Content-Type: application/json\r\n"
	if rev != "" {
		h += "MCP-Protocol-Version: " + rev + "\r\n"
	}
	if session != "" {
		h += "Mcp-Session-Id: " + session + "\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", h, len(body), body)
}

var dateLine = regexp.MustCompile(`Date: [^\r]*\r\n`)

// send sends a request on a new connection.
func (r *foreignRig) send(in string) (net.Conn, *bufio.Reader) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, in); err != nil {
		r.t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// raw returns the whole answer to a request, as it is on the wire but for its date. The connection
// is closed after it.
func (r *foreignRig) raw(in string) string {
	r.t.Helper()
	_, br := r.send(strings.Replace(in, "\r\n", "\r\nConnection: close\r\n", 1))
	out, err := io.ReadAll(br)
	if err != nil {
		r.t.Fatalf("%v after %q", err, out)
	}
	return dateLine.ReplaceAllString(string(out), "")
}

// open sends a request whose answer is a stream, and reads lines until one has the text.
func (r *foreignRig) open(in, text string) (c net.Conn, br *bufio.Reader, line string) {
	r.t.Helper()
	c, br = r.send(in)
	return c, br, r.until(br, text)
}

func (r *foreignRig) until(br *bufio.Reader, text string) string {
	r.t.Helper()
	var all strings.Builder
	for {
		line, err := br.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			r.t.Fatalf("%v: no %q in %q", err, text, all.String())
		}
		if strings.Contains(line, text) {
			return line
		}
	}
}

// begin begins a session and returns its ID.
func (r *foreignRig) begin(token, rev string) string {
	r.t.Helper()
	out := r.raw(foreignMessage("/mcp", token, "", "", fmt.Sprintf(
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{"elicitation":{}},"clientInfo":{"name":"x","version":"1"}}}`, rev)))
	_, rest, ok := strings.Cut(out, "Mcp-Session-Id: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	if !ok {
		r.t.Fatalf("initialize: %q", out)
	}
	if got := r.raw(foreignMessage("/mcp", token, id, rev, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)); !strings.HasPrefix(got, "HTTP/1.1 202 ") {
		r.t.Fatalf("initialized: %q", got)
	}
	return id
}

// forge returns an ID of the same length that nobody has issued.
func forge(id string) string {
	b := []byte(id)
	for _, i := range []int{len(b) / 3, len(b) / 2} {
		if b[i] = 'A'; id[i] == 'A' {
			b[i] = 'B'
		}
	}
	return string(b)
}

// wantSame checks that a request gets the same answer, with the status, for a foreign id as for all
// unknown ones.
func (r *foreignRig) wantSame(what string, status int, request func(id string) string, foreign string, unknown ...string) {
	r.t.Helper()
	answer := func(id string) string { return strings.ReplaceAll(r.raw(request(id)), id, "ID") }
	want := answer(foreign)
	if !strings.HasPrefix(want, fmt.Sprintf("HTTP/1.1 %d ", status)) {
		r.t.Errorf("%s: %q, want status %d", what, want, status)
	}
	for i, id := range unknown {
		if got := answer(id); got != want {
			r.t.Errorf("%s: of another principal\n%q\nunknown (%d)\n%q", what, want, i, got)
		}
	}
}

func TestForeign(t *testing.T) {
	for _, tt := range foreignServers {
		t.Run(tt.name, func(t *testing.T) {
			r := newForeignRig(t, tt.serve, tt.sse)
			for _, rev := range []string{"2025-03-26", "2025-06-18", "2025-11-25"} {
				r.session(rev)
			}
			r.requestState()
		})
	}
}

// session checks everything that names a session.
func (r *foreignRig) session(rev string) {
	t := r.t
	ann := r.begin("u1", rev)
	mine := r.begin("u2", rev)
	gone := r.begin("u2", rev)
	if got := r.raw(foreignHead("DELETE", "/mcp", "u2") + "Mcp-Session-Id: " + gone + "\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 20") {
		t.Fatalf("DELETE: %q", got)
	}
	message := func(token, id, body string) string { return foreignMessage("/mcp", token, id, rev, body) }
	get := func(token, id, last string) string {
		h := foreignHead("GET", "/mcp", token) + "MCP-Protocol-Version: " + rev + "\r\nMcp-Session-Id: " + id + "\r\n"
		if last != "" {
			h += "Last-Event-ID: " + last + "\r\n"
		}
		return h + "\r\n"
	}
	call := func(id int, tool string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{},"_meta":{"progressToken":%d}}}`, id, tool, id)
	}
	// What ann has: a stream, a call that runs, and one that asks her.
	stream, streamReader, _ := r.open(get("u1", ann, ""), "text/event-stream")
	_, held, _ := r.open(message("u1", ann, call(41, "hold")), "text/event-stream")
	event := strings.TrimSpace(strings.TrimPrefix(r.until(held, "id: "), "id: "))
	r.until(held, "begun")
	var asked *bufio.Reader
	question := `"none"`
	if rev != "2025-03-26" { // which has no elicitation
		_, br, line := r.open(message("u1", ann, call(42, "ask")), "elicitation/create")
		_, rest, _ := strings.Cut(line, `"id":`)
		question, _, _ = strings.Cut(rest, ",")
		asked = br
	}
	answer := `{"jsonrpc":"2.0","id":` + question + `,"result":{"action":"accept","content":{}}}`
	requests := map[string]func(id string) string{
		"a request": func(id string) string { return message("u2", id, `{"jsonrpc":"2.0","id":41,"method":"ping"}`) },
		"a list":    func(id string) string { return message("u2", id, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`) },
		"an inline call": func(id string) string {
			return message("u2", id, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"A":1,"B":2}}}`)
		},
		"a worker's call": func(id string) string { return message("u2", id, call(41, "who")) },
		"a notification": func(id string) string {
			return message("u2", id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		},
		"a cancellation": func(id string) string {
			return message("u2", id, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":41}}`)
		},
		"an answer": func(id string) string { return message("u2", id, answer) },
		"a subscription": func(id string) string {
			return message("u2", id, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"test://a"}}`)
		},
		"a log level": func(id string) string {
			return message("u2", id, `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`)
		},
		"an unknown method": func(id string) string { return message("u2", id, `{"jsonrpc":"2.0","id":1,"method":"no/such"}`) },
		"a stream":          func(id string) string { return get("u2", id, "") },
		"a resumed stream":  func(id string) string { return get("u2", id, event) },
		"an unknown event":  func(id string) string { return get("u2", id, "zz-77") },
		"DELETE": func(id string) string {
			return foreignHead("DELETE", "/mcp", "u2") + "MCP-Protocol-Version: " + rev + "\r\nMcp-Session-Id: " + id + "\r\n\r\n"
		},
	}
	if rev == "2025-03-26" {
		requests["a batch"] = func(id string) string {
			return message("u2", id, `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":41}}]`)
		}
	}
	for what, request := range requests {
		r.wantSame(rev+", "+what, 404, request, ann, forge(ann), gone, forge(gone), "no-session")
	}
	// In bob's own session, what happened in ann's is not there: both streams begin and say nothing.
	for _, last := range []string{event, "zz-77"} {
		c, br, _ := r.open(get("u2", mine, last), "text/event-stream")
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if rest, _ := io.ReadAll(br); strings.Contains(string(rest), "begun") || strings.Contains(string(rest), "data: {") {
			t.Errorf("%s: bob resumes at %s and gets %q", rev, last, rest)
		}
		_ = c.Close()
	}
	if got := r.raw(message("u2", mine, answer)); !strings.HasPrefix(got, "HTTP/1.1 202 ") {
		t.Errorf("%s: an answer that nobody waits for: %q", rev, got)
	}
	// Nothing has happened to what ann has.
	if asked != nil {
		if got := r.raw(message("u1", ann, answer)); !strings.HasPrefix(got, "HTTP/1.1 202 ") {
			t.Errorf("%s: ann's answer: %q", rev, got)
		}
		r.until(asked, "answered")
	}
	r.hold <- struct{}{}
	r.until(held, "held")
	_ = stream.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := io.Copy(io.Discard, streamReader); err == nil {
		t.Errorf("%s: ann's stream has ended", rev)
	}
	if got := r.raw(message("u1", ann, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("%s: ann's session: %q", rev, got)
	}
}

// requestState checks the states of multi round trips.
func (r *foreignRig) requestState() {
	retry := func(token, state string) string {
		more := ""
		if state != "" {
			more = `"requestState":"` + state + `","inputResponses":{"q":{"action":"accept","content":{}}},`
		}
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","arguments":{},` + more +
			`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`
		return strings.Replace(foreignMessage("/mcp", token, "", "2026-07-28", body), "\r\n", "\r\nMcp-Method: tools/call\r\nMcp-Name: ask\r\n", 1)
	}
	stateOf := func(token string) string {
		out := r.raw(retry(token, ""))
		_, rest, _ := strings.Cut(out, `"requestState":"`)
		state, _, ok := strings.Cut(rest, `"`)
		if !ok {
			r.t.Fatalf("no state in %q", out)
		}
		return state
	}
	ann, bob := stateOf("u1"), stateOf("u2")
	r.wantSame("requestState", 400, func(id string) string { return retry("u2", id) }, ann, forge(ann), forge(bob), "no-state")
	for token, state := range map[string]string{"u1": ann, "u2": bob} {
		if got := r.raw(retry(token, state)); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "answered") {
			r.t.Errorf("%s's own state: %q", token, got)
		}
	}
}

// TestForeignSSE is TestForeign for HTTP+SSE.
func TestForeignSSE(t *testing.T) {
	for _, tt := range foreignServers {
		if !tt.sse {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			r := newForeignRig(t, tt.serve, true)
			begin := func(token string) (net.Conn, string) {
				c, _, line := r.open(foreignHead("GET", "/sse", token)+"\r\n", "sessionId=")
				_, id, _ := strings.Cut(strings.TrimSpace(line), "sessionId=")
				return c, id
			}
			_, ann := begin("u1")
			c, gone := begin("u2")
			_ = c.Close()
			const path = "/sse/message"
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if got := r.raw(foreignMessage(path+"?sessionId="+gone, "u2", "", "", `{"jsonrpc":"2.0","id":1,"method":"ping"}`)); strings.HasPrefix(got, "HTTP/1.1 404 ") {
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("the session does not end with its stream: %q", got)
				}
			}
			for what, body := range map[string]string{
				"a request":      `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
				"a cancellation": `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":41}}`,
				"an answer":      `{"jsonrpc":"2.0","id":"q","result":{}}`,
			} {
				r.wantSame(what, 404, func(id string) string { return foreignMessage(path+"?sessionId="+id, "u2", "", "", body) },
					ann, forge(ann), gone, "no-session")
			}
			if got := r.raw(foreignMessage(path+"?sessionId="+ann, "u1", "", "", `{"jsonrpc":"2.0","id":1,"method":"ping"}`)); !strings.HasPrefix(got, "HTTP/1.1 202 ") {
				t.Errorf("ann's session: %q", got)
			}
		})
	}
}
