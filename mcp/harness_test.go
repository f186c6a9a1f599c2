package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

const modern = "2026-07-28"

// A client is a peer of a server without a wire. It writes requests as a client
// would, and checks every message that it gets against the official schema.
type client struct {
	t         testing.TB
	s         *Server
	schema    *wirecheck.Checker
	caps      string // JSON of the declared capabilities
	meta      string // further members of _meta, beginning with a comma
	principal string
	session   *SessionInfo // nil for a modern client
	next      int
	refusal   *jsonrpc.Error // of the transport
}

// legacies are the revisions that have sessions.
var legacies = []string{"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

// newLegacyClient returns the client of a session with the capabilities.
func newLegacyClient(t testing.TB, s *Server, revision, caps string) *client {
	t.Helper()
	c := newClient(t, s)
	a := c.initialize(revision, caps)
	a.wantResult("initialize at "+revision, `"protocolVersion":"`+revision+`"`)
	if a.opened == nil || a.opened.Revision != revision {
		t.Fatalf("initialize at %s opened %+v", revision, a.opened)
	}
	c.session = a.opened
	return c
}

func (c *client) initialize(revision, caps string) *answer {
	c.t.Helper()
	return c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":"tester","version":"1"}}}`, revision, caps), nil)
}

func newClient(t testing.TB, s *Server) *client {
	t.Helper()
	return &client{t: t, s: s, schema: wirecheck.Open(t), caps: `{}`}
}

// An answer is what the client gets for one message.
type answer struct {
	t        testing.TB
	kind     CallKind
	inline   bool
	status   int
	code     jsonrpc.Code
	message  string // of an error
	notified []string
	body     string // the response
	listen   *Listen
	opened   *SessionInfo // the session that the transport has opened
	op       SessionOp    // what the transport has done for the session
	accepted bool         // the call has ended without a response
}

// recorder is a Sink that keeps what it gets and checks the contract of Sink.
type recorder struct {
	mu        sync.Mutex
	t         testing.TB
	refuse    bool // Notify takes nothing
	notified  []string
	body      string
	code      jsonrpc.Code
	responses int
	onNotify  func()

	opened   *SessionInfo
	op       SessionOp
	accepted bool
	refusal  *jsonrpc.Error // of what an Operator does
}

// OpenSession implements Operator.
func (r *recorder) OpenSession(info *SessionInfo) (string, *jsonrpc.Error) {
	if r.opened != nil || r.responses > 0 {
		r.t.Errorf("opened twice, or too late: %+v", info)
	}
	if r.refusal == nil {
		r.opened = info
	}
	return "opened", r.refusal
}

// Apply implements Operator.
func (r *recorder) Apply(op SessionOp) *jsonrpc.Error {
	if r.responses > 0 {
		r.t.Errorf("applied too late: %+v", op)
	}
	if r.refusal == nil {
		r.op = op
	}
	return r.refusal
}

// Accept implements Operator.
func (r *recorder) Accept() {
	if r.accepted || r.responses > 0 {
		r.t.Error("accepted twice, or too late")
	}
	r.accepted = true
}

func (r *recorder) Notify(msg []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.responses > 0 {
		r.t.Errorf("notified behind the response: %s", msg)
	}
	if r.refuse {
		return false
	}
	r.notified = append(r.notified, string(msg))
	if r.onNotify != nil {
		r.onNotify()
	}
	return true
}

func (r *recorder) Respond(msg []byte, code jsonrpc.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.responses++
	if r.responses > 1 {
		r.t.Errorf("response %d: %s", r.responses, msg)
	}
	r.body, r.code = string(msg), code
}

// params returns a params object with the client's _meta and the members.
func (c *client) params(members string) string {
	if c.session != nil {
		var parts []string
		if c.meta != "" {
			parts = append(parts, `"_meta":{`+c.meta[1:]+`}`)
		}
		if members != "" {
			parts = append(parts, members)
		}
		return `{` + strings.Join(parts, ",") + `}`
	}
	meta := fmt.Sprintf(`{"_meta":{%q:%q,%q:%s%s}`, MetaKeyProtocolVersion, modern, MetaKeyClientCapabilities, c.caps, c.meta)
	if members != "" {
		meta += "," + members
	}
	return meta + "}"
}

// call sends a request with the members of params in addition to _meta.
func (c *client) call(method, members string) *answer {
	c.t.Helper()
	return c.callHTTP(method, members, nil)
}

// callHTTP is like call, with the meta of the transport.
func (c *client) callHTTP(method, members string, meta *RequestMeta) *answer {
	c.t.Helper()
	c.next++
	return c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, c.next, method, c.params(members)), meta)
}

// send sends a message as it is.
func (c *client) send(body string, meta *RequestMeta) *answer {
	c.t.Helper()
	if meta == nil {
		meta = new(RequestMeta)
	}
	meta.Principal = c.principal
	if meta.Session == nil {
		meta.Session = c.session
	}
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(body)); err != nil {
		c.t.Fatalf("%s: %v", body, err)
	}
	var call Call
	w := &recorder{t: c.t, refusal: c.refusal}
	a := &answer{t: c.t}
	if e := c.s.Prepare(&call, &m, meta); e != nil {
		w.body, w.code = string(jsonrpc.AppendError(nil, call.ID(), e)), e.Code
	} else {
		a.kind, a.inline = call.Kind(), call.Inline()
		call.Run(c.t.Context(), w)
		ends := 1
		switch {
		case a.kind == CallUnprepared, a.kind == CallAnswer, a.inline && (a.kind == CallNotification || a.kind == CallListen):
			ends = 0
		case w.accepted:
			ends = 0
			if a.kind != CallNotification && a.kind != CallListen {
				c.t.Errorf("%s: accepted, kind %d", body, a.kind)
			}
		}
		if w.responses != ends {
			c.t.Errorf("%s: %d responses, want %d", body, w.responses, ends)
		}
		a.listen, a.opened, a.op, a.accepted = call.Listen(), w.opened, w.op, w.accepted
		if a.inline { // the transport has done it before
			a.opened, a.op = call.NewSession(), call.Op()
		}
	}
	a.status, a.code, a.body, a.notified = call.Status(w.code), w.code, w.body, w.notified
	if a.code != 0 {
		var e struct{ Error struct{ Message string } }
		if err := json.Unmarshal([]byte(a.body), &e); err != nil {
			c.t.Errorf("%s: %v", a.body, err)
		}
		a.message = e.Error.Message
	}
	revision := modern
	if call.rev != nil {
		revision = call.rev.name
	}
	c.check(revision, call.Method().String(), a)
	return a
}

// check validates the messages of a.
func (c *client) check(revision, method string, a *answer) {
	c.t.Helper()
	if c.schema == nil {
		return
	}
	for _, n := range a.notified {
		c.schema.Message(c.t, revision, "", []byte(n))
	}
	if a.body != "" {
		if a.code != 0 {
			method = ""
		}
		c.schema.Message(c.t, revision, method, []byte(a.body))
	}
}

// result returns the result as a map, and fails the test if there is none.
func (a *answer) result() map[string]any {
	a.t.Helper()
	var m struct{ Result map[string]any }
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || m.Result == nil {
		a.t.Fatalf("no result in %s (%v)", a.body, err)
	}
	return m.Result
}

// data returns the data of an error as text.
func (a *answer) data() string {
	var m struct {
		Error struct{ Data json.RawMessage }
	}
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		a.t.Fatal(err)
	}
	return string(m.Error.Data)
}

// text returns the text of the first content of a tool's result.
func (a *answer) text() string {
	a.t.Helper()
	content, _ := a.result()["content"].([]any)
	if len(content) == 0 {
		a.t.Fatalf("no content in %s", a.body)
	}
	block, _ := content[0].(map[string]any)
	text, _ := block["text"].(string)
	return text
}

func (a *answer) wantError(why string, code jsonrpc.Code, status int, words ...string) {
	a.t.Helper()
	if a.code != code || a.status != status {
		a.t.Errorf("%s: code %d, status %d, want %d, %d (%s)", why, a.code, a.status, code, status, a.body)
	}
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			a.t.Errorf("%s: %q is not in %s", why, w, a.body)
		}
	}
}

func (a *answer) wantResult(why string, words ...string) {
	a.t.Helper()
	if a.code != 0 || a.status != 200 || a.body == "" {
		a.t.Errorf("%s: code %d, status %d: %s", why, a.code, a.status, a.body)
	}
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			a.t.Errorf("%s: %q is not in %s", why, w, a.body)
		}
	}
}

// These are the features that most tests have on their server.

type addIn struct {
	A int `json:"a"`
	B int `json:"b"`
}

type addOut struct {
	Sum int `json:"sum"`
}

func add(_ *CallToolRequest, in addIn) (addOut, error) { return addOut{in.A + in.B}, nil }

type echoIn struct {
	Text string `json:"text" jsonschema:"what to say again"`
}

func echo(_ context.Context, _ *CallToolRequest, in echoIn) (*CallToolResult, any, error) {
	return &CallToolResult{Content: []Content{&TextContent{Text: in.Text}}}, nil, nil
}

func newTestServer(t testing.TB, opts *ServerOptions) *Server {
	t.Helper()
	s := NewServer(&Implementation{Name: "test", Version: "v1.0.0"}, opts)
	t.Cleanup(s.Close)
	AddInlineTool(s, &Tool{Name: "add", Description: "Sum of two integers."}, add)
	AddTool(s, &Tool{Name: "echo", Description: "Says it again."}, echo)
	return s
}

// noRead is the handler of resources that nobody reads.
func noRead(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
	return nil, ResourceNotFoundError(req.Params.URI)
}
