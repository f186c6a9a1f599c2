package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

// A verdict is kept for its time and no longer than the token is valid.
func TestAuthenticateCache(t *testing.T) {
	r, f := newAuthRig(t, nil)
	ask := func(token string, status int, calls int64) {
		t.Helper()
		before := f.calls.Load()
		p := r.connect()
		p.send(addCall(1, 2).with(bearerField(token)).String())
		r.settleAuth()
		p.wantResponse(token, status)
		p.fin()
		if n := f.calls.Load() - before; n != calls {
			t.Errorf("%s: the verifier was called %d times, want %d", token, n, calls)
		}
	}
	ask("good", 200, 1)
	ask("bad", 401, 1)
	ask("brief", 200, 1)
	ask("down", 503, 1)
	for range 3 {
		ask("good", 200, 0)
		ask("bad", 401, 0)
	}
	r.pass(1500 * time.Millisecond)
	ask("brief", 200, 1)
	ask("down", 503, 1)
	ask("bad", 401, 0)
	r.pass(5 * time.Second)
	ask("bad", 401, 1)
	ask("good", 200, 0)
	r.pass(time.Minute)
	ask("good", 200, 1)
}

// A verdict that is forgotten is found out anew, also one that is being found out meanwhile.
func TestAuthenticateForget(t *testing.T) {
	r, f := newAuthRig(t, nil)
	ask := func(token string, calls int64) {
		t.Helper()
		before := f.calls.Load()
		p := r.connect()
		p.send(addCall(1, 2).with(bearerField(token)).String())
		r.settleAuth()
		p.wantResponse(token, 200)
		if n := f.calls.Load() - before; n != calls {
			t.Errorf("%s: the verifier was called %d times, want %d", token, n, calls)
		}
	}
	ask("good", 1)
	ask("good2", 1)
	r.s.auth.cache.forget(func(who *identity) bool { return who.name == "good" })
	ask("good", 1)
	ask("good2", 0)
	p := r.connect()
	p.send(addCall(1, 2).with(bearerField("slow")).String())
	r.await("the verifier is called", func() bool { return r.s.auth.flying() == 1 })
	r.s.auth.cache.forget(func(*identity) bool { return false })
	close(f.free)
	r.settleAuth()
	p.wantResponse("slow", 200)
	ask("slow", 1)
	ask("slow", 0)
}

// However many bad tokens come, the verdicts on good ones stay, and memory is bounded.
func TestAuthCacheBounded(t *testing.T) {
	c := authCache{most: 4}
	key := func(s string) *authKey {
		k := authKeyOf([]byte(s), "/mcp", false)
		return &k
	}
	put := func(s string, o authOutcome) {
		k := key(s)
		_, f, first := c.join(k, 0, authWaiter{})
		if !first {
			t.Fatal("a flight is left")
		}
		c.land(f, verdict{outcome: o}, 0, time.Minute)
	}
	put("good", authOK)
	for i := range 10_000 {
		put(fmt.Sprint("bad", i), authInvalid)
	}
	if v, ok := c.find(key("good"), 0); !ok || v.outcome != authOK {
		t.Error("the verdict on the good token is lost")
	}
	if _, ok := c.find(key("good"), 600); ok {
		t.Error("the verdict is used for too long")
	}
	for i := range c.shards {
		if s := &c.shards[i]; len(s.bad) > 4 || len(s.flights) != 0 {
			t.Fatalf("%d verdicts, %d flights in a shard", len(s.bad), len(s.flights))
		}
	}
	// A token is known at one path only, and as a token or as a key.
	for _, k := range []authKey{authKeyOf([]byte("good"), "/b", false), authKeyOf([]byte("good"), "/mcp", true)} {
		if _, ok := c.find(&k, 0); ok {
			t.Error("a verdict is used where it is not valid")
		}
	}
}

// A verdict that is kept costs no allocation.
func TestAuthenticateAllocs(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	count := func(token string, opts *Options) float64 {
		r := newRig(t, opts)
		p := r.connect()
		in := addCall(1, 2).with(bearerField(token)).String()
		p.send(in)
		if r.s.auth != nil {
			r.settleAuth()
		}
		return testing.AllocsPerRun(500, func() {
			p.send(in)
			p.got = p.got[:0]
		})
	}
	f := &fakeVerifier{}
	without := count("good", nil)
	with := count("good", &Options{Authenticate: &Authentication{Verifier: f.verify}})
	if with > without {
		t.Errorf("%v allocations with authentication, %v without", with, without)
	}
}

// What belongs to one principal does not exist for another.
func TestAuthenticatePrincipal(t *testing.T) {
	r, _ := newAuthRig(t, nil)
	do := func(token, head, body string) *response {
		t.Helper()
		p := r.connect()
		in := strings.Replace(post("", "", body), "\r\n", "\r\n"+head+bearerField(token), 1)
		p.method = "initialize"
		p.send(in)
		r.settleAuth()
		return p.next("POST")
	}
	res := do("good", "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	id := res.head.Get("Mcp-Session-Id")
	if res.status != 200 || id == "" {
		t.Fatalf("initialize: %d %s", res.status, res.body)
	}
	session := "Mcp-Session-Id: " + id + "\r\n"
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for token, status := range map[string]int{"good": 200, "good2": 404, "bad": 401} {
		if res := do(token, session, ping); res.status != status {
			t.Errorf("ping by %s: status %d, want %d", token, res.status, status)
		}
	}
	for _, method := range []string{"GET", "DELETE"} {
		for token, status := range map[string]int{"good2": 404, "bad": 401} {
			p := r.connect()
			p.send(method + " /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n" + session + bearerField(token) + "\r\n")
			r.settleAuth()
			if res := p.next(method); res.status != status {
				t.Errorf("%s by %s: status %d, want %d", method, token, res.status, status)
			}
		}
	}
	if res := do("good", session, ping); res.status != 200 {
		t.Errorf("ping at the end: status %d", res.status)
	}
}

// With Optional, a request without credentials is served as anonymous, and one with bad ones is
// not.
func TestAuthenticateOptional(t *testing.T) {
	r, _ := newAuthRig(t, func(o *Options) { o.Authenticate.Optional = true })
	for head, status := range map[string]int{"": 200, bearerField("good"): 200, bearerField("bad"): 401, "Authorization: Basic YTpi\r\n": 200} {
		p := r.connect()
		p.send(addCall(1, 2).with(head).String())
		r.settleAuth()
		p.wantResponse(head, status)
	}
}

// A server that drains answers the requests whose tokens it verifies.
func TestAuthenticateDrain(t *testing.T) {
	r, f := newAuthRig(t, func(o *Options) { o.Authenticate.VerifyTimeout = time.Minute })
	p := r.connect()
	p.send(addCall(1, 2).with(bearerField("slow")).String())
	r.l.postDrain(&drainOrder{spread: 1})
	r.run()
	p.wantNothing("before the verdict")
	close(f.free)
	r.settleAuth()
	p.wantResponse("the last", 200).wantField("the last", "Connection", "close")
}

func TestAuthenticationOptions(t *testing.T) {
	f := &fakeVerifier{}
	md := &auth.ProtectedResourceMetadata{}
	for _, tt := range []struct {
		o     Options
		fault string
	}{
		{Options{Authenticate: &Authentication{Verifier: f.verify}}, ""},
		{Options{PublicURL: "https://mcp.example:8443", Authenticate: &Authentication{Verifier: f.verify, Metadata: md}}, ""},
		{Options{Authenticate: &Authentication{Verifier: f.verify, Metadata: &auth.ProtectedResourceMetadata{Resource: "https://h/x"}}}, ""},
		{Options{Authenticate: &Authentication{}}, "Authenticate.Verifier"},
		{Options{Authenticate: &Authentication{Verifier: f.verify, KeyHeader: "a b"}}, "Authenticate.KeyHeader"},
		{Options{Authenticate: &Authentication{Verifier: f.verify, KeyHeader: "authorization"}}, "Authenticate.KeyHeader"},
		{Options{Authenticate: &Authentication{Verifier: f.verify, Scopes: []string{"a b"}}}, "Authenticate.Scopes"},
		{Options{Authenticate: &Authentication{Verifier: f.verify, VerifyTimeout: 1}}, "Authenticate.VerifyTimeout"},
		{Options{Authenticate: &Authentication{Verifier: f.verify, Metadata: md}}, "Authenticate.Metadata"},
		{Options{Authenticate: &Authentication{Verifier: f.verify, Metadata: &auth.ProtectedResourceMetadata{Resource: "/mcp"}}}, "Authenticate.Metadata"},
		{Options{PublicURL: "https://mcp.example/"}, "PublicURL"},
		{Options{PublicURL: "https://mcp.example/mcp"}, "PublicURL"},
		{Options{PublicURL: "mcp.example"}, "PublicURL"},
		{Options{PublicURL: "*"}, "PublicURL"},
		{Options{PublicURL: "ftp://mcp.example"}, "PublicURL"},
	} {
		err := tt.o.Validate()
		if oe, _ := errors.AsType[*OptionError](err); (err == nil) != (tt.fault == "") || oe != nil && oe.Option != tt.fault {
			t.Errorf("%+v: got %v, want a fault of %q", tt.o, err, tt.fault)
		}
	}
}

// A request that is refused for its content while its token is verified is answered once.
func TestAuthenticateAfterRefusal(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		status   int
	}{
		{"a bad chunk", strings.Replace(chunkedPost(addCall(1, 2).with(bearerField("slow"))), "28;x=y", "2g;x=y", 1), 400},
		{"content that does not arrive", addCall(1, 2).with(bearerField("slow") + "X: y\r\n").String(), 408},
	} {
		for _, cut := range []bool{false, true} {
			r, f := newAuthRig(t, func(o *Options) { o.Authenticate.VerifyTimeout, o.BodyTimeout = time.Minute, time.Second })
			p := r.connect()
			in := tt.in
			if tt.status == 408 {
				in = in[:len(in)-5]
			}
			if cut {
				i := strings.Index(in, "\r\n\r\n") + 4
				p.send(in[:i])
				in = in[i:]
			}
			p.send(in)
			r.await("the verifier is called", func() bool { return r.s.auth.flying() == 1 })
			r.pass(1500 * time.Millisecond)
			p.wantResponse(tt.name, tt.status)
			close(f.free)
			r.settleAuth()
			p.wantNothing("no second answer")
			r.wantInvariants(tt.name)
		}
	}
}

// The session of an HTTP+SSE stream is of the principal who opened the stream, and nobody else may
// post to it.
func TestAuthenticateSSE(t *testing.T) {
	r, f := newAuthRig(t, func(o *Options) { o.SSEPath = "/sse" })
	p := r.connect()
	p.send("GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n" + bearerField("good") + "\r\n")
	r.settleAuth()
	got := p.take()
	_, ref, ok := strings.Cut(got, "data: ")
	if ref, _, _ = strings.Cut(ref, "\n"); !ok || !strings.HasPrefix(ref, "/sse/message?") {
		t.Fatalf("got %q", got)
	}
	const body = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for token, status := range map[string]int{"good": 202, "good2": 404, "bad": 401} {
		q := r.connect()
		q.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
			strings.TrimSpace(ref), bearerField(token), len(body), body))
		r.settleAuth()
		q.wantResponse(token, status)
	}
	if n := f.calls.Load(); n != 3 {
		t.Errorf("the verifier was called %d times: a token for the stream is one for its messages", n)
	}
}

// A token without the scope of a tool gets 403, with the metadata of the endpoint in the challenge.
func TestAuthenticateScopes(t *testing.T) {
	r, _ := newAuthRig(t, func(o *Options) {
		o.Scopes = &Scopes{Tools: map[string][]string{"add": {"tool:add"}}}
	})
	p := r.connect()
	p.send(addCall(1, 2).with(bearerField("good")).String())
	r.settleAuth()
	p.wantResponse("no scope", 403).wantField("no scope", "WWW-Authenticate",
		`Bearer error="insufficient_scope", error_description="the token lacks a scope", `+
			`resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="tool:add"`)
	p.send(callTool("echo", `{"text":"x"}`).with(bearerField("good")).String())
	r.settleAuth()
	p.wantCode("no scope is needed", 200, 0)
}
