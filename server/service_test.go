package server

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// visit sends a request to a guest, as a host does that chooses the mcp.Server for each request.
func (r *port) visit(p *fakePeer, ms *mcp.Server, text string) *service {
	svc := r.s.serviceOf(site{mcp: ms, path: "/guest"})
	defer svc.release()
	p.c.moor(svc)
	p.send(text)
	return svc
}

// wantGuests checks how many guests there are.
func (r *port) wantGuests(why string, want int) {
	r.t.Helper()
	r.s.guests.mu.Lock()
	defer r.s.guests.mu.Unlock()
	if n := len(r.s.guests.m); n != want {
		r.t.Fatalf("%s: %d guests, want %d", why, n, want)
	}
}

// A guest is there as long as something of it is: a request, a stream, a call, a subscription.
func TestGuestLivesAsLongAsItIsHeld(t *testing.T) {
	r := newPort(t, &Options{SessionIdle: time.Second})
	ms := newNamed(t, "guest", nil)
	hold := make(chan struct{})
	mcp.AddTool(ms, &mcp.Tool{Name: "hold"}, func(context.Context, *mcp.CallToolRequest, noIn) (*mcp.CallToolResult, any, error) {
		<-hold
		return &mcp.CallToolResult{}, nil, nil
	})
	p := r.dial(0)
	r.visit(p, ms, callTool("who", `{}`).String())
	if res := p.wantResponse("inline", 200); !strings.Contains(res.body, `"guest"`) {
		t.Errorf("inline: %s", res.body)
	}
	r.wantGuests("after an inline call", 0)
	p.wantStays("after an inline call")

	half := callTool("who", `{}`).String()
	r.visit(p, ms, half[:len(half)-1])
	r.wantGuests("half a request", 1)
	p.send(half[len(half)-1:])
	p.wantResponse("the other half", 200)
	r.wantGuests("a whole request", 0)
	r.visit(p, ms, half[:len(half)-1])
	p.fin()
	r.wantGuests("an aborted request", 0)

	p = r.dial(0)
	r.visit(p, ms, listenTo("1", everything).String())
	p.wantResponse("listen", 200)
	q := r.dial(1)
	svc := r.visit(q, ms, listenTo("1", everything).String())
	q.wantResponse("listen", 200)
	r.wantGuests("two streams", 1)
	updated(ms, "rig://a")
	svc.notices.flush()
	r.run()
	for _, peer := range []*fakePeer{p, q} {
		if got := peer.take(); !strings.Contains(got, updatedA) {
			t.Errorf("a stream of the guest got %q", got)
		}
	}
	p.fin()
	r.wantGuests("one stream", 1)
	q.fin()
	r.wantGuests("no stream", 0)

	p = r.dial(0)
	r.visit(p, ms, callTool("hold", `{}`).String())
	r.wantGuests("a call", 1)
	p.fin()
	r.wantGuests("a call whose client has left", 1)
	close(hold)
	r.callsEnd("the call")
	r.await("the guest goes with the call", func() bool { return len(r.s.guests.m) == 0 })

	p = r.dial(0)
	r.visit(p, ms, post("", "", initializeBody("2025-11-25")))
	s := &sessionClient{r, "2025-11-25", p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
	r.wantGuests("a session without state", 0)
	r.visit(p, ms, s.message(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"rig://a"}}`))
	p.wantResponse("subscribe", 200)
	r.wantGuests("a subscription", 1)
	r.visit(p, newNamed(t, "another", nil), s.message(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"rig://a"}}`))
	if res := p.wantResponse("subscribe with another server", 200); !strings.Contains(res.body, "another server") {
		t.Errorf("a subscription with another server: %s", res.body)
	}
	r.wantGuests("a subscription with another server", 1)
	r.wait(2 * sessionSweep)
	r.wantGuests("a subscription that was forgotten", 0)
	r.wantNothingHeld("at the end")
}

// sessionSweep is long enough for all shards to be swept.
const sessionSweep = 10 * time.Second

// A guest that was forgotten and comes back tells its clients that they may have missed anything.
func TestGuestComesBack(t *testing.T) {
	r := newPort(t, nil)
	ms := newNamed(t, "guest", nil)
	p := r.dial(0)
	r.visit(p, ms, post("", "", initializeBody("2025-11-25")))
	s := &sessionClient{r, "2025-11-25", p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
	svc := r.visit(p, ms, s.getText(""))
	ms.RemovePrompts("hail")
	svc.notices.flush()
	r.run()
	events := s.events(p)
	if len(events) != 1 || events[0].id == "" {
		t.Fatalf("events %+v, want one with an ID", events)
	}
	p.fin()
	r.wantGuests("without streams", 0)
	ms.RemoveTools("who") // nobody watches
	time.Sleep(time.Millisecond)
	p = r.dial(1)
	r.visit(p, ms, s.getText(events[0].id))
	s.events(p)
	r.wait(2 * tickUnit)
	if got := s.told(p); !strings.Contains(got, "tools/list_changed") {
		t.Errorf("the client that comes back is told %q", got)
	}
}

// A site that an endpoint serves is no guest.
func TestServiceOfAnEndpoint(t *testing.T) {
	r, other := newHarbour(t, &Options{SSEPath: "/sse"})
	for _, tt := range []struct {
		at   site
		want *service
	}{
		{site{mcp: r.ms, path: "/mcp"}, r.s.main},
		{site{mcp: r.ms, path: "/mcp", sse: "/sse"}, r.s.main},
		{site{mcp: r.ms, path: "/twin"}, r.s.endpoints.Load().services[1]},
		{site{mcp: other, path: "/other"}, r.s.endpoints.Load().services[2]},
		{site{mcp: other, path: "/mcp"}, nil},
		{site{mcp: r.ms, path: "/mcp", sse: "/elsewhere"}, nil},
	} {
		svc := r.s.serviceOf(tt.at)
		if tt.want != nil && svc != tt.want || tt.want == nil && !svc.guest {
			t.Errorf("%+v is served by %+v", tt.at, svc.site)
		}
		if again := r.s.serviceOf(tt.at); again != svc {
			t.Errorf("%+v has two services", tt.at)
		}
		svc.release()
		svc.release()
	}
	r.wantGuests("at the end", 0)
}

// A host that makes an mcp.Server for each request leaves nothing behind.
func TestGuestsLeaveNothing(t *testing.T) {
	if raceEnabled() {
		t.Skip("measures memory")
	}
	r := newPort(t, nil)
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	round := func(from int) {
		for i := range n {
			ms := mcp.NewServer(&mcp.Implementation{Name: fmt.Sprint("guest", from+i), Version: "1"}, nil)
			mcp.AddInlineTool(ms, &mcp.Tool{Name: "who"}, func(*mcp.CallToolRequest, noIn) (map[string]int, error) {
				return map[string]int{"n": i}, nil
			})
			p := r.dial(i % 2)
			if i%4 < 2 {
				r.visit(p, ms, callTool("who", `{}`).String())
				p.wantResponse("who", 200)
			} else {
				svc := r.visit(p, ms, listenTo("1", everything).String())
				mcp.AddInlineTool(ms, &mcp.Tool{Name: "more"}, func(*mcp.CallToolRequest, noIn) (map[string]int, error) { return nil, nil })
				svc.notices.flush()
				r.run()
				if got := p.take(); !strings.Contains(got, toolsNotice) {
					t.Fatalf("guest %d: stream got %q", i, got)
				}
			}
			p.fin()
			r.peers = r.peers[:len(r.peers)-1]
		}
	}
	round(0)
	before := liveHeap()
	round(n)
	grown := liveHeap() - before
	t.Logf("the heap has grown by %d bytes", grown)
	if grown > 1<<20 {
		t.Errorf("%d guests leave %d bytes", n, grown)
	}
	r.wantGuests("at the end", 0)
	// All at once: the map that held them is let go.
	var all []*service
	for range n {
		all = append(all, r.s.serviceOf(site{mcp: mcp.NewServer(&mcp.Implementation{Name: "x", Version: "1"}, nil)}))
	}
	for _, svc := range all {
		svc.release()
	}
	clear(all)
	if grown := liveHeap() - before; grown > 2<<20 {
		t.Errorf("%d guests at once leave %d bytes", n, grown)
	}
	if r.s.guests.m != nil {
		t.Error("the map of guests is kept")
	}
	runtime.KeepAlive(r)
}

// Whoever takes a guest has one that is alive until it lets go, and at the end none is left.
func TestGuestsConcurrently(t *testing.T) {
	r := newPort(t, nil)
	var servers []*mcp.Server
	for i := range 3 {
		servers = append(servers, newNamed(t, fmt.Sprint(i), nil))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				at := site{mcp: servers[(g+i)%len(servers)], path: "/g"}
				svc := r.s.serviceOf(at)
				svc.watch()
				more := svc.hold()
				svc.release()
				more.mu.Lock()
				if more.left || more.site != at {
					t.Error("a guest that is held has been left")
				}
				more.mu.Unlock()
				more.release()
			}
		})
	}
	wg.Wait()
	r.wantGuests("at the end", 0)
}
