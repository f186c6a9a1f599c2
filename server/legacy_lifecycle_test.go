package server

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

var sessionRevisions = []string{"2025-11-25", "2025-06-18", "2025-03-26"}

// Every revision on one path: what is asked for is agreed upon, or our newest, and holds
// afterwards.
func TestSessionLifecycle(t *testing.T) {
	for _, rev := range append(sessionRevisions, "2024-11-05") {
		t.Run(rev, func(t *testing.T) {
			r := newPort(t, nil)
			s := r.initialize(rev)
			if got := s.call("ping", ""); got != `{"jsonrpc":"2.0","id":"c","result":{}}` {
				t.Errorf("ping: %s", got)
			}
			for _, m := range []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"} {
				if got := s.call(m, ""); strings.Contains(got, "resultType") || strings.Contains(got, `"error"`) {
					t.Errorf("%s: %s", m, got)
				}
			}
			if got := s.call("tools/call", `"name":"add","arguments":{"a":1,"b":2}`); !strings.Contains(got, "3") {
				t.Errorf("add: %s", got)
			}
			if got := s.call("tools/call", `"name":"echo","arguments":{"text":"ahoy"}`); !strings.Contains(got, "ahoy") {
				t.Errorf("echo: %s", got)
			}
			if got := s.call("server/discover", ""); !strings.Contains(got, "-32601") {
				t.Errorf("discover: %s", got)
			}
			r.callsEnd("the calls")
			r.wantNothingHeld("a session that does nothing")
			s.delete(1, 204)
			s.delete(0, 404)
			for _, text := range []string{s.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`), s.message(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), s.message(`{"jsonrpc":"2.0","id":1,"result":{}}`), s.message(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`), s.getText("")} {
				p := r.dial(0)
				p.send(text)
				p.wantResponse("after DELETE", 404)
				p.wantStays("after DELETE")
			}
			if n := r.s.Stats().RevokedSessions; n != 1 {
				t.Errorf("%d ids are remembered as deleted", n)
			}
			r.wantNothingHeld("after DELETE")
		})
	}
}

func (p *fakePeer) wantStays(why string) {
	p.r.t.Helper()
	if p.closed || p.shut {
		p.r.t.Fatalf("%s: closed (reason %v)", why, p.c.reason)
	}
}

func TestInitializeAgreesOnARevision(t *testing.T) {
	r := newPort(t, nil)
	for asked, want := range map[string]string{"2026-07-28": "2025-11-25", "1999-01-01": "2025-11-25", "": "2025-11-25", "2025-06-18": "2025-06-18"} {
		p := r.dial(0)
		p.send(post("", "", initializeBody(asked)))
		if res := p.wantResponse("initialize", 200); !strings.Contains(res.body, `"protocolVersion":"`+want+`"`) || res.head.Get("Mcp-Session-Id") == "" {
			t.Errorf("asked for %q: %s", asked, res.body)
		}
	}
	// A second initialize opens a second session, whatever session it names.
	s := r.initialize("2025-06-18")
	for _, id := range []string{s.id, "nonsense"} {
		p := r.dial(1)
		p.send(post(id, "", initializeBody("2025-11-25"), "Mcp-Method: initialize"))
		if got := p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id"); got == "" || got == id {
			t.Errorf("second session %q", got)
		}
	}
	// What is refused opens none.
	p := r.dial(0)
	p.send(post("", "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`))
	if res := p.next("POST"); res.head.Get("Mcp-Session-Id") != "" || !strings.Contains(res.body, `"error"`) {
		t.Errorf("initialize without params: %s", res.body)
	}
}

// 404 for what is no session of ours, 400 for what names none; B18: the text says what to do.
func TestSessionIDRules(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	forged := s.id[:10] + "A" + s.id[11:]
	if forged == s.id {
		forged = s.id[:10] + "B" + s.id[11:]
	}
	ping, noted, answer := `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":"ask-1","result":{}}`
	get := func(id string) string {
		return "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n" + id + "\r\n"
	}
	for _, tt := range []struct {
		why, text string
		status    int
		body      string
	}{
		{"a forged id", post(forged, "2025-11-25", ping), 404, "initialize"},
		{"a forged id, without a version", post(forged, "", ping), 404, "initialize"},
		{"a forged id, big", post(forged, "", ping+strings.Repeat(" ", bigContent)), 404, "initialize"},
		{"nonsense", post("x", "", ping), 404, "initialize"},
		{"a very long id", post(strings.Repeat("A", 8000), "", ping), 404, "initialize"},
		{"a notification", post("x", "", noted), 404, ""},
		{"an answer", post("x", "", answer), 404, ""},
		{"a batch", post("x", "", "["+ping+"]"), 404, ""},
		{"GET", get("Mcp-Session-Id: x\r\n"), 404, "initialize"},
		{"DELETE", strings.Replace(get("Mcp-Session-Id: x\r\n"), "GET", "DELETE", 1), 404, "initialize"},
		{"no id", post("", "2025-11-25", ping), 400, ""},
		{"no id, no version", post("", "", ping), 400, ""},
		{"no id, a notification", post("", "2025-06-18", noted), 400, "Mcp-Session-Id"},
		{"no id, an answer", post("", "2025-06-18", answer), 400, ""},
		{"GET without id", get(""), 400, "Mcp-Session-Id"},
		{"DELETE without id", strings.Replace(get(""), "GET", "DELETE", 1), 400, "Mcp-Session-Id"},
		{"two ids", post(s.id, "", ping, "Mcp-Session-Id: "+s.id), 400, ""},
		{"GET with two ids", get("Mcp-Session-Id: " + s.id + "\r\nMcp-Session-Id: " + s.id + "\r\n"), 400, ""},
		{"a version that is not served", post(s.id, "1999-01-01", ping), 400, ""},
		{"a notification of a version that is not served", post(s.id, "1999-01-01", noted), 400, ""},
		{"an answer of a version that is not served", post(s.id, "1999-01-01", answer), 400, ""},
		{"GET of a version that is not served", get("Mcp-Session-Id: " + s.id + "\r\nMCP-Protocol-Version: 1999-01-01\r\n"), 400, "MCP-Protocol-Version"},
		{"GET of a modern version", get("Mcp-Session-Id: " + s.id + "\r\nMCP-Protocol-Version: 2026-07-28\r\n"), 400, "MCP-Protocol-Version"},
		{"GET that takes no stream", "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nMcp-Session-Id: " + s.id + "\r\n\r\n", 406, ""},
		{"no version is the session's", post(s.id, "", ping), 200, `"result":{}`},
		{"another revision's version", post(s.id, "2025-06-18", ping), 200, `"result":{}`},
		{"Mcp-Method alone makes no era", post(s.id, "2025-11-25", ping, "Mcp-Method: ping"), 200, `"result":{}`},
		{"an answer to no question", post(s.id, "2025-11-25", answer), 202, ""},
		{"a foreign origin", post(s.id, "", ping, "Origin: https://evil.example"), 403, ""},
	} {
		p := r.dial(0)
		p.send(tt.text)
		r.await(tt.why, func() bool { return len(p.got) > 0 })
		method, _, _ := strings.Cut(tt.text, " ")
		if res := p.next(method); res.status != tt.status || !strings.Contains(res.body, tt.body) {
			t.Errorf("%s: %d %s, want %d", tt.why, res.status, res.body, tt.status)
		}
	}
	r.callsEnd("what a worker decoded")
	r.wantNothingHeld("after refusals")
}

// Modern and earlier messages on one connection, in any order: each is served by its own rules,
// and a session ID does not turn a modern request into an earlier one.
func TestErasMixOnOneConnection(t *testing.T) {
	r := newPort(t, nil)
	a, b := r.initialize("2025-11-25"), r.initialize("2025-03-26")
	p := r.dial(0)
	for range 3 {
		p.send(a.message(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		res := p.wantResponse("a session", 200)
		if strings.Contains(res.body, "resultType") {
			t.Fatalf("a session: %s", res.body)
		}
		r.schema.Message(t, a.rev, "tools/list", []byte(res.body))
		p.send(request{method: "tools/list", head: "Mcp-Session-Id: " + a.id + "\r\n"}.String())
		if res := p.wantCode("modern, with a session id", 200, 0); !strings.Contains(res.body, "resultType") {
			t.Fatalf("modern: %s", res.body)
		}
		p.send(request{method: "tools/list", head: "Mcp-Session-Id: nonsense\r\n"}.String())
		p.wantCode("modern, with nonsense for a session id", 200, 0)
		p.send(request{method: "ping", head: "Mcp-Session-Id: " + a.id + "\r\n"}.String())
		if res := p.wantResponse("a method that the modern revision has not", 404); !strings.Contains(res.body, "-32601") {
			t.Fatal(res.body)
		}
		p.send(b.message(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`))
		r.await("a batch", func() bool { return len(p.got) > 0 })
		p.wantResponse("another session", 200)
		p.send(post("", "", initializeBody("2025-06-18")))
		p.wantResponse("a third", 200)
	}
	// An earlier call continues without its connection, a modern one next to it does not.
	q := r.dial(1)
	q.send(callTool("wait", "{}").String())
	q.fin()
	r.wantCause("a modern call", errClientGone)
	q = r.dial(1)
	a.play(q, "7", "a")
	q.fin()
	r.cue("a", "end")
	r.callsEnd("the call of a session")
	if len(r.causes) > 0 {
		t.Errorf("the call of a session was cancelled: %v", <-r.causes)
	}
	r.wantNothingHeld("after all")
}

// ModernOnly keeps what the server answered before it knew sessions.
func TestModernOnly(t *testing.T) {
	r := newPort(t, &Options{ModernOnly: true})
	p := r.dial(0)
	for _, method := range []string{"GET", "DELETE", "PUT"} {
		p.send(method + " /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: x\r\n\r\n")
		if res := p.next(method); res.status != 405 || res.head.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, res.status, res.head.Get("Allow"))
		}
	}
	p.send(post("", "", initializeBody("2025-11-25")))
	res := p.wantResponse("initialize", 400)
	if !strings.Contains(res.body, `"supported":["2026-07-28"]`) || !strings.Contains(res.body, "-32022") || res.head.Get("Mcp-Session-Id") != "" {
		t.Errorf("initialize: %s", res.body)
	}
	p.send(post("x", "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	p.wantResponse("ping", 400)
	p.send(addCall(1, 2).String())
	p.wantCode("add", 200, 0)
}

// F1, E8: a session is served by every process with the key, and by none without.
func TestSessionsAcrossProcesses(t *testing.T) {
	first := newPort(t, &Options{SessionKeys: [][]byte{keyA}})
	s := first.initialize("2025-06-18")
	for _, tt := range []struct {
		why    string
		keys   [][]byte
		life   time.Duration
		status int
	}{
		{"a restart", [][]byte{keyA}, 0, 200}, {"a rotation", [][]byte{keyB, keyA}, 0, 200}, {"the key is gone", [][]byte{keyB}, 0, 404}, {"a random key", nil, 0, 404},
	} {
		r := newPort(t, &Options{SessionKeys: tt.keys, SessionLifetime: tt.life})
		p := r.dial(0)
		p.send(s.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		p.wantResponse(tt.why, tt.status)
		other := &sessionClient{r, s.rev, s.id}
		if tt.status == 200 {
			if got := other.told(other.get(1, "")); got != "" {
				t.Errorf("%s: %q", tt.why, got)
			}
			other.delete(0, 204)
		}
		other.delete(0, 404)
	}
	first.wantNothingHeld("the process that opened it")
}

// A log level and subscriptions are state: they are kept while a client may reconnect for them,
// not longer (B3, B8, B11, B18).
func TestSessionStateIsIdleAtLast(t *testing.T) {
	r := newPort(t, &Options{SessionIdle: 2 * time.Minute})
	s := r.initialize("2025-11-25")
	if got := s.call("logging/setLevel", `"level":"error"`); !strings.Contains(got, `"result":{}`) {
		t.Fatal(got)
	}
	s.call("resources/subscribe", `"uri":"rig://a"`)
	if got := s.call("resources/subscribe", `"uri":"rig://nowhere"`); !strings.Contains(got, `"error"`) {
		t.Errorf("subscribed to what is not there: %s", got)
	}
	r.wait(time.Minute)
	if n := r.s.Stats().SessionsWithState; n != 1 {
		t.Fatalf("%d sessions with state", n)
	}
	p := s.get(0, "")
	r.wait(10 * time.Minute)
	updated(r.ms, "rig://a")
	r.tell()
	s.wantTold("an open stream keeps its session", p, "rig://a")
	p.fin()
	r.wait(time.Minute)
	if n := r.s.Stats().SessionsWithState; n != 1 {
		t.Fatalf("%d sessions with state: the idle time began before the stream ended", n)
	}
	r.wait(2 * time.Minute)
	r.wantNothingHeld("a client that is gone")
	if got := s.call("ping", ""); !strings.Contains(got, "result") {
		t.Errorf("the session died with its state: %s", got)
	}
}

// The level of a session, and the default.
func TestSessionLogLevel(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "info by default", "end")
	s.wantTold("default", p, "PRIME, info by default, =the end of a, END")
	s.call("logging/setLevel", `"level":"warning"`)
	s.play(p, "2", "a")
	r.cue("a", "too little", "end")
	r.await("the end", func() bool { return len(p.got) > 0 })
	if res := p.wantResponse("quiet", 200); res.stream {
		t.Errorf("told %q", res.body)
	}
	s.call("logging/setLevel", `"level":"debug"`)
	s.play(p, "3", "a")
	r.cue("a", "again", "end")
	s.wantTold("debug", p, "PRIME, again, =the end of a, END")
	if got := s.call("logging/setLevel", `"level":"loud"`); !strings.Contains(got, "-32602") {
		t.Error(got)
	}
}

// The cap on sessions with state: the session that holds most is kept, and a new one is refused for
// a moment only (B2, B17, B19).
func TestSessionsWithStateAreBounded(t *testing.T) {
	r := newPort(t, &Options{MaxSessions: 3})
	var clients []*sessionClient
	for range 3 {
		s := r.initialize("2025-11-25")
		clients = append(clients, s)
		s.told(s.get(0, ""))
	}
	late := r.initialize("2025-11-25")
	p := late.get(1, "")
	if res := p.next("GET"); res.status != 503 || res.head.Get("Retry-After") == "" {
		t.Errorf("GET: %d", res.status)
	}
	p.send(late.message(playBody("1", "a")))
	p.wantResponse("a call", 503)
	p.send(late.message(`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`))
	if res := p.wantResponse("setLevel", 200); !strings.Contains(res.body, `"error"`) {
		t.Error(res.body)
	}
	p.send(late.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	p.wantResponse("ping", 200)
	r.wantHarmony("full")
	// A client that was full before takes its own stream over.
	clients[0].told(clients[0].get(1, ""))
	// One whose stream ends makes room, though it keeps a subscription.
	clients[1].call("resources/subscribe", `"uri":"rig://a"`)
	for _, q := range r.peers {
		if !q.closed && q.c.state == connStateStream {
			q.fin()
		}
	}
	late.told(late.get(1, ""))
	r.wantHarmony("room again")
	if n := r.s.Stats().SessionsWithState; n > 3 {
		t.Errorf("%d sessions", n)
	}
}

// B4, B5, B7, B9: nothing is held for refused, modern and empty sessions' requests.
func TestNothingIsHeldForAbandonedSessions(t *testing.T) {
	r := newPort(t, nil)
	for i := range 300 {
		s := r.initialize(sessionRevisions[i%3])
		if i%3 == 0 {
			p := s.get(i%2, "")
			s.told(p)
			p.fin()
		}
		s.call("tools/call", `"name":"add","arguments":{"a":1,"b":2}`)
	}
	r.callsEnd("calls")
	r.wantNothingHeld("300 abandoned sessions")
	for _, l := range r.loops {
		if n := len(l.main.streams.byURI); n != 0 {
			t.Errorf("%d resources are listened to", n)
		}
		if len(l.detached) != 0 {
			t.Errorf("%d calls are detached", len(l.detached))
		}
	}
}

func TestSessionIDIsToldToHandlers(t *testing.T) {
	r := newPort(t, nil)
	got := make(chan string, 1)
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "whose"}, func(req *mcp.CallToolRequest, _ noIn) (addOut, error) {
		got <- req.Session.ID()
		return addOut{}, nil
	})
	s := r.initialize("2025-11-25")
	s.call("tools/call", `"name":"whose","arguments":{}`)
	if id := <-got; id != s.id {
		t.Errorf("session %q, want %q", id, s.id)
	}
}
