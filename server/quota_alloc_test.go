package server

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// Limits add no allocation to a call or a list, and a refusal allocates nothing either.
func TestQuotaAllocs(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	tight := withLimits()
	tight.PerPrincipal = &ClientLimits{CallRate: 1e-9, ListRate: 1e-9}
	for _, tt := range []struct {
		name   string
		o      *Options
		q      request
		allocs float64
	}{
		{"a call without limits", withAuth(), addCall(1, 2), 1},
		{"a call", withLimits(), addCall(1, 2), 1},
		{"a list", withLimits(), request{method: "tools/list"}, 0},
		{"a call that is refused", tight, addCall(1, 2), 0},
	} {
		l := newIdleLoop(t, tt.o)
		l.base.(*idleBase).peer = netip.MustParseAddrPort("10.0.0.1:4711")
		s := l.connect()
		in := []byte(l.authenticated(tt.q))
		wantAllocs(t, tt.name, tt.allocs, func() { s.deliver(in) })
	}
}

// What limits add to an idle stream, with a principal and an address for each. It is small also at
// the worst load of the tables.
func TestQuotaStreamMemory(t *testing.T) {
	if raceEnabled() || testing.Short() {
		t.Skip("measures memory")
	}
	const streams = 8000
	all := &ClientLimits{Connections: 10, Streams: 10, Sessions: 10, Calls: 10, CallRate: 100, ListRate: 100}
	perStream := func(o *Options) float64 {
		l := newIdleLoop(t, o)
		base := l.base.(*idleBase)
		var socks []*idleSocket
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range streams {
			base.peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 4711)
			s := &idleSocket{c: newConn(l, endpoint.TrustLoopback, false)}
			l.srv.admission.Reserve(false)
			s.c.open(s, l.now)
			q := listenTo("1", everything).String()
			s.deliver([]byte(q[:len(q)-1]))
			s.c.x.who = identityOf(&auth.TokenInfo{UserID: fmt.Sprint("user-", i), Issuer: "https://issuer", ClientID: "client"})
			if l.places != nil {
				s.c.passesPrincipal(s.c.x.who)
			}
			s.deliver([]byte(q[len(q)-1:]))
			if s.c.state != connStateStream {
				t.Fatalf("stream %d: state %v", i, s.c.state)
			}
			socks = append(socks, s)
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(socks)
		return float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / streams
	}
	off := perStream(nil)
	principal := perStream(&Options{PerPrincipal: all})
	both := perStream(&Options{PerPrincipal: all, PerAddress: all})
	t.Logf("%d streams: %.1f B each without limits, %+.1f B with those of principals, %+.1f B with those of addresses too",
		streams, off, principal-off, both-off)
	if both-off > 250 || principal-off > 130 {
		t.Errorf("limits add %.1f and %.1f B", principal-off, both-off)
	}
}
