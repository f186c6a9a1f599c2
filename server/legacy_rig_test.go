package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// A port is a rig of two loops, with a tool that does what the test says. Both loops run on the
// test's goroutine, one turn after the other.
type port struct {
	*rig
	loops []*loop
	cues  map[string]chan string
}

type playIn struct {
	Part string `json:"part"`
}

// newPort returns a port. Changes are told when the test says so.
func newPort(t testing.TB, opts *Options) *port {
	t.Helper()
	var o Options
	if opts != nil {
		o = *opts
	}
	o.NoticeDelay = 1000 * time.Hour
	r := &port{cues: make(map[string]chan string)}
	r.rig = newRig(t, &o, func(o *mcp.ServerOptions) {
		o.Capabilities = &mcp.ServerCapabilities{Logging: &mcp.LoggingCapabilities{}}
	})
	for _, part := range []string{"a", "b", "c", "d"} {
		r.cues[part] = make(chan string, 1024)
	}
	mcp.AddTool(r.ms, &mcp.Tool{Name: "play"}, r.play)
	r.loops = []*loop{r.l, newLoop(r.s, 1, r.base)}
	r.s.mu.Lock()
	r.s.loops = r.loops
	r.s.mu.Unlock()
	r.tell()
	// a call that waits for its client has no goroutine that the end of the server could wake
	t.Cleanup(func() {
		for _, l := range r.loops {
			l.guard(func() { l.startDrain(&drainOrder{}) })()
		}
		r.run()
	})
	return r
}

// play is a handler that follows its cues: "end", "ask N", "close", "deaf"; anything else is told
// to the client.
func (r *port) play(ctx context.Context, req *mcp.CallToolRequest, in playIn) (*mcp.CallToolResult, any, error) {
	text := func(s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}, nil, nil
	}
	if answers := req.Params.InputResponses; len(answers) > 0 {
		var all []string
		for key, a := range answers {
			all = append(all, key+"="+a.(*mcp.ElicitResult).Action)
		}
		slices.Sort(all)
		return text(strings.Join(all, " "))
	}
	done := ctx.Done()
	for {
		select {
		case cue := <-r.cues[in.Part]:
			var n int
			switch {
			case cue == "end":
				return text("the end of " + in.Part)
			case cue == "deaf":
				done = nil
			case cue == "close":
				req.Session.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: 1500 * time.Millisecond})
			case strings.HasPrefix(cue, "ask "):
				_, _ = fmt.Sscanf(cue, "ask %d", &n)
				asks := make(mcp.InputRequestMap)
				for i := range n {
					asks[fmt.Sprint("q", i)] = &mcp.ElicitParams{Message: fmt.Sprint("question ", i)}
				}
				return &mcp.CallToolResult{InputRequests: asks}, nil, nil
			default:
				_ = req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: cue})
			}
		case <-done:
			r.causes <- context.Cause(ctx)
			return nil, nil, ctx.Err()
		}
	}
}

// tell tells the loops of what has changed.
func (r *port) tell() {
	r.s.notices.flush()
	r.run()
}

// wait lets time pass on all loops, with all that a tick does.
func (r *port) wait(d time.Duration) {
	for range d / tickUnit {
		for _, l := range r.loops {
			l.now++
			l.guard(l.turn)()
		}
		r.run()
	}
}

// dial opens a connection on a loop.
func (r *port) dial(loop int) *fakePeer {
	p := &fakePeer{r: r.rig, room: -1}
	p.c = &conn{loop: r.loops[loop], trust: endpoint.TrustLoopback}
	r.s.admission.Reserve(false)
	p.c.open(p, p.c.loop.now)
	r.peers = append(r.peers, p)
	return p
}

// wantHarmony holds the port to what is true between two turns.
func (r *port) wantHarmony(why string) {
	r.t.Helper()
	if err := r.harmony(); err != nil {
		r.t.Fatalf("%s: %v", why, err)
	}
}

func (r *port) harmony() error {
	open, streams := 0, 0
	for i, l := range r.loops {
		mine, here := 0, 0
		for _, c := range l.slots {
			if c == nil {
				continue
			}
			mine++
			if c.has(flagStreaming) {
				here++
			}
			if (c.state == connStateStream) != c.has(flagStreaming) {
				return fmt.Errorf("loop %d: a connection in state %v, streaming %v", i, c.state, c.has(flagStreaming))
			}
			if c.state == connStateCall && (c.x == nil || c.x.job == nil) {
				return fmt.Errorf("loop %d: a connection waits for no call", i)
			}
		}
		if l.wheel.Armed() != mine {
			return fmt.Errorf("loop %d: %d deadlines for %d connections", i, l.wheel.Armed(), mine)
		}
		if len(l.out) > 0 {
			return fmt.Errorf("loop %d: %q is left behind", i, l.out)
		}
		seen := make(map[*job]bool)
		for _, j := range l.jobs {
			if seen[j] {
				return fmt.Errorf("loop %d: a job is free twice", i)
			}
			if seen[j] = true; j.legacy.registered || j.legacy.phase != phaseRunning || j.legacy.link != linkAttached || j.content != nil {
				return fmt.Errorf("loop %d: a free job is in use", i)
			}
		}
		open += mine
		streams += here
	}
	for i, l := range r.loops {
		for _, d := range l.detached {
			if d.job.gen == d.gen && d.job.legacy.phase != phaseAnswered && d.job.unsent.Load() != 0 {
				return fmt.Errorf("loop %d: a call without connection has %d bytes waiting there", i, d.job.unsent.Load())
			}
		}
	}
	held, _ := r.s.sessions.Audit()
	switch {
	case r.s.admission.Connections() != int64(open):
		return fmt.Errorf("%d connections, %d counted", open, r.s.admission.Connections())
	case r.s.streams.Load() != int64(streams):
		return fmt.Errorf("%d streams, %d counted", streams, r.s.streams.Load())
	case r.s.sessions.Stats() != held:
		return fmt.Errorf("the table holds %+v, counted are %+v", held, r.s.sessions.Stats())
	}
	return nil
}

// wantNothingHeld holds that nothing of any session is left.
func (r *port) wantNothingHeld(why string) {
	r.t.Helper()
	r.wantHarmony(why)
	if held := r.s.sessions.Stats(); held.Sessions != 0 || r.s.calls.Load() != 0 || r.s.loose.Load() != 0 || held.ReplayBytes != 0 {
		r.t.Fatalf("%s: %d sessions with state, %d calls, %d without connection, %d bytes to replay", why, held.Sessions, r.s.calls.Load(), r.s.loose.Load(), held.ReplayBytes)
	}
}

// callsEnd waits until no call is left.
func (r *port) callsEnd(why string) {
	r.t.Helper()
	// A worker counts its call out before it gives it back.
	r.await(why, func() bool { return r.s.calls.Load() == 0 && r.callsInFlight() == 0 })
	r.run()
}

// A session is a client's side of a session.
type sessionClient struct {
	*port
	rev string
	id  string
}

const allCaps = `{"sampling":{},"elicitation":{},"roots":{}}`

// initialize opens a session of the revision.
func (r *port) initialize(rev string) *sessionClient {
	r.t.Helper()
	p := r.dial(0)
	p.send(post("", "", initializeBody(rev)))
	res := p.wantResponse("initialize", 200)
	s := &sessionClient{r, rev, res.head.Get("Mcp-Session-Id")}
	if s.id == "" || !strings.Contains(res.body, `"protocolVersion":"`+rev+`"`) {
		r.t.Fatalf("initialize: session %q, %s", s.id, res.body)
	}
	r.schema.Message(r.t, rev, "initialize", []byte(res.body))
	p.send(s.message(`{"jsonrpc":"2.0","method":"notifications/initialized"}`))
	if res := p.wantResponse("initialized", 202); res.body != "" {
		r.t.Fatalf("initialized: %q", res.body)
	}
	p.fin()
	return s
}

func initializeBody(rev string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":"gull","version":"1"}}}`, rev, allCaps)
}

// post returns a POST. Session and version may be empty, then their fields are not sent.
func post(session, version, body string, fields ...string) string {
	var b strings.Builder
	b.WriteString("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
	if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "Accept:") }) {
		b.WriteString("Accept: application/json, text/event-stream\r\n")
	}
	if session != "" {
		b.WriteString("Mcp-Session-Id: " + session + "\r\n")
	}
	if version != "" {
		b.WriteString("MCP-Protocol-Version: " + version + "\r\n")
	}
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// message returns the POST of a message of the session.
func (s *sessionClient) message(body string, fields ...string) string {
	return post(s.id, s.rev, body, fields...)
}

// play starts a call of the tool on p.
func (s *sessionClient) play(p *fakePeer, id, part string) {
	s.t.Helper()
	p.send(s.message(playBody(id, part)))
}

func playBody(id, part string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"play","arguments":{"part":%q}}}`, id, part)
}

// call makes a request on a connection of its own and returns the message that answers it.
func (s *sessionClient) call(method, params string) string {
	s.t.Helper()
	p := s.dial(1)
	p.send(s.message(fmt.Sprintf(`{"jsonrpc":"2.0","id":"c","method":%q,"params":{%s}}`, method, params)))
	s.await(method, func() bool { return len(p.got) > 0 })
	res := p.wantResponse(method, 200)
	s.check(method, res.body)
	p.fin()
	return res.body
}

// notify sends a notification or an answer on a connection of its own.
func (s *sessionClient) notify(loop int, body string) {
	s.t.Helper()
	p := s.dial(loop)
	p.send(s.message(body))
	p.wantResponse("a notification", 202)
	p.fin()
}

func (s *sessionClient) check(method, msg string) {
	s.t.Helper()
	s.schema.Message(s.t, s.rev, method, []byte(msg))
}

// get opens a stream of the session on a connection of its own.
func (s *sessionClient) get(loop int, last string) *fakePeer {
	s.t.Helper()
	p := s.dial(loop)
	p.send(s.getText(last))
	return p
}

func (s *sessionClient) getText(last string) string {
	head := "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: " + s.id + "\r\n"
	if last != "" {
		head += "Last-Event-ID: " + last + "\r\n"
	}
	return head + "\r\n"
}

// delete ends the session.
func (s *sessionClient) delete(loop int, status int) {
	s.t.Helper()
	p := s.dial(loop)
	p.send("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: " + s.id + "\r\n\r\n")
	if res := p.next("DELETE"); res.status != status {
		s.t.Fatalf("DELETE: status %d, want %d", res.status, status)
	}
	p.fin()
}

// An event is one event of a stream as it stands there.
type event struct{ id, data, retry, kind string }

// events takes the events that p has received on its stream, heartbeats left out; the first call
// takes the head of the response too. An "END" is the last chunk.
func (s *sessionClient) events(p *fakePeer) (all []event) {
	s.t.Helper()
	var content string
	var ended bool
	if strings.HasPrefix(string(p.got), "HTTP/") {
		res := p.next("GET")
		if res.status != 200 || !res.stream {
			s.t.Fatalf("no stream: %d %s", res.status, res.body)
		}
		content, ended = res.body, res.ended
	} else {
		var n int
		content, n, ended = p.dechunk(p.got)
		p.got = append(p.got[:0], p.got[n:]...)
	}
	for _, block := range strings.Split(strings.TrimSuffix(content, "\n\n"), "\n\n") {
		if block == "" || block == ":" {
			continue
		}
		var e event
		for _, line := range strings.Split(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch strings.TrimSuffix(name, ":") {
			case "id":
				e.id = value
			case "data":
				e.data += value
			case "retry":
				e.retry = value
			case "event":
				e.kind = value
			default:
				s.t.Fatalf("line %q in %q", line, content)
			}
		}
		if e.data != "" {
			s.check("tools/call", e.data)
		}
		all = append(all, e)
	}
	if ended {
		all = append(all, event{data: "END"})
	}
	return all
}

// told is events as one line: the text of log messages and results, the kind of other
// notifications, "?" with their text for questions, "PRIME", "RETRY" and "END".
func (s *sessionClient) told(p *fakePeer) string {
	s.t.Helper()
	return line(s.events(p))
}

func line(events []event) string {
	var b []string
	for _, e := range events {
		cut := func(after string) string {
			_, v, _ := strings.Cut(e.data, after)
			v, _, _ = strings.Cut(v, `"`)
			return v
		}
		switch {
		case e.data == "" && e.retry != "":
			b = append(b, "RETRY "+e.retry)
		case e.data == "":
			b = append(b, "PRIME")
		case strings.Contains(e.data, "notifications/message"):
			b = append(b, cut(`"data":"`))
		case strings.Contains(e.data, "notifications/resources/updated"):
			b = append(b, cut(`"uri":"`))
		case strings.Contains(e.data, `"method":"notifications/`):
			b = append(b, cut(`"notifications/`))
		case strings.Contains(e.data, "elicitation/create"):
			b = append(b, "?"+cut(`"message":"`))
		case strings.Contains(e.data, `"text":"`):
			b = append(b, "="+cut(`"text":"`))
		case strings.Contains(e.data, `"error":`):
			b = append(b, "!"+cut(`"message":"`))
		default:
			b = append(b, e.data)
		}
	}
	return strings.Join(b, ", ")
}

// until collects what p is told until it ends with want.
func (s *sessionClient) until(why string, p *fakePeer, want string) (all []event) {
	s.t.Helper()
	s.await(why, func() bool {
		if len(p.got) > 0 {
			all = append(all, s.events(p)...)
		}
		return strings.HasSuffix(line(all), want)
	})
	return all
}

// wantTold awaits that p is told exactly that.
func (s *sessionClient) wantTold(why string, p *fakePeer, want string) []event {
	s.t.Helper()
	var all []event
	ok := false
	func() {
		deadline := time.Now().Add(10 * time.Second)
		for !ok && time.Now().Before(deadline) {
			s.run()
			if len(p.got) > 0 {
				all = append(all, s.events(p)...)
			}
			if ok = line(all) == want; !ok {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	if !ok {
		s.t.Fatalf("%s: told %q, want %q; log:\n%s", why, line(all), want, s.log.String())
	}
	return all
}

// askID returns the id, JSON text, of a question.
func askID(e event) string {
	_, id, _ := strings.Cut(e.data, `"id":`)
	id, _, _ = strings.Cut(id, ",")
	return id
}

func answerBody(id, action string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":%q}}`, id, action)
}

func (r *port) cue(part string, cues ...string) {
	for _, c := range cues {
		r.cues[part] <- c
	}
}

// wantCause awaits why a handler's context ended.
func (r *port) wantCause(why string, want error) {
	r.t.Helper()
	var got error
	r.await(why, func() bool {
		select {
		case got = <-r.causes:
			return true
		default:
			return false
		}
	})
	if !errors.Is(got, want) {
		r.t.Fatalf("%s: %v, want %v", why, got, want)
	}
}
