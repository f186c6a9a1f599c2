package upstream

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// changes sends that a resource has changed.
func (l *fakeLink) changes(uri string) {
	l.says(0, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"`+uri+`"}}`)
}

func TestSubscriptionsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		l := h.last()
		for range 3 {
			h.s.Subscribe("a")
		}
		h.s.Subscribe("b")
		h.run()
		if got := l.sent("resources/subscribe"); got != 2 {
			t.Errorf("%d times subscribe", got)
		}
		l.changes("a")
		l.changes("c")
		if !slices.Equal(h.updated, []string{"a"}) {
			t.Errorf("updated %v", h.updated)
		}
		for range 5 { // more often than subscribed
			h.s.Unsubscribe("a")
		}
		l.changes("a")
		if len(h.updated) != 1 {
			t.Errorf("updated %v with nobody subscribed", h.updated)
		}
		h.after(unsubscribeWait - time.Second)
		h.s.Subscribe("a") // in time
		h.s.Unsubscribe("a")
		h.after(unsubscribeWait - time.Second)
		if got := l.sent("resources/unsubscribe"); got != 0 {
			t.Errorf("%d times unsubscribe before the time", got)
		}
		h.after(2 * time.Second)
		if got := l.sent("resources/unsubscribe"); got != 1 || h.s.State().Resources != 1 {
			t.Errorf("%d times unsubscribe, %d resources", got, h.s.State().Resources)
		}
	})
}

// TestSubscribeWhileUnsubscribing checks that requests about one resource do not overtake each
// other.
func TestSubscribeWhileUnsubscribing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		l := h.last()
		h.silent["resources/unsubscribe"] = true
		h.s.Subscribe("a")
		h.run()
		h.s.Unsubscribe("a")
		h.after(unsubscribeWait + time.Second)
		m := l.only("resources/unsubscribe")
		h.s.Subscribe("a")
		h.run()
		if l.sent("resources/subscribe") != 1 {
			t.Fatal("subscribed before the answer to unsubscribe")
		}
		l.result(m.ID, `{}`)
		h.run()
		if l.sent("resources/subscribe") != 2 || h.s.State().Resources != 1 {
			t.Errorf("sent %s", l.methods())
		}
	})
}

func TestRefusedSubscription(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{MaxSubscriptions: 2})
		h.silent["resources/subscribe"] = true
		h.connect()
		l := h.last()
		h.s.Subscribe("a")
		h.run()
		l.error(l.only("resources/subscribe").ID, -32602, "no")
		h.after(time.Minute)
		if l.sent("resources/subscribe") != 1 {
			t.Errorf("sent %s", l.methods())
		}
		if !h.s.Subscribe("b") || h.s.Subscribe("c") {
			t.Error("the limit of 2 resources does not hold")
		}
		h.s.Unsubscribe("a")
		h.after(unsubscribeWait + time.Second)
		if !h.s.Subscribe("c") {
			t.Error("no room after a resource has lost its subscriber")
		}
	})
}

// filters returns the filters of the listens that are open.
func (l *fakeLink) filters() string {
	var all []string
	for _, m := range l.calls("subscriptions/listen") {
		all = append(all, param(m, "notifications"))
	}
	return strings.Join(all, " ")
}

func TestListen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.modern = true
		h.connect()
		l := h.last()
		if got, want := l.filters(), `{"toolsListChanged":true,"resourcesListChanged":true}`; got != want {
			t.Fatalf("filters %s, want %s", got, want)
		}
		if m := l.only("subscriptions/listen"); !m.Endless || !m.Deadline.IsZero() {
			t.Errorf("endless %t, deadline %v", m.Endless, m.Deadline)
		}
		first := l.only("subscriptions/listen").ID
		h.silent["subscriptions/listen"] = true
		h.s.Subscribe("b")
		h.s.Subscribe("a")
		h.after(2 * listenWait)
		all := l.calls("subscriptions/listen")
		if len(all) != 2 || param(all[1], "notifications", "resourceSubscriptions") != `["a","b"]` {
			t.Fatalf("filters %s", l.filters())
		}
		pages := l.sent("tools/list")
		l.acknowledges(all[1].ID)
		h.after(time.Second)
		if got := l.sent("tools/list"); got != pages || pages != 1 {
			t.Errorf("the lists were read %d times, then %d times", pages, got)
		}
		if len(l.calls("subscriptions/listen")) != 1 || len(l.canceled) != 1 || l.canceled[0] != first {
			t.Errorf("the first listen is open: cancelled %v", l.canceled)
		}
		l.changes("b")
		if !slices.Equal(h.updated, []string{"b"}) {
			t.Errorf("updated %v", h.updated)
		}
	})
}

// TestListensOnStdio checks that each resource has its own listen there, so that closing one does
// not end another.
func TestListensOnStdio(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Stdio: true})
		h.modern = true
		h.connect()
		h.s.Subscribe("a")
		h.s.Subscribe("b")
		h.run()
		l := h.last()
		const lists = `{"toolsListChanged":true,"resourcesListChanged":true}`
		if got, want := l.filters(), lists+` {"resourceSubscriptions":["a"]} {"resourceSubscriptions":["b"]}`; got != want {
			t.Fatalf("filters %s, want %s", got, want)
		}
		pages := l.sent("tools/list")
		h.s.Unsubscribe("a")
		h.after(unsubscribeWait + time.Second)
		if got, want := l.filters(), `{"resourceSubscriptions":["b"]} `+lists; got != want {
			t.Errorf("filters %s, want %s", got, want)
		}
		if got := l.sent("notifications/cancelled"); got != 2 {
			t.Errorf("%d listens were cancelled", got)
		}
		if got := l.sent("tools/list"); got != pages+1 {
			t.Errorf("the lists were read %d times after the listen was renewed", got-pages)
		}
	})
}

// TestOneResourceIsRefused checks that an upstream that refuses one resource, and so the whole
// listen, tells of the others.
func TestOneResourceIsRefused(t *testing.T) {
	for _, stdio := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{Stdio: stdio})
			h.modern = true
			h.script = func(l *fakeLink, m *link.Message) {
				if m.Method == "subscriptions/listen" && strings.Contains(param(m, "notifications"), "bad") {
					l.error(m.ID, -32602, "no such resource")
					return
				}
				h.upstream(l, m)
			}
			for _, uri := range []string{"a", "b", "bad", "c", "d", "e", "f"} {
				h.s.Subscribe(uri)
			}
			h.connect()
			for range 20 {
				h.after(2 * listenWait)
			}
			got := h.last().filters()
			for _, uri := range []string{"a", "b", "c", "d", "e", "f", "tools"} {
				if !strings.Contains(got, `"`+uri) {
					t.Errorf("%s is not in %s", uri, got)
				}
			}
			if n := h.last().sent("subscriptions/listen"); n > 12 {
				t.Errorf("%d listens", n)
			}
			h.after(time.Hour)
			if n := h.last().sent("subscriptions/listen"); n > 12 {
				t.Errorf("%d listens after an hour", n)
			}
		})
	}
}

func (l *fakeLink) acknowledges(id int64) {
	l.says(l.on(id), `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"`+metaSubscription+`":`+itoa(id)+`},"notifications":{}}}`)
}

// TestListenIsLost checks that a listen that ends is opened again, and that what was missed is
// found.
func TestListenIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.modern = true
		h.connect()
		h.s.Subscribe("a")
		h.after(2 * listenWait)
		l := h.last()
		pages := l.sent("tools/list")
		l.fail(l.only("subscriptions/listen").ID, &link.Error{Reason: link.Lost})
		h.after(3 * time.Second)
		h.after(debounce)
		l.only("subscriptions/listen")
		if l.sent("tools/list") <= pages || len(h.updated) != 1 {
			t.Errorf("read %d times, updated %v", l.sent("tools/list")-pages, h.updated)
		}
	})
}

// TestListenIsRefused checks that lists are polled then.
func TestListenIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.modern = true
		h.silent["subscriptions/listen"] = true
		h.connect()
		l := h.last()
		l.error(l.only("subscriptions/listen").ID, -32601, "no")
		h.after(2 * time.Second)
		pages := l.sent("tools/list")
		if pages == 0 {
			t.Fatal("the lists were not read")
		}
		h.after(67 * time.Second)
		if l.sent("tools/list") != pages+1 || l.sent("subscriptions/listen") != 1 {
			t.Errorf("sent %s", l.methods())
		}
	})
}

// A streamLink is a link that can hold a stream of the session.
type streamLink struct {
	*fakeLink
	changed func(link.StreamState)
	opened  int
}

func (l *streamLink) Stream(changed func(link.StreamState)) {
	l.opened++
	l.changed = changed
}

func TestStreamOfSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l *streamLink
		h := newHarbor(t, Options{Era: EraLegacy})
		h.s.opts.Open = func(r link.Receiver, principal string) link.Link {
			l = &streamLink{fakeLink: h.open(r, principal, false).(*fakeLink)}
			return l
		}
		h.connect()
		h.s.Subscribe("a")
		h.run()
		if l.opened != 1 || l.sent("tools/list") != 0 {
			t.Fatalf("opened %d times, sent %s", l.opened, l.methods())
		}
		l.changed(link.StreamOpen)
		h.run()
		if l.sent("tools/list") != 1 {
			t.Fatalf("the lists were not read when the stream was open: %s", l.methods())
		}
		l.changed(link.StreamDown)
		l.changed(link.StreamResumed)
		h.after(debounce)
		if l.sent("tools/list") != 1 || len(h.updated) != 0 {
			t.Errorf("resumed: sent %s, updated %v", l.methods(), h.updated)
		}
		l.changed(link.StreamDown)
		l.changed(link.StreamOpen)
		h.after(debounce)
		if l.sent("tools/list") != 2 || len(h.updated) != 1 {
			t.Errorf("opened again: sent %s, updated %v", l.methods(), h.updated)
		}
		l.changed(link.StreamDown)
		l.changed(link.StreamRefused)
		h.after(67 * time.Second)
		if l.sent("tools/list") != 3 {
			t.Errorf("refused: sent %s", l.methods())
		}
	})
}
