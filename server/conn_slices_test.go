package server

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// In one turn a loop serves at most turnBytes of a client's requests plus one request, whether
// the requests were held back or have just been read. All are answered, in order, and other
// clients are served in between.
func TestRequestsAreSliced(t *testing.T) {
	const n = 400
	small := func(i int) string {
		return fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i)
	}
	for name, begin := range map[string]func(*rig, *fakePeer, string){
		"kept": func(r *rig, p *fakePeer, all string) {
			p.deliver(callTool("wait", `{}`).String())
			r.run()
			p.deliver(all)
			r.hold <- struct{}{}
			<-r.base.wake
		},
		"one read": func(_ *rig, p *fakePeer, all string) { p.deliver(all) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &Options{MaxPipelined: 1 << 20})
			r.s.up.Store(true)
			var all strings.Builder
			for i := range n {
				all.WriteString(small(i))
			}
			p, other := r.connect(), r.connect()
			served := func() int { return strings.Count(string(p.got), "HTTP/1.1 404") }
			most := turnBytes/len(small(0)) + 1
			begin(r, p, all.String())
			before, turns := 0, 0
			look := func() {
				now := served()
				if now-before > most {
					t.Fatalf("%d requests served in one turn, want at most %d", now-before, most)
				}
				if before < now && now < n {
					other.deliver(getHealth)
					if res := other.next("GET"); res.status != 200 {
						t.Fatalf("health check between slices: status %d", res.status)
					}
				}
				before = now
				turns++
			}
			look()
			r.turns(look)
			if name == "kept" {
				p.wantResponse("the call", 200)
			}
			for i := range n {
				if res := p.next("GET"); res.status != 404 {
					t.Fatalf("request %d: status %d", i, res.status)
				}
			}
			p.wantOpen("at the end")
			if want := max(2, all.Len()/turnBytes); turns < want {
				t.Errorf("%d turns, want at least %d", turns, want)
			}
			if p.c.x != nil || len(r.l.sliced) > 0 {
				t.Error("an idle connection still holds requests")
			}
		})
	}
	t.Run("a connection that closes meanwhile", func(t *testing.T) {
		r := newRig(t, &Options{MaxPipelined: 1 << 20})
		p := r.connect()
		p.deliver(strings.Repeat(small(1), n))
		p.onClose(nil)
		heir := r.connect()
		r.run()
		heir.wantNothing("answers for the previous connection in its slot")
	})
	t.Run("a panic on one connection", func(t *testing.T) {
		r := newRig(t, nil)
		peers := []*fakePeer{r.connect(), r.connect(), r.connect()}
		for _, p := range peers {
			p.deliver(strings.Repeat(small(1), n))
		}
		peers[0].boom = true
		r.run()
		peers[0].wantClosed("its write panicked", closePanic)
		for i, p := range peers[1:] {
			if got := served404(p); got != n {
				t.Errorf("%d of %d answers on connection %d after the one that panicked", got, n, i+1)
			}
		}
	})
	t.Run("at the end of a connection", func(t *testing.T) {
		r := newRig(t, nil)
		p := r.connect()
		p.deliver(strings.Repeat(small(1), n) + strings.Replace(small(2), "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		r.run()
		r.pass(time.Second)
		if got := served404(p); got != n+1 || !p.shut && !p.closed {
			t.Errorf("%d answers, closed %v; want %d and the end", got, p.closed, n+1)
		}
	})
}

func served404(p *fakePeer) int { return strings.Count(string(p.got), "HTTP/1.1 404") }
