package server

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server/internal/quota"
)

// A quotaClient is a client of a principal at an address.
type quotaClient struct {
	token string // "" for an anonymous one
	addr  string
}

// newQuotaPort returns a port that knows the tokens good1 to good4, and serves anonymous callers.
func newQuotaPort(t testing.TB, o Options) *port {
	t.Helper()
	f := &fakeVerifier{}
	o.Authenticate = &Authentication{Verifier: f.verify, Optional: true}
	r := newPort(t, &o)
	for _, token := range []string{"good1", "good2", "good3", "good4"} {
		for _, path := range []string{"/mcp", o.SSEPath} {
			k := authKeyOf([]byte(token), path, false)
			_, flight, _ := r.s.auth.cache.join(&k, r.l.now, authWaiter{})
			who := identityOf(&auth.TokenInfo{UserID: token, Expiration: time.Now().Add(100 * time.Hour)})
			r.s.auth.cache.land(flight, verdict{outcome: authOK, who: who}, r.l.now, 100*time.Hour)
		}
	}
	return r
}

// dialAs opens a connection of a client on a loop.
func (r *port) dialAs(c quotaClient, loop int) *fakePeer {
	p := &fakePeer{r: r.rig, room: -1}
	if c.addr != "" {
		p.addr = netip.AddrPortFrom(netip.MustParseAddr(c.addr), 4711)
	}
	p.c = newConn(r.loops[loop], 0, false)
	r.s.admission.Reserve(false)
	p.c.open(p, p.c.loop.now)
	r.peers = append(r.peers, p)
	return p
}

// of returns a request of c.
func (c quotaClient) of(text string) string {
	if c.token == "" {
		return text
	}
	return strings.Replace(text, "Host: localhost\r\n", "Host: localhost\r\n"+bearerField(c.token), 1)
}

// wantExcess checks that the last request was refused for a limit.
func (p *fakePeer) wantExcess(why, class string, before uint64) {
	p.r.t.Helper()
	res := p.next("")
	if res.status != 429 || res.head.Get("Retry-After") == "" || res.head.Get("Retry-After") == "0" ||
		!strings.Contains(res.body, `"code":-32600`) {
		p.r.t.Fatalf("%s: %d, Retry-After %q, %s", why, res.status, res.head.Get("Retry-After"), res.body)
	}
	if got := p.r.s.Stats().Refusals[class] - before; got != 1 {
		p.r.t.Fatalf("%s: %d refusals counted as %s: %v", why, got, class, p.r.s.Stats().Refusals)
	}
}

// wantNoQuotas checks that nothing is counted for anybody, and that nobody is remembered once all
// budgets are full.
func (r *port) wantNoQuotas(why string) {
	r.t.Helper()
	r.await(why, func() bool { return r.s.calls.Load() == 0 })
	for i, table := range r.s.quotas.tables {
		if table == nil {
			continue
		}
		for k := range quota.NumKinds {
			if n := table.Total(k); n != 0 {
				r.t.Fatalf("%s: %d of kind %d are left for a client by %s", why, n, k, partyNames[i])
			}
		}
		if table.Sweep(1<<60) || table.Entries() != 0 {
			r.t.Fatalf("%s: %d clients are remembered by %s", why, table.Entries(), partyNames[i])
		}
	}
}
