package server

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server/internal/quota"
)

// quotaHarmony returns an error unless the tables count what is there.
func (r *port) quotaHarmony() error {
	if err := r.harmony(); err != nil {
		return err
	}
	var conns, streams [numParties]int
	for i, l := range r.loops {
		refusing := 0
		for slot, c := range l.slots {
			held := l.places.held[slot]
			if c == nil {
				if held != 0 || l.places.who[slot] != 0 || l.places.address(uint32(slot)) != 0 {
					return fmt.Errorf("loop %d: a free slot is counted, %b", i, held)
				}
				continue
			}
			add := func(f placeFlags, n *int) {
				if held&f != 0 {
					*n++
				}
			}
			add(placeWho, &conns[byPrincipal])
			add(placeAddr, &conns[byAddress])
			add(placeStreamWho, &streams[byPrincipal])
			add(placeStreamAddr, &streams[byAddress])
			add(placeRefusing, &refusing)
			if c.has(flagStreaming) != (held&placeStreamAddr != 0) {
				return fmt.Errorf("loop %d: streaming %v, counted %b", i, c.has(flagStreaming), held)
			}
		}
		if refusing != l.places.refusing {
			return fmt.Errorf("loop %d: %d are refused, %d counted", i, refusing, l.places.refusing)
		}
	}
	for p, t := range r.s.quotas.tables {
		if n := t.Total(quota.Connections); n != conns[p] {
			return fmt.Errorf("by %s: %d connections, %d counted", partyNames[p], conns[p], n)
		}
		if n := t.Total(quota.Streams); n != streams[p] {
			return fmt.Errorf("by %s: %d streams, %d counted", partyNames[p], streams[p], n)
		}
	}
	held := r.s.sessions.Stats().Sessions
	if n := r.s.quotas.tables[byAddress].Total(quota.Sessions); int64(n) != held {
		return fmt.Errorf("%d sessions, %d counted", held, n)
	}
	return nil
}

// Whatever clients do, and however it ends, each table counts what is there after each step. When
// all is over nothing is counted, and nobody is remembered.
func TestQuotasAtRandom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limits := func() *ClientLimits {
			return &ClientLimits{Connections: 5, Streams: 2, Sessions: 2, Calls: 2, CallRate: 1e6, CallBurst: 10, ListRate: 1e6, ListBurst: 10}
		}
		r := newQuotaPort(t, Options{
			PerPrincipal: limits(), PerAddress: limits(), SSEPath: "/sse", CallTimeout: 20 * time.Second,
			ReplayAge: 5 * time.Second, SessionIdle: 8 * time.Second, Heartbeat: 3 * time.Second, MaxStreams: 5,
		})
		var peers []*fakePeer
		var sessions []struct {
			c quotaClient
			s *sessionClient
		}
		clients := []quotaClient{{"good1", "10.0.0.1"}, {"good1", "10.0.0.2"}, {"good2", "10.0.0.1"}, {"good3", "2001:db8::1"}, {"", "10.0.0.2"}}
		calls := 0
		client := func(t *rapid.T) quotaClient { return rapid.SampledFrom(clients).Draw(t, "client") }
		peer := func(t *rapid.T, c quotaClient) *fakePeer {
			free := slices.DeleteFunc(slices.Clone(peers), func(p *fakePeer) bool { return p.c.state != connStateIdle })
			if len(free) > 0 && rapid.Bool().Draw(t, "reuse") {
				return rapid.SampledFrom(free).Draw(t, "peer")
			}
			p := r.dialAs(c, rapid.IntRange(0, 1).Draw(t, "loop"))
			peers = append(peers, p)
			return p
		}
		send := func(t *rapid.T, c quotaClient, text string) {
			if p := peer(t, c); !p.closed {
				p.send(c.of(text))
			}
		}
		inSession := func(t *rapid.T, f func(*sessionClient) string) {
			if len(sessions) > 0 {
				at := rapid.SampledFrom(sessions).Draw(t, "session")
				send(t, at.c, f(at.s))
			}
		}
		part := func(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "part") }
		actions := map[string]func(*rapid.T){
			"add":  func(t *rapid.T) { send(t, client(t), addCall(1, 2).String()) },
			"big":  func(t *rapid.T) { send(t, client(t), addCall(1, 2).big().String()) },
			"list": func(t *rapid.T) { send(t, client(t), request{method: "tools/list"}.String()) },
			"bad": func(t *rapid.T) {
				send(t, quotaClient{"bad", "10.0.0.1"}, addCall(1, 2).String())
				r.settleFlights()
			},
			"listen": func(t *rapid.T) { send(t, client(t), listenTo("1", everything).String()) },
			"sse": func(t *rapid.T) {
				send(t, client(t), "GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
			},
			"play": func(t *rapid.T) {
				if calls++; calls <= 40 {
					send(t, client(t), callTool("play", `{"part":"`+part(t)+`"}`).String())
				}
			},
			"initialize": func(t *rapid.T) {
				c := client(t)
				p := r.dialAs(c, 0)
				rev := rapid.SampledFrom([]string{"2025-11-25", "2025-03-26"}).Draw(t, "revision")
				if !p.closed {
					p.send(c.of(post("", "", initializeBody(rev))))
				}
				if _, id, ok := strings.Cut(p.take(), "Mcp-Session-Id: "); ok && len(sessions) < 6 {
					id, _, _ = strings.Cut(id, "\r\n")
					sessions = append(sessions, struct {
						c quotaClient
						s *sessionClient
					}{c, &sessionClient{r, rev, id}})
				}
				if !p.closed {
					p.fin()
				}
			},
			"get": func(t *rapid.T) { inSession(t, func(s *sessionClient) string { return s.getText("") }) },
			"call": func(t *rapid.T) {
				if calls++; calls <= 40 {
					inSession(t, func(s *sessionClient) string { return s.message(playBody("1", part(t))) })
				}
			},
			"batch": func(t *rapid.T) {
				inSession(t, func(s *sessionClient) string {
					return s.message(`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/list"}]`)
				})
			},
			"level": func(t *rapid.T) {
				inSession(t, func(s *sessionClient) string {
					return s.message(`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`)
				})
			},
			"cancel": func(t *rapid.T) {
				inSession(t, func(s *sessionClient) string {
					return s.message(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
				})
			},
			"delete": func(t *rapid.T) {
				if len(sessions) > 0 {
					i := rapid.IntRange(0, len(sessions)-1).Draw(t, "which")
					at := sessions[i]
					sessions = slices.Delete(sessions, i, i+1)
					send(t, at.c, "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: "+at.s.id+"\r\n\r\n")
				}
			},
			"cue": func(t *rapid.T) {
				r.cue(part(t), rapid.SampledFrom([]string{"end", "end", "word", "ask 1"}).Draw(t, "cue"))
				time.Sleep(time.Duration(rapid.IntRange(0, 200).Draw(t, "µs")) * time.Microsecond)
			},
			"leave": func(t *rapid.T) {
				if open := slices.DeleteFunc(slices.Clone(peers), func(p *fakePeer) bool { return p.closed }); len(open) > 0 {
					if p := rapid.SampledFrom(open).Draw(t, "peer"); rapid.Bool().Draw(t, "fin") {
						p.fin()
					} else {
						p.rst()
					}
				}
			},
			"panic": func(t *rapid.T) {
				if open := slices.DeleteFunc(slices.Clone(peers), func(p *fakePeer) bool { return p.closed }); len(open) > 0 {
					rapid.SampledFrom(open).Draw(t, "peer").boom = true
				}
			},
			"revoke": func(t *rapid.T) {
				who := rapid.SampledFrom([]string{"good1", "good2"}).Draw(t, "who")
				for _, l := range r.loops {
					rv := &revocation{f: func(ti *auth.TokenInfo) bool { return ti.UserID == who }, done: make(chan struct{})}
					rv.loops.Store(1)
					l.revokes = append(l.revokes, &revokeWalk{revocation: rv, calls: len(l.detached)})
					l.guard(l.serveRevokes)()
				}
			},
			"time": func(t *rapid.T) { r.wait(time.Duration(rapid.IntRange(1, 40).Draw(t, "ticks")) * tickUnit) },
			"": func(t *rapid.T) {
				r.run()
				for _, p := range peers {
					p.take()
				}
				peers = slices.DeleteFunc(peers, func(p *fakePeer) bool { return p.closed })
				for len(r.causes) > 0 {
					<-r.causes
				}
				if err := r.quotaHarmony(); err != nil {
					t.Fatal(err)
				}
			},
		}
		rt.Repeat(actions)
		for _, p := range r.peers {
			if p.boom = false; !p.closed {
				p.fin()
			}
		}
		r.await("all calls end", func() bool {
			r.wait(time.Second)
			for len(r.causes) > 0 {
				<-r.causes
			}
			return r.s.calls.Load() == 0 && r.s.loose.Load() == 0
		})
		r.wait(20 * time.Second)
		if err := r.quotaHarmony(); err != nil {
			rt.Fatal(err)
		}
		r.wantNoQuotas("all is over")
		r.peers = nil
	})
}

// settleFlights waits until all tokens are verified.
func (r *port) settleFlights() {
	r.await("all tokens are verified", func() bool { return r.s.auth.flying() == 0 })
	r.run()
}

// Many connections of few clients come and go, above and below the limits: the counts are never
// more than the limit.
func TestQuotasNeverExceeded(t *testing.T) {
	const most = 7
	r := newQuotaPort(t, Options{PerAddress: &ClientLimits{Connections: most}, PerPrincipal: &ClientLimits{Connections: most}})
	rng := rand.New(rand.NewPCG(1, 2))
	var open []*fakePeer
	for range 3000 {
		c := quotaClient{fmt.Sprint("good", 1+rng.IntN(4)), fmt.Sprint("10.0.0.", rng.IntN(4))}
		if len(open) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(open))
			if !open[i].closed {
				open[i].fin()
			}
			open = slices.Delete(open, i, i+1)
			continue
		}
		p := r.dialAs(c, rng.IntN(2))
		if !p.closed {
			p.send(c.of(addCall(1, 2).String()))
		}
		open = append(open, p)
		for i, table := range r.s.quotas.tables {
			for k := range 4 {
				key := r.s.quotas.addressKey(p.addr.Addr())
				if party(i) == byPrincipal {
					key = r.s.quotas.keyOf(identityOf(&auth.TokenInfo{UserID: fmt.Sprint("good", 1+k)}))
				}
				if n := table.Held(key, quota.Connections); n > most {
					t.Fatalf("a client by %s has %d connections", partyNames[i], n)
				}
			}
		}
	}
	if r.s.Stats().Refusals["address_connections"] == 0 || r.s.Stats().Refusals["principal_connections"] == 0 {
		t.Errorf("nothing was refused: %v", r.s.Stats().Refusals)
	}
	for _, p := range open {
		if !p.closed {
			p.fin()
		}
	}
	r.wantNoQuotas("all have disconnected")
}
