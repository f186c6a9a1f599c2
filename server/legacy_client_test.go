package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

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

// told returns the events that p got as one line: the text of log messages and results, the kind of
// other notifications, "?" with their text for questions, "PRIME", "RETRY" and "END".
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

// until collects what p gets until it ends with want.
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

// wantTold waits until p has got exactly want.
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
		s.t.Fatalf("%s: got %q, want %q; log:\n%s", why, line(all), want, s.log.String())
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
