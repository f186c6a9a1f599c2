package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Sessions, calls and streams in any order, over connections that break at any time, on two
// loops: the counters equal what is there after each step, every connection that is waited for is
// answered, and when all clients are gone and the ages over nothing is left. No job is freed
// twice.
func TestSessionsAtRandom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newPort(t, &Options{MaxSessions: 4, MaxStreams: 4, CallTimeout: 20 * time.Second, ReplayAge: 5 * time.Second, ReplayEvents: 4, SessionIdle: 8 * time.Second, Heartbeat: 3 * time.Second})
		sessions := []*sessionClient{r.initialize("2025-11-25"), r.initialize("2025-11-25"), r.initialize("2025-03-26")}
		var peers []*fakePeer
		var ids, asks []string // seen on any stream: they are tried by any session
		calls := 0
		look := func() {
			for _, p := range peers {
				for _, part := range strings.Split(string(p.got), "\n") {
					if id, ok := strings.CutPrefix(part, "id: "); ok && len(ids) < 50 {
						ids = append(ids, id)
					}
					if _, v, ok := strings.Cut(part, `"id":"ask-`); ok {
						v, _, _ = strings.Cut(v, `"`)
						asks = append(asks, `"ask-`+v+`"`)
					}
				}
				if len(p.got) > 0 {
					p.take()
				}
			}
			peers = slices.DeleteFunc(peers, func(p *fakePeer) bool { return p.closed })
		}
		session := func(t *rapid.T) *sessionClient { return rapid.SampledFrom(sessions).Draw(t, "session") }
		peer := func(t *rapid.T) *fakePeer {
			free := slices.DeleteFunc(slices.Clone(peers), func(p *fakePeer) bool { return p.c.state != connStateIdle })
			if len(free) > 0 && rapid.Bool().Draw(t, "reuse") {
				return rapid.SampledFrom(free).Draw(t, "peer")
			}
			p := r.dial(rapid.IntRange(0, 1).Draw(t, "loop"))
			peers = append(peers, p)
			return p
		}
		actions := map[string]func(*rapid.T){
			"call": func(t *rapid.T) {
				if calls++; calls <= 60 {
					session(t).play(peer(t), fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "id")), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "part"))
				}
			},
			"cue": func(t *rapid.T) {
				r.cue(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "part"), rapid.SampledFrom([]string{"end", "end", "word", "ask 2", "close"}).Draw(t, "cue"))
				time.Sleep(time.Duration(rapid.IntRange(0, 200).Draw(t, "µs")) * time.Microsecond)
			},
			"stream": func(t *rapid.T) {
				id := ""
				if len(ids) > 0 && rapid.Bool().Draw(t, "resume") {
					id = rapid.SampledFrom(ids).Draw(t, "id")
				}
				peer(t).send(session(t).getText(id))
			},
			"answer": func(t *rapid.T) {
				if len(asks) > 0 {
					peer(t).send(session(t).message(answerBody(rapid.SampledFrom(asks).Draw(t, "ask"), "accept")))
				}
			},
			"cancel": func(t *rapid.T) {
				peer(t).send(session(t).message(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, rapid.IntRange(1, 4).Draw(t, "id"))))
			},
			"subscribe": func(t *rapid.T) {
				peer(t).send(session(t).message(fmt.Sprintf(`{"jsonrpc":"2.0","id":99,"method":"resources/%s","params":{"uri":"rig://a"}}`, rapid.SampledFrom([]string{"subscribe", "unsubscribe"}).Draw(t, "op"))))
			},
			"batch": func(t *rapid.T) {
				peer(t).send(sessions[2].message(`[{"jsonrpc":"2.0","id":1,"method":"ping"},` + playBody("2", "c") + `]`))
				r.cue("c", "end")
			},
			"change": func(*rapid.T) {
				updated(r.ms, "rig://a")
				r.tell()
			},
			"delete": func(t *rapid.T) {
				i := rapid.IntRange(0, len(sessions)-1).Draw(t, "session")
				peer(t).send("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: " + sessions[i].id + "\r\n\r\n")
				sessions[i] = r.initialize(sessions[i].rev)
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
			"time": func(t *rapid.T) { r.wait(time.Duration(rapid.IntRange(1, 40).Draw(t, "ticks")) * tickUnit) },
			"": func(t *rapid.T) {
				r.run()
				look()
				for len(r.causes) > 0 {
					<-r.causes
				}
				if err := r.harmony(); err != nil {
					t.Fatal(err)
				}
				if n := r.s.sessions.Stats().Sessions; n > 4 {
					t.Fatalf("%d sessions", n)
				}
				if n := r.s.Stats().Panics; n != 0 {
					t.Fatalf("%d panics: %s", n, r.log.String())
				}
			},
		}
		rt.Repeat(actions)
		look()
		for _, p := range peers {
			if !p.closed {
				p.fin()
			}
		}
		r.await("all calls end", func() bool {
			r.wait(time.Second)
			for len(r.causes) > 0 {
				<-r.causes
			}
			// A worker counts its call out before it returns the job.
			return r.s.calls.Load() == 0 && r.s.loose.Load() == 0
		})
		r.wait(20 * time.Second)
		if err := r.harmony(); err != nil {
			rt.Fatal(err)
		}
		if n := r.s.sessions.Stats().Sessions; n != 0 || r.s.loose.Load() != 0 || r.s.sessions.Stats().ReplayBytes != 0 || r.s.streams.Load() != 0 {
			rt.Fatalf("left: %d sessions, %d calls without connection, %d bytes, %d streams", n, r.s.loose.Load(), r.s.sessions.Stats().ReplayBytes, r.s.streams.Load())
		}
		for _, l := range r.loops {
			if len(l.detached) != 0 || len(l.main.streams.byURI) != 0 {
				rt.Fatalf("left: %d detached, %d resources", len(l.detached), len(l.main.streams.byURI))
			}
		}
		for _, p := range r.peers {
			if !p.closed {
				p.onClose(nil)
			}
		}
		r.peers = nil
	})
}
