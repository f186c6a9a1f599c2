package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// newHarbour returns a port with three endpoints: /mcp and /twin serve its own mcp.Server, /other
// serves one of the name "other".
func newHarbour(t testing.TB, opts *Options) (*port, *mcp.Server) {
	t.Helper()
	r := newPort(t, opts)
	other := newNamed(t, "other", nil)
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "who"}, func(*mcp.CallToolRequest, noIn) (map[string]string, error) {
		return map[string]string{"name": "rig"}, nil
	})
	r.s.handle("/twin", r.ms)
	r.s.handle("/other", other)
	r.tellAll()
	return r, other
}

// tellAll notifies the loops of what has changed in any service.
func (r *port) tellAll() {
	for _, svc := range r.s.endpoints.Load().services {
		svc.notices.flush()
	}
	r.run()
}

// Each endpoint answers with its own mcp.Server, inline and on a worker, in both eras, also for
// messages that a worker decodes and for batches. Other paths do not exist.
func TestHandleServesAtItsPath(t *testing.T) {
	r, _ := newHarbour(t, nil)
	names := map[string]string{"/mcp": "rig", "/twin": "rig", "/other": "other"}
	for path, name := range names {
		p := r.dial(0)
		for _, big := range []bool{false, true} {
			q := callTool("who", `{}`)
			if big {
				q = q.big()
			}
			p.send(at(path, q.String()))
			r.await("who", func() bool { return len(p.got) > 0 && p.c.state == connStateIdle })
			if res := p.wantResponse(path, 200); !strings.Contains(res.body, `"name":"`+name+`"`) {
				t.Errorf("%s, big %t: %s", path, big, res.body)
			}
			if p.c.berth != &r.l.main {
				t.Fatalf("%s: the idle connection is still moored", path)
			}
		}
		s := r.initializeAt(path, "2025-03-26")
		if got := s.callAt(path, "who"); !strings.Contains(got, name) {
			t.Errorf("%s: session: %s", path, got)
		}
		p.send(at(path, s.message(`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"who","arguments":{}}}]`)))
		r.await("batch", func() bool { return len(p.got) > 0 && p.c.state == connStateIdle })
		if res := p.wantResponse(path, 200); !strings.Contains(res.body, name) {
			t.Errorf("%s: batch: %s", path, res.body)
		}
		r.wantHarmony(path)
	}
	for _, path := range []string{"/", "/other/", "/OTHER", "/mcp/twin"} {
		p := r.dial(0)
		p.send(at(path, callTool("who", `{}`).String()))
		p.wantResponse(path, 404)
	}
	r.callsEnd("the calls")
	r.wantNothingHeld("at the end")
}

// initializeAt opens a session at an endpoint.
func (r *port) initializeAt(path, rev string) *sessionClient {
	r.t.Helper()
	p := r.dial(0)
	p.send(at(path, post("", "", initializeBody(rev))))
	s := &sessionClient{r, rev, p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
	p.fin()
	return s
}

// callAt calls a tool without arguments in the session and returns the response.
func (s *sessionClient) callAt(path, tool string) string {
	s.t.Helper()
	p := s.dial(0)
	p.send(at(path, s.message(fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, tool))))
	s.await(tool, func() bool { return len(p.got) > 0 && p.c.state == connStateIdle })
	body := p.wantResponse(tool, 200).body
	p.fin()
	return body
}

// The session ID of an endpoint gets 404 at every other, whatever asks, even where both serve the
// same mcp.Server.
func TestSessionIDIsOfItsPath(t *testing.T) {
	r, _ := newHarbour(t, &Options{SSEPath: "/sse"})
	paths := []string{"/mcp", "/twin", "/other"}
	sse := r.openSSE()
	for _, home := range paths {
		s := r.initializeAt(home, "2025-03-26")
		for _, tt := range []struct {
			what, text string
			good       int
		}{
			{"request", s.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`), 200},
			{"notification", s.message(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), 202},
			{"answer", s.message(`{"jsonrpc":"2.0","id":"ask-1","result":{}}`), 202},
			{"batch", s.message(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`), 200},
			{"subscription", s.message(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"rig://a"}}`), 200},
			{"GET", s.getText(""), 200},
			{"GET to resume", s.getText("1-1"), 200},
			{"DELETE", "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: " + s.id + "\r\n\r\n", 204},
		} {
			for _, path := range append(paths, home) { // at home last, because that may end the session
				p := r.dial(0)
				p.send(at(path, tt.text))
				r.await(tt.what, func() bool { return len(p.got) > 0 })
				want := 404
				if path == home {
					want = tt.good
				}
				if res := p.next(tt.what); res.status != want {
					t.Fatalf("%s of %s at %s: status %d, want %d", tt.what, home, path, res.status, want)
				}
				if !p.closed {
					p.fin()
				}
				if path == home && tt.good == 204 {
					break
				}
			}
		}
		p := r.dial(0)
		p.send(ssePost("/sse/message?sessionId="+s.id, `{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		p.wantResponse("over HTTP+SSE", 404)
	}
	_, id, _ := strings.Cut(sse.where, "=")
	for _, path := range paths {
		p := r.dial(0)
		p.send(at(path, post(id, "2025-03-26", `{"jsonrpc":"2.0","id":1,"method":"ping"}`)))
		p.wantResponse("an ID of HTTP+SSE", 404)
	}
	sse.fin()
	r.callsEnd("the calls")
	r.wantNothingHeld("at the end")
}

// A session ID is valid at a path of that name in every process with the keys, whether the path is
// that of Options or was given to Handle.
func TestSessionIDOfAnotherProcess(t *testing.T) {
	keys := [][]byte{[]byte(strings.Repeat("k", 32))}
	one := newPort(t, &Options{Path: "/a", SessionKeys: keys})
	two := newPort(t, &Options{Path: "/b", SessionKeys: keys})
	two.s.handle("/a", newNamed(t, "a", nil))
	s := one.initializeAt("/a", "2025-11-25")
	ping := s.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	for path, want := range map[string]int{"/a": 200, "/b": 404} {
		p := two.dial(0)
		p.send(at(path, ping))
		p.wantResponse(path, want)
	}
}

// A session's subscription is with the mcp.Server of its endpoint, with a stream and without one.
func TestSubscriptionIsOfItsEndpoint(t *testing.T) {
	r, other := newHarbour(t, nil)
	s := r.initializeAt("/other", "2025-11-25")
	p := r.dial(1)
	p.send(at("/other", s.getText("")))
	s.events(p)
	q := r.dial(0)
	q.send(at("/other", s.message(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"rig://a"}}`)))
	q.wantResponse("subscribe", 200)
	updated(r.ms, "rig://a")
	r.tellAll()
	if got := s.told(p); got != "" {
		t.Errorf("an update of another server: %q", got)
	}
	updated(other, "rig://a")
	r.tellAll()
	events := s.events(p)
	if got := line(events); got != "rig://a" {
		t.Fatalf("an update: %q", got)
	}
	p.fin()
	updated(r.ms, "rig://a")
	updated(other, "rig://a") // is counted as a listener's still
	r.tellAll()
	p = r.dial(0)
	p.send(at("/other", s.getText(events[0].id)))
	s.events(p)
	r.wait(2 * tickUnit)
	if got := s.told(p); got != "rig://a" {
		t.Errorf("missed and told: %q", got)
	}
}

// A path that cannot be served is a programming error.
func TestHandlePanics(t *testing.T) {
	ms := newNamed(t, "m", nil)
	panics := func(f func()) (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		f()
		return ""
	}
	for _, tt := range []struct {
		path string
		m    *mcp.Server
		want string
	}{
		{"", ms, "does not begin with /"}, {"b", ms, "does not begin with /"}, {"/b?x", ms, "more than a path"}, {"/ä", ms, "percent-encoded"},
		{"/mcp", ms, "taken"}, {"/sse", ms, "taken"}, {"/sse/message", ms, "taken"}, {"/healthz", ms, "taken"}, {"/readyz", ms, "taken"}, {"/b", ms, "taken"},
		{"/c", nil, "no mcp.Server"},
	} {
		s := New(ms, &Options{SSEPath: "/sse"})
		s.Handle("/b", ms)
		if got := panics(func() { s.Handle(tt.path, tt.m) }); !strings.Contains(got, tt.want) {
			t.Errorf("Handle(%q) panics with %q, want %q", tt.path, got, tt.want)
		}
	}
	s := New(ms, nil)
	s.Handle("/b", ms)
	_ = s.Shutdown(t.Context())
	s.Handle("/c", ms)
	if s.Remove("/b") || len(s.endpoints.Load().services) != 2 {
		t.Error("endpoints change after Shutdown")
	}
}

// A drain ends the streams of all endpoints, and leaves all mcp.Servers.
func TestDrainOfEndpoints(t *testing.T) {
	r, other := newHarbour(t, nil)
	var peers []*fakePeer
	for _, path := range []string{"/mcp", "/twin", "/other"} {
		p := r.dial(0)
		p.send(at(path, listenTo("1", everything).String()))
		p.wantResponse(path, 200)
		peers = append(peers, p)
		s := r.initializeAt(path, "2025-11-25")
		q := r.dial(1)
		q.send(at(path, s.getText("")))
		q.wantResponse(path, 200)
		peers = append(peers, q)
	}
	r.wantHarmony("open")
	for _, l := range r.loops {
		l.postDrain(&drainOrder{spread: 5})
	}
	r.run()
	r.wait(tickUnit * 20)
	for i, p := range peers {
		if got := p.take(); !strings.HasSuffix(got, "0\r\n\r\n") || i%2 == 0 && !strings.Contains(got, `"result"`) {
			t.Errorf("stream %d ends with %q", i, got)
		}
		if p.c.berth != &p.c.loop.main {
			t.Errorf("stream %d is still moored", i)
		}
	}
	r.s.leaveMCP()
	for _, svc := range r.s.endpoints.Load().services {
		svc.notices.mu.Lock()
		before := svc.notices.pending
		svc.notices.mu.Unlock()
		r.ms.RemoveTools("who")
		other.RemoveTools("who")
		svc.notices.mu.Lock()
		if !before.empty() || !svc.notices.pending.empty() {
			t.Errorf("%s still collects changes", svc.path)
		}
		svc.notices.mu.Unlock()
	}
}
