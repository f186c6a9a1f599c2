package server

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// The benchmarks of the request path: a loop on the benchmark's goroutine, over sockets that only
// count. They measure what is ours alone, without a kernel or an event loop below. They also report
// processor time (cpu-ns/op), which does not grow when other processes keep the machine busy, and
// varies least with one processor:
//
//	go test ./server -run '^$' -bench 'Call$|Notice' -benchmem -count 6 -cpu 1

// benchBase is an idleBase that workers may call.
type benchBase struct {
	idleBase
	posted chan engine.Task // has room for more tasks than a loop asks for at once
}

func (f *benchBase) Execute(t engine.Task) { f.posted <- t }

// benchSocket is an idleSocket that keeps what was written last.
type benchSocket struct {
	idleSocket
	last []byte
}

func (s *benchSocket) Write(b []byte) (int, error) {
	s.last = append(s.last[:0], b...)
	return s.idleSocket.Write(b)
}

// A bench is a loop and a client with one connection.
type bench struct {
	b    testing.TB
	l    *loop
	base *benchBase
	sk   *benchSocket
}

func newBench(b *testing.B) *bench { return newBenchWith(b, nil) }

func newBenchWith(b testing.TB, o *Options) *bench {
	r := newRig(b, o)
	k := &bench{b: b, base: &benchBase{posted: make(chan engine.Task, 64)}}
	k.base.peer = netip.MustParseAddrPort("10.0.0.1:4711")
	k.l = newLoop(r.s, 0, k.base)
	b.Cleanup(k.l.stopWorkers)
	r.s.mu.Lock()
	r.s.loops = []*loop{k.l}
	r.s.mu.Unlock()
	k.sk = &benchSocket{}
	k.sk.c = newConn(k.l, endpoint.TrustLoopback, false)
	r.s.admission.Reserve(false)
	k.sk.c.open(k.sk, k.l.now)
	return k
}

// do sends a request and runs the loop until its response is written, as the engines do.
func (k *bench) do(in []byte) {
	writes := k.sk.writes
	k.sk.deliver(in)
	if k.l.gave {
		k.l.lend()
	}
	for k.sk.writes == writes {
		select {
		case t := <-k.base.posted:
			t()
			continue
		default:
		}
		if later := k.base.later; len(later) > 0 {
			k.base.later = nil
			for _, t := range later {
				t()
			}
			continue
		}
		t := <-k.base.posted
		t()
	}
}

// want sends a request whose response must have all of the texts.
func (k *bench) want(in string, texts ...string) {
	k.b.Helper()
	k.do([]byte(in))
	for _, text := range texts {
		if !bytes.Contains(k.sk.last, []byte(text)) {
			k.b.Fatalf("%q is not in %q", text, k.sk.last)
		}
	}
}

// run measures the request. Its response must have the text.
func (k *bench) run(in, text string) {
	t := k.b.(*testing.B)
	k.want(in, "HTTP/1.1 200 ", text)
	b := []byte(in)
	for range 1000 {
		k.do(b) // free lists and scratch have their size
	}
	writes, n := k.sk.writes, 0
	t.ReportAllocs()
	start := cpuTime()
	for t.Loop() {
		k.do(b)
		n++
	}
	t.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(n), "cpu-ns/op")
	if k.sk.writes-writes != n {
		k.b.Errorf("%d writes for %d requests", k.sk.writes-writes, n)
	}
	k.want(in, "HTTP/1.1 200 ", text)
}

func BenchmarkInlineCall(b *testing.B) {
	newBench(b).run(addCall(1, 2).String(), `"sum":3`)
}

func BenchmarkWorkerCall(b *testing.B) {
	newBench(b).run(callTool("echo", `{"text":"ahoy"}`).String(), `"text":"ahoy"`)
}

// authenticated returns the request with a token of the usual length, on which a verdict is kept.
func (k *bench) authenticated(q request) string { return k.l.authenticated(q) }

func (l *loop) authenticated(q request) string {
	token := strings.Repeat("jwt-", 200)
	key := authKeyOf([]byte(token), "/mcp", false)
	who := identityOf(&auth.TokenInfo{UserID: "ann", Issuer: "https://as.example", ClientID: "app"})
	l.srv.auth.cache.shard(&key).put(&key, verdict{outcome: authOK, who: who, until: wheel.Never}, l.now, 1)
	return q.with(bearerField(token)).String()
}

// withAuth are options with a verifier that is never asked.
func withAuth() *Options {
	return &Options{Authenticate: &Authentication{Verifier: func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
		return nil, auth.ErrInvalidToken
	}}}
}

func BenchmarkInlineTokenCall(b *testing.B) {
	k := newBenchWith(b, withAuth())
	k.run(k.authenticated(addCall(1, 2)), `"sum":3`)
}

// BenchmarkInlineUserCall is a call whose user a proxy at the other end of a unix socket names.
func BenchmarkInlineUserCall(b *testing.B) {
	k := newBenchWith(b, &Options{Authenticate: &Authentication{UserHeader: "X-Forwarded-User", ScopesHeader: "X-Forwarded-Groups", UserHeaderUnix: true}})
	k.sk.c.trust = endpoint.TrustUnix
	k.run(addCall(1, 2).with("X-Forwarded-User: ann\r\nX-Forwarded-Groups: staff,mcp\r\n").String(), `"sum":3`)
}

func BenchmarkWorkerTokenCall(b *testing.B) {
	k := newBenchWith(b, withAuth())
	k.run(k.authenticated(callTool("echo", `{"text":"ahoy"}`)), `"text":"ahoy"`)
}

// withLimits are options with a verifier that is never asked, and limits that are never reached.
func withLimits() *Options {
	o := withAuth()
	o.PerPrincipal = &ClientLimits{Connections: 1e6, Streams: 1e6, Sessions: 1e6, Calls: 1e6, CallRate: 1e8, ListRate: 1e8}
	o.PerAddress = o.PerPrincipal
	return o
}

// BenchmarkLimits calls with limits of principal and address, and without, in turn. It reports the
// processor time with them as a multiple of that without, which depends little on how busy the
// machine is.
func BenchmarkLimits(b *testing.B) {
	for name, call := range map[string]request{"inline": addCall(1, 2), "worker": callTool("echo", `{"text":"ahoy"}`)} {
		b.Run(name, func(b *testing.B) {
			const round = 500
			benches := [2]*bench{newBenchWith(b, withAuth()), newBenchWith(b, withLimits())}
			var cpu [2]time.Duration
			in := []byte(benches[0].authenticated(call))
			benches[1].authenticated(call)
			rounds := 0
			b.ReportAllocs()
			for b.Loop() {
				for i, k := range benches {
					start := cpuTime()
					for range round {
						k.do(in)
					}
					cpu[i] += cpuTime() - start
				}
				rounds++
			}
			b.ReportMetric(float64(cpu[1])/float64(cpu[0]), "on/off")
			b.ReportMetric(float64(cpu[0].Nanoseconds())/float64(rounds*round), "off-cpu-ns/call")
			b.ReportMetric(float64(cpu[1].Nanoseconds())/float64(rounds*round), "on-cpu-ns/call")
		})
	}
}

// BenchmarkLegacyCall is a call of revision 2025-11-25 in a session.
func BenchmarkLegacyCall(b *testing.B) {
	const rev = "2025-11-25"
	k := newBench(b)
	k.want(post("", "", initializeBody(rev)), "HTTP/1.1 200 ", rev)
	_, id, _ := bytes.Cut(k.sk.last, []byte("Mcp-Session-Id: "))
	id, _, _ = bytes.Cut(id, []byte("\r"))
	session := string(id)
	k.want(post(session, rev, `{"jsonrpc":"2.0","method":"notifications/initialized"}`), "HTTP/1.1 202 ")
	k.run(post(session, rev, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"ahoy"}}}`), `"text":"ahoy"`)
}

// BenchmarkNotice10000 notifies 10,000 streams that the list of tools changed.
func BenchmarkNotice10000(b *testing.B) {
	const n = 10_000
	l := newIdleLoop(b, nil)
	socks := make([]idleSocket, n)
	for i := range socks {
		s := &socks[i]
		s.c = newConn(l, endpoint.TrustLoopback, false)
		l.srv.admission.Reserve(false)
		s.c.open(s, l.now)
		s.deliver([]byte(listenTo(strconv.Itoa(i), `"toolsListChanged":true`).String()))
	}
	var tools changes
	tools.add(mcp.Change{Topic: mcp.TopicTools})
	writes := func() (k int) {
		for i := range socks {
			k += socks[i].writes
		}
		return k
	}
	before, rounds := writes(), 0
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		l.main.postChanges(&tools)
		l.run()
		rounds++
	}
	cpu := float64((cpuTime() - start).Nanoseconds()) / float64(rounds)
	b.ReportMetric(cpu, "cpu-ns/op")
	b.ReportMetric(cpu/n, "cpu-ns/stream")
	if got := writes() - before; got != rounds*n {
		b.Errorf("%d notices, want %d", got, rounds*n)
	}
}
