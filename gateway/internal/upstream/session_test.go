package upstream

import (
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

func as(principal, key string, k Class) func(*Call) {
	return func(c *Call) { c.Principal, c.SessionKey, c.Class = principal, key, k }
}

// TestWhoSharesASession starts calls of several fronts and counts the links beside the home
// session's.
func TestWhoSharesASession(t *testing.T) {
	calls := []func(*Call){
		as("ann", "1", 0), as("ann", "2", 0), as("ann", "", 0), as("bob", "3", 0), as("bob", "3", ClassRoots),
	}
	for _, tt := range []struct {
		name      string
		opts      Options
		modern    bool
		stateless bool
		want      int // links in all
	}{
		{"all", Options{Share: ShareAll}, false, false, 2},             // home, and roots
		{"principal", Options{Share: SharePrincipal}, false, false, 4}, // home, ann, bob twice
		{"client", Options{Share: ShareClient}, false, false, 6},       // home and five
		{"modern", Options{Share: ShareClient}, true, false, 1},
		{"no session", Options{Share: ShareClient}, false, true, 1},
		{"stdio", Options{Share: SharePrincipal, Stdio: true}, false, false, 3}, // no roots
		{"stdio, one at a time", Options{Share: SharePrincipal, Stdio: true, Concurrency: 1}, false, false, 4},
		{"own credentials", Options{Share: ShareAll, PrincipalCredentials: true}, true, false, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, tt.opts)
				h.modern, h.stateless = tt.modern, tt.stateless
				h.connect()
				probes := 0 // links that were only asked for the era
				for _, l := range h.links {
					if l.closed {
						probes++
					}
				}
				for _, c := range calls {
					f := h.call(c)
					for _, l := range h.links {
						for _, m := range l.calls("tools/call") {
							if tt.opts.PrincipalCredentials && l.principal != f.call.Principal {
								t.Errorf("%s on a link of %q", f.call.Principal, l.principal)
							}
							l.result(m.ID, `{}`)
						}
					}
					f.wantResult("call", `{}`)
				}
				if got := len(h.links) - probes; got != tt.want {
					t.Errorf("%d links, want %d", got, tt.want)
				}
			})
		})
	}
}

// TestDeclaredCapabilities checks what initialize declares.
func TestDeclaredCapabilities(t *testing.T) {
	all := ClassForms | ClassURLs | ClassSampling | ClassSamplingTools | ClassRoots
	for _, tt := range []struct {
		name string
		opts Options
		k    Class
		want string
	}{
		{"HTTP", Options{}, all, `{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}`},
		{"HTTP, forms", Options{}, ClassForms, `{"elicitation":{"form":{}}}`},
		{"HTTP, URLs and sampling", Options{}, ClassURLs | ClassSampling, `{"elicitation":{"url":{}},"sampling":{}}`},
		{"shared child", Options{Stdio: true}, all, `{}`},
		{"child of a client", Options{Stdio: true, Share: ShareClient}, ClassRoots, `{"roots":{}}`},
		{"child with one call", Options{Stdio: true, Concurrency: 1}, ClassRoots, `{"roots":{}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, tt.opts)
				h.call(as("", "s", tt.k))
				m := h.last().got[0]
				if m.Method == "server/discover" {
					m = h.last().got[1]
				}
				if got := param(m, "capabilities"); m.Method != "initialize" || got != tt.want {
					t.Errorf("%s with %s, want %s", m.Method, got, tt.want)
				}
			})
		})
	}
}

func TestIdleSessionIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		home := h.last()
		f := h.call(as("ann", "", 0))
		l := h.last()
		h.after(20 * time.Minute)
		if l.closed {
			t.Fatal("closed with a call in flight")
		}
		l.result(l.only("tools/call").ID, `{}`)
		f.wantResult("long call", `{}`)
		h.after(4 * time.Minute)
		h.call(as("ann", "", 0)).call.Cancel("")
		h.after(4 * time.Minute)
		if l.closed {
			t.Fatal("closed 4 minutes after a call")
		}
		h.after(2 * time.Minute)
		if !l.closed || home.closed {
			t.Errorf("closed: session %t, home %t", l.closed, home.closed)
		}
	})
}

// TestIdleChildIsStopped checks that a child that nobody needs is stopped, and that its tools
// stay.
func TestIdleChildIsStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Stdio: true})
		h.connect()
		h.after(11 * time.Minute)
		if !h.last().closed || h.s.State().State != "asleep" || len(h.s.Catalogue().Tools) != 1 {
			t.Fatalf("closed %t, state %q", h.last().closed, h.s.State().State)
		}
		f := h.call()
		h.last().result(h.last().only("tools/call").ID, `{}`)
		f.wantResult("after the sleep", `{}`)
		if len(h.links) != 2 || len(h.changed) != 1 {
			t.Errorf("%d links, %d catalogues", len(h.links), len(h.changed))
		}
	})
}

func TestSubscriptionKeepsChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Stdio: true})
		h.connect()
		h.s.Subscribe("a")
		h.after(30 * time.Minute)
		if h.last().closed {
			t.Fatal("closed with a subscription")
		}
		h.s.Unsubscribe("a")
		h.after(unsubscribeWait + time.Second)
		h.after(11 * time.Minute)
		if !h.last().closed {
			t.Error("open without one")
		}
	})
}

func TestMaxSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{MaxSessions: 3, MaxWaiting: 1}) // home and two
		h.connect()
		n := len(h.links)
		a := h.call(as("ann", "", 0))
		h.after(time.Second)
		b := h.call(as("bob", "", 0))
		c := h.call(as("cid", "", 0)) // both are busy
		d := h.call(as("dan", "", 0)) // and the queue is full
		d.wantReason("queue full", link.Busy)
		if len(h.links) != n+2 {
			t.Fatalf("%d links, want %d", len(h.links), n+2)
		}
		la, lb := h.links[n], h.links[n+1]
		la.result(la.only("tools/call").ID, `{"a":1}`)
		a.wantResult("ann", `{"a":1}`)
		h.run()
		if !la.closed {
			t.Error("ann's session is open, though another waits for it")
		}
		lc := h.last()
		lc.result(lc.only("tools/call").ID, `{"c":1}`)
		c.wantResult("cid", `{"c":1}`)
		h.after(time.Second)
		lb.result(lb.only("tools/call").ID, `{"b":1}`)
		b.wantResult("bob", `{"b":1}`)
		h.after(time.Second)
		h.call(as("ann", "", 0))
		if !lc.closed || lb.closed {
			t.Errorf("the session that was idle longest is not the one closed: cid %t, bob %t", lc.closed, lb.closed)
		}
		if got := h.s.State().Counts.Evicted; got != 1 {
			t.Errorf("%d evicted", got)
		}
	})
}

func TestForget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Share: ShareClient})
		h.connect()
		f := h.call(as("ann", "1", 0))
		l := h.last()
		h.s.Forget("ann", "2")
		h.s.Forget("ann", "1")
		if l.closed {
			t.Fatal("closed with a call in flight")
		}
		l.result(l.only("tools/call").ID, `{}`)
		f.wantResult("last call", `{}`)
		if !l.closed {
			t.Error("open after the last call")
		}
	})
}

// TestExpiredSession checks what is restored after a 404.
func TestExpiredSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		h.s.Subscribe("file:///a")
		h.run()
		loud := func(c *Call) { c.LogLevel = LevelInfo }
		a, b := h.call(loud), h.call(loud)
		old := h.last()
		calls := old.calls("tools/call")
		if old.sent("resources/subscribe") != 1 || old.sent("logging/setLevel") != 1 {
			t.Fatalf("sent %s", old.methods())
		}
		old.fail(calls[0].ID, &link.Error{Reason: link.Expired, Status: 404})
		h.run()
		l := h.last()
		if l == old || old.closed {
			t.Fatal("no new link, or the old one is closed with a call in flight")
		}
		if l.sent("initialize") != 1 || l.sent("resources/subscribe") != 1 || l.sent("logging/setLevel") != 1 || l.sent("tools/list") != 1 {
			t.Errorf("sent %s", l.methods())
		}
		if len(h.updated) != 1 || len(h.changed) != 1 {
			t.Errorf("updated %v, %d catalogues", h.updated, len(h.changed))
		}
		l.result(l.only("tools/call").ID, `{"a":1}`)
		a.wantResult("sent again", `{"a":1}`)
		old.result(calls[1].ID, `{"b":1}`)
		b.wantResult("answered by the old session", `{"b":1}`)
		if !old.closed {
			t.Error("the old link is open")
		}
	})
}

// TestCrash checks that calls in flight fail, and that a child is started again without a call.
func TestCrash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Stdio: true})
		h.connect()
		h.s.Subscribe("a")
		f := h.call()
		h.last().lose()
		f.wantReason("in flight", link.Lost)
		h.lists["tools/list"] = `{"tools":[{"name":"new"}]}`
		h.after(time.Second)
		if len(h.links) != 2 || len(h.changed) != 2 || h.changed[1].Tools[0].Key != "new" {
			t.Fatalf("%d links, %d catalogues", len(h.links), len(h.changed))
		}
		if len(h.updated) != 1 {
			t.Errorf("updated %v", h.updated)
		}
	})
}

func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		a, b := h.call(), h.call(as("ann", "", 0))
		h.silent["initialize"] = true
		c := h.call(as("bob", "", 0))
		h.s.Close()
		for _, f := range []*front{a, b, c, h.call()} {
			f.wantReason("closed", link.Closed)
		}
		h.s.Close()
		if h.s.State().State != "closed" || h.s.Subscribe("a") {
			t.Errorf("state %q", h.s.State().State)
		}
	})
}

func TestLogLevels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		l := h.last()
		level := func(v Level) func(*Call) { return func(c *Call) { c.LogLevel = v } }
		none, standard := h.call(), h.call(level(LevelDefault))
		if l.sent("logging/setLevel") != 0 {
			t.Fatalf("sent %s", l.methods())
		}
		warn := h.call(level(LevelWarning))
		fail := h.call(level(LevelError))
		info := h.call(level(LevelInfo))
		var levels []string
		for _, m := range l.got {
			if m.Method == "logging/setLevel" {
				levels = append(levels, param(m, "level"))
			}
		}
		if len(levels) != 2 || levels[0] != `"warning"` || levels[1] != `"info"` {
			t.Errorf("levels %v", levels)
		}
		for _, m := range l.calls("tools/call") {
			for _, at := range []string{"debug", "info", "warning", "error", "nonsense"} {
				l.says(m.ID, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"`+at+`","data":1}}`)
			}
		}
		// On the stream of the session, a message belongs to nobody.
		l.says(0, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}`)
		for i, tt := range []struct {
			f    *front
			want int
		}{{none, 0}, {standard, 4}, {warn, 2}, {fail, 1}, {info, 3}} {
			if len(tt.f.messages) != tt.want {
				t.Errorf("call %d got %v, want %d", i, tt.f.messages, tt.want)
			}
		}
	})
}

// TestMessagesOnStdio checks that log messages, which name no call there, reach one only if it is
// certain which.
func TestMessagesOnStdio(t *testing.T) {
	const message = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}`
	loud := func(c *Call) { c.LogLevel = LevelInfo; c.SessionKey = "1" }
	for _, tt := range []struct {
		name   string
		opts   Options
		modern bool
		calls  int
		want   int
	}{
		{"shared", Options{}, false, 1, 0},
		{"client", Options{Share: ShareClient}, false, 2, 1},
		{"one at a time", Options{Concurrency: 1}, false, 2, 1},
		{"modern, one loud call", Options{}, true, 1, 1},
		{"modern, two", Options{}, true, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tt.opts.Stdio = true
				h := newHarbor(t, tt.opts)
				h.modern = tt.modern
				h.connect()
				got := 0
				var fronts []*front
				for range tt.calls {
					fronts = append(fronts, h.call(loud))
				}
				if tt.modern {
					fronts = append(fronts, h.call()) // wants no messages
				}
				h.last().says(0, message)
				for _, f := range fronts {
					got += len(f.messages)
				}
				if got != tt.want {
					t.Errorf("%d messages delivered, want %d", got, tt.want)
				}
			})
		})
	}
}
