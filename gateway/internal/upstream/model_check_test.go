package upstream

import (
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

func (m *model) forget(t *rapid.T) {
	m.s.Forget(one(t, []string{"ann", "bob", "cid"}), one(t, []string{"1", "2"}))
	m.run()
}

// switchEra replaces the upstream by one of the other era. Children end with theirs; over HTTP,
// what was begun with the old one is refused.
func (m *model) switchEra(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
		t.Skip("not now")
	}
	was := m.modern
	m.modern, m.legacy = !was, was
	for _, l := range m.links {
		if l.closed || m.stale[l] {
			continue
		}
		if m.opts.Stdio {
			l.lose()
			continue
		}
		m.stale[l] = true
		for _, r := range append(l.calls("tools/call"), l.calls("subscriptions/listen")...) {
			m.refuse(l, r)
		}
	}
	m.run()
}

// refuse is the answer to a request of a link that was opened with an upstream of the other era.
func (m *model) refuse(l *fakeLink, r *link.Message) {
	switch {
	case r.Endless:
		l.fail(r.ID, &link.Error{Reason: link.Lost})
	case l.version == modernVersion:
		l.error(r.ID, codeUnsupportedVersion, "no")
	default:
		l.fail(r.ID, &link.Error{Reason: link.Expired, Status: 404})
	}
}

// check holds between any two actions.
func (m *model) check(t *rapid.T) {
	s := m.s
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := len(s.queue) + len(s.home.waiting)
	for _, ss := range s.sessions {
		waiting += len(ss.waiting)
	}
	if waiting != s.waiting || waiting > s.opts.MaxWaiting {
		t.Fatalf("%d calls wait, counted %d", waiting, s.waiting)
	}
	if len(s.sessions)+1 > s.opts.MaxSessions {
		t.Fatalf("%d sessions", len(s.sessions)+1)
	}
	if s.effects != nil {
		t.Fatalf("%d effects are left", len(*s.effects))
	}
	for k := range s.conns {
		calls, questions := 0, 0
		for id, p := range k.pending {
			if p.inner == nil {
				calls++
			}
			if c := p.call; c != nil {
				questions += len(c.questions)
				if c.id != id || c.conn != k || c.state != callFlying {
					t.Fatalf("pending %d is call %d in state %d", id, c.id, c.state)
				}
			}
		}
		if calls != k.calls || questions != len(k.questions) {
			t.Fatalf("%d calls, counted %d; %d questions, counted %d", calls, k.calls, questions, len(k.questions))
		}
		if k.state == connReady && k.calls > s.opts.Concurrency && s.opts.Stdio {
			t.Fatalf("%d calls at a time", k.calls)
		}
		if k.sess.conn != k && k.state != connRetired {
			t.Fatalf("a link in state %d belongs to no session", k.state)
		}
	}
}

// finish lets everything come to its end.
func (m *model) finish() {
	clear(m.silent)
	for _, l := range m.links {
		for _, method := range []string{"initialize", "server/discover", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "subscriptions/listen"} {
			for _, r := range l.calls(method) {
				m.script(l, r)
			}
		}
	}
	m.run()
	last := &modelFront{n: int64(len(m.fronts))} // so that a replaced upstream is noticed
	last.front.t = m.t
	last.call = &Call{Method: "tools/call", Params: []byte(`{"n":` + itoa(last.n) + `}`), Handler: last}
	m.s.Start(last.call)
	m.fronts = append(m.fronts, last)
	m.run()
	for range 20 {
		for _, c := range m.flying() {
			c.l.result(c.m.ID, `{"n":`+param(c.m, "n")+`}`)
		}
		m.run()
		m.after(10 * time.Second)
	}
	for _, f := range m.fronts {
		if f.ends == 0 && !f.parked {
			m.t.Errorf("call %d has not ended; state %d", f.n, f.call.state)
		}
	}
	m.s.mu.Lock()
	started := m.s.started
	m.s.mu.Unlock()
	if st := m.s.State(); started && st.State == "up" {
		if got, want := m.subscribed(), strings.Join(slices.Sorted(maps.Keys(m.subs)), " "); got != want {
			m.t.Errorf("subscribed to %q, want %q", got, want)
		}
		if c := m.s.Catalogue(); c == nil || `{"tools":[`+string(c.Tools[0].Raw)+`]}` != m.lists["tools/list"] {
			m.t.Errorf("the catalogue is %s, the list %s", c.Tools[0].Raw, m.lists["tools/list"])
		}
	} else if started && !m.opts.Stdio {
		m.t.Errorf("state %s: %s", st.State, st.LastError)
	}
	m.s.Close()
	m.settled()
}

// subscribed returns what the upstream has been asked to tell of.
func (m *model) subscribed() string {
	l := m.s.home.conn.link.(*fakeLink)
	if m.s.home.conn.modern { // the upstream may speak both
		var uris []string
		open := 0
		for _, r := range l.calls("subscriptions/listen") {
			if param(r, "notifications", "toolsListChanged") == "true" {
				open++
			}
			for uri := range jsonrpc.Elements([]byte(param(r, "notifications", "resourceSubscriptions"))) {
				s, _ := jsonrpc.StringValue(uri)
				uris = append(uris, s)
			}
		}
		if open != 1 {
			m.t.Errorf("%d listens to lists are open: %s", open, l.methods())
		}
		slices.Sort(uris)
		return strings.Join(uris, " ")
	}
	up := map[string]bool{}
	for _, r := range l.got {
		uri := strings.Trim(param(r, "uri"), `"`)
		switch r.Method {
		case "resources/subscribe":
			up[uri] = true
		case "resources/unsubscribe":
			delete(up, uri)
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(up)), " ")
}
