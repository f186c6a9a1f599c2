package server

import (
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/quota"
)

// A quotaCase is a limit that one client reaches with its second request.
type quotaCase struct {
	class  string // without the party
	limits ClientLimits
	// take does what the limit allows once, and returns how it ends. again is refused; it is nil if
	// take is, done once more.
	take  func(r *port, c quotaClient) (end func())
	again func(r *port, c quotaClient) *fakePeer
	stays bool // the end of the first does not make room
}

// ask sends a request on a connection of its own, which stays open.
func (r *port) ask(c quotaClient, text string) *fakePeer {
	p := r.dialAs(c, len(r.peers)%2)
	p.send(c.of(text))
	r.run()
	return p
}

func quotaCases() []quotaCase {
	once := func(text string, status int) func(*port, quotaClient) func() {
		return func(r *port, c quotaClient) func() {
			r.t.Helper()
			p := r.ask(c, text)
			p.wantResponse("within the limit", status)
			return p.fin
		}
	}
	sent := func(text string) func(*port, quotaClient) *fakePeer {
		return func(r *port, c quotaClient) *fakePeer { return r.ask(c, text) }
	}
	add, list := addCall(1, 2).String(), request{method: "tools/list"}.String()
	listen := listenTo("1", everything).String()
	session := func(r *port, c quotaClient) *sessionClient {
		p := r.ask(c, post("", "", initializeBody("2025-11-25")))
		s := &sessionClient{r, "2025-11-25", p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
		p.fin()
		return s
	}
	get := func(r *port, c quotaClient) *fakePeer { return r.ask(c, session(r, c).getText("")) }
	slow := ClientLimits{CallRate: 0.01, CallBurst: 1, ListRate: 0.01, ListBurst: 100}
	lists := ClientLimits{CallRate: 0.01, CallBurst: 100, ListRate: 0.01, ListBurst: 1}
	wait := func(r *port, c quotaClient) *fakePeer { return r.ask(c, callTool("wait", "{}").String()) }
	return []quotaCase{
		{class: "streams", limits: ClientLimits{Streams: 1}, take: once(listen, 200), again: sent(listen)},
		{class: "streams", limits: ClientLimits{Streams: 1}, take: once(listen, 200), again: get},
		{class: "streams", limits: ClientLimits{Streams: 1}, take: once(listen, 200), again: sent("GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")},
		{class: "sessions", limits: ClientLimits{Sessions: 1}, again: get, take: func(r *port, c quotaClient) func() {
			p := get(r, c)
			p.wantResponse("the first session", 200)
			return p.fin
		}},
		{class: "sessions", limits: ClientLimits{Sessions: 1}, take: func(r *port, c quotaClient) func() {
			p := get(r, c)
			p.wantResponse("the first session", 200)
			return p.fin
		}, again: func(r *port, c quotaClient) *fakePeer {
			return r.ask(c, session(r, c).message(`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`))
		}},
		{class: "sessions", limits: ClientLimits{Sessions: 1}, take: func(r *port, c quotaClient) func() {
			p := get(r, c)
			p.wantResponse("the first session", 200)
			return p.fin
		}, again: func(r *port, c quotaClient) *fakePeer {
			return r.ask(c, session(r, c).message(playBody("1", "a")))
		}},
		{class: "calls", limits: ClientLimits{Calls: 1}, again: wait, take: func(r *port, c quotaClient) func() {
			p := wait(r, c)
			return func() {
				n := r.s.calls.Load()
				p.fin()
				<-r.causes
				r.await("the call ends with its client", func() bool { return r.s.calls.Load() < n })
			}
		}},
		{class: "calls", limits: ClientLimits{Calls: 1}, take: func(r *port, c quotaClient) func() {
			part := map[quotaClient]string{{"good1", "10.0.0.1"}: "a"}[c]
			if part == "" {
				part = "b"
			}
			p := r.ask(c, callTool("play", `{"part":"`+part+`"}`).String())
			return func() {
				r.cue(part, "end")
				r.await("the call returns", func() bool { return len(p.got) > 0 })
				p.wantResponse("the call", 200)
			}
		}, again: sent(addCall(1, 2).big().String())},
		{class: "call_rate", limits: slow, take: once(add, 200), again: sent(add), stays: true},
		{class: "call_rate", limits: slow, take: once(add, 200), again: sent(addCall(1, 2).big().String()), stays: true},
		{class: "call_rate", limits: slow, take: once(add, 200), again: func(r *port, c quotaClient) *fakePeer {
			return r.ask(c, session(r, c).message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		}, stays: true},
		{class: "call_rate", limits: slow, take: once(add, 200), again: func(r *port, c quotaClient) *fakePeer {
			// The head says that it is a cancellation, which is free.
			return r.ask(c, session(r, c).message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, "Mcp-Method: notifications/cancelled"))
		}, stays: true},
		{class: "list_rate", limits: lists, take: once(list, 200), again: sent(list), stays: true},
		{class: "list_rate", limits: lists, take: once(list, 200), again: sent(listen), stays: true},
		{class: "list_rate", limits: lists, take: once(list, 200), again: sent(post("", "", initializeBody("2025-11-25"))), stays: true},
	}
}

// Each limit, of a principal and of an address: the first passes, the second gets 429, and others
// are not concerned. When the first ends there is room again, and at the end nothing is counted.
func TestQuotas(t *testing.T) {
	for _, tt := range quotaCases() {
		for p := range numParties {
			t.Run(partyNames[p]+"_"+tt.class, func(t *testing.T) {
				o := Options{SSEPath: "/sse"}
				one, other := quotaClient{"good1", "10.0.0.1"}, quotaClient{"good2", "10.0.0.1"}
				if o.PerPrincipal = &tt.limits; p == byAddress {
					o.PerPrincipal, o.PerAddress = nil, &tt.limits
					other = quotaClient{"good1", "10.0.0.2"}
					if tt.class == "list_rate" {
						// A connection is a handshake too.
						tt.limits.ListBurst = 2
					}
				}
				r := newQuotaPort(t, o)
				class := partyNames[p] + "_" + tt.class
				end := tt.take(r, one)
				if p == byAddress && tt.class == "list_rate" {
					r.s.quotas.tables[p].Sweep(1 << 60) // forgets the budget: no connection is open
					end = tt.take(r, one)
				}
				before := r.s.Stats().Refusals[class]
				if p != byAddress || tt.class != "list_rate" {
					tt.again(r, one).wantExcess("above the limit", class, before)
				}
				tt.take(r, other)()
				end()
				if !tt.stays {
					tt.take(r, one)()
				}
				r.callsEnd("all is over")
				for _, p := range r.peers {
					if !p.closed {
						p.fin()
					}
				}
				r.wait(100 * tickUnit)
				r.s.sessions.Clear()
				r.wantNoQuotas("at the end")
			})
		}
	}
}

// A connection above the limit of its address gets 429 before it has sent anything, and a few of
// them may linger. One of another principal's requests takes the connection with it.
func TestQuotaConnections(t *testing.T) {
	r := newQuotaPort(t, Options{PerPrincipal: &ClientLimits{Connections: 1}, PerAddress: &ClientLimits{Connections: 2}})
	ann, bob := quotaClient{"good1", "2001:db8::1"}, quotaClient{"good2", "2001:db8::ffff:2"}
	add := addCall(1, 2).String()
	first := r.ask(ann, add)
	first.wantResponse("the first connection", 200)
	second := r.ask(ann, add)
	second.wantExcess("the principal's second connection", "principal_connections", 0)
	second.send(bob.of(add))
	second.wantResponse("the connection is another's", 200)
	second.send(add)
	second.wantResponse("and then nobody's", 200)
	for n := range maxLingering + 3 {
		third := r.dialAs(bob, 0)
		third.wantExcess("the third connection", "address_connections", uint64(n))
		if third.closed != (n >= maxLingering) {
			t.Fatalf("refused connection %d: closed %v", n, third.closed)
		}
		if !third.closed {
			third.send(add)
			third.wantNothing("it is refused already")
		}
	}
	elsewhere := r.ask(quotaClient{"good3", "2001:db8:0:1::1"}, add)
	elsewhere.wantResponse("another network", 200)
	first.fin()
	again := r.ask(ann, add)
	again.wantResponse("there is room", 200)
	r.wait(5 * lingerTime)
	for _, p := range r.peers {
		if !p.closed && p != second && p != again && p != elsewhere {
			t.Fatalf("a refused connection stays in state %v", p.c.state)
		}
		if !p.closed {
			p.fin()
		}
	}
	if n := r.loops[0].places.refusing + r.loops[1].places.refusing; n != 0 {
		t.Errorf("%d refused connections are counted", n)
	}
	r.wantNoQuotas("all have disconnected")
}

// A new connection is a handshake, and requests without valid credentials use up both budgets of
// their address, before anybody looks at their tokens.
func TestQuotaHandshakes(t *testing.T) {
	r := newQuotaPort(t, Options{PerAddress: &ClientLimits{CallRate: 0.01, CallBurst: 3, ListRate: 0.01, ListBurst: 5}})
	c := quotaClient{"bad", "10.0.0.1"}
	p := r.dialAs(c, 0)
	legacy := c.of(post("", "", initializeBody("2025-11-25")))
	for range 3 {
		p.send(legacy)
		r.settleAuth()
		p.wantResponse("a bad token", 401)
	}
	for range 2 {
		p.send(legacy)
		if res := p.next(""); res.status != 401 && res.status != 429 {
			t.Fatalf("status %d", res.status)
		}
	}
	calls := r.s.Stats().Authentications["invalid"]
	p.send(legacy)
	if res := p.next(""); res.status != 429 || r.s.Stats().Authentications["invalid"] != calls {
		t.Fatalf("both budgets are empty: %d", res.status)
	}
	r.dialAs(c, 0).wantExcess("another connection", "address_list_rate", r.s.Stats().Refusals["address_list_rate"]-1)
	r.ask(quotaClient{"good1", "10.0.0.2"}, addCall(1, 2).String()).wantResponse("another address", 200)
}

// At its limit, a session may replace its stream, and a table that is full refuses newcomers.
func TestQuotaReplacesAndFull(t *testing.T) {
	r := newQuotaPort(t, Options{PerPrincipal: &ClientLimits{Streams: 1, MaxTracked: 1}})
	ann, bob := quotaClient{"good1", "10.0.0.1"}, quotaClient{"good2", "10.0.0.1"}
	p := r.ask(ann, post("", "", initializeBody("2025-11-25")))
	s := &sessionClient{r, "2025-11-25", p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
	old := r.ask(ann, s.getText(""))
	old.wantResponse("a stream", 200)
	again := r.ask(ann, s.getText(""))
	again.wantResponse("in its place", 200)
	r.run()
	if n := r.s.quotas.tables[byPrincipal].Total(quota.Streams); n != 1 || !old.closed {
		t.Fatalf("%d streams, the first ended: %v", n, old.closed)
	}
	r.ask(bob, listenTo("1", everything).String()).wantExcess("no room for another principal", "principal_tracked", 0)
	again.fin()
	r.ask(bob, listenTo("1", everything).String()).wantResponse("there is room", 200)
}

// Each message of a batch counts. Those above the limit are answered with an error, and a batch of
// nothing else gets 429.
func TestQuotaBatch(t *testing.T) {
	r := newQuotaPort(t, Options{PerPrincipal: &ClientLimits{CallRate: 0.01, CallBurst: 3, ListRate: 100}})
	c := quotaClient{"good1", ""}
	p := r.ask(c, post("", "", initializeBody("2025-03-26")))
	s := &sessionClient{r, "2025-03-26", p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
	ping := func(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"method":"ping"}` }
	batch := func(msgs ...string) *response {
		p.send(c.of(s.message("[" + strings.Join(msgs, ",") + "]")))
		r.await("the batch is answered", func() bool { return len(p.got) > 0 })
		return p.next("")
	}
	res := batch(ping("1"), ping("2"), `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`, ping("4"), ping("5"))
	if res.status != 200 || strings.Count(res.body, `"result"`) != 4 || strings.Count(res.body, "too many calls of this principal") != 1 {
		t.Fatalf("%d %s", res.status, res.body)
	}
	if res = batch(ping("6"), ping("7")); res.status != 429 || res.head.Get("Retry-After") == "" || strings.Count(res.body, "too many calls") != 2 {
		t.Fatalf("%d %s", res.status, res.body)
	}
	if res = batch(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}`); res.status != 202 {
		t.Fatalf("a cancellation: %d %s", res.status, res.body)
	}
	if r.s.Stats().Refusals["principal_call_rate"] != 3 {
		t.Errorf("%v", r.s.Stats().Refusals)
	}
}

// Callers without a name, and clients without an address, have no limits.
func TestQuotaOfNobody(t *testing.T) {
	all := &ClientLimits{Connections: 1, Streams: 1, Sessions: 1, Calls: 1, CallRate: 0.01, ListRate: 0.01}
	r := newQuotaPort(t, Options{PerPrincipal: all, PerAddress: all})
	for range 5 {
		r.ask(quotaClient{}, addCall(1, 2).String()).wantResponse("a call", 200)
		r.ask(quotaClient{}, listenTo("1", everything).String()).wantResponse("a stream", 200)
	}
	for i, table := range r.s.quotas.tables {
		if table.Entries() != 0 {
			t.Errorf("%d clients by %s", table.Entries(), partyNames[i])
		}
	}
}

// A connection that ends by a panic of the server leaves nothing behind.
func TestQuotaPanic(t *testing.T) {
	all := &ClientLimits{Connections: 9, Streams: 9, Sessions: 9, Calls: 9}
	r := newQuotaPort(t, Options{PerPrincipal: all, PerAddress: all})
	c := quotaClient{"good1", "10.0.0.1"}
	p := r.dialAs(c, 0)
	p.boom = true
	p.send(c.of(listenTo("1", everything).String()))
	r.run()
	if !p.closed || r.s.Stats().Panics != 1 {
		t.Fatalf("closed %v, %d panics", p.closed, r.s.Stats().Panics)
	}
	r.wantNoQuotas("after a panic")
}

// The name that a head gives a method and the method itself take from the same budget.
func TestBudgetOfName(t *testing.T) {
	for m := range mcp.Method(mcp.NumMethods) {
		b, counts := budgetOf(m)
		if got, named := budgetOfName([]byte(m.String())); got != b || named != counts {
			t.Errorf("%s: %d %v by its name, otherwise %d %v", m, got, named, b, counts)
		}
	}
}
