package server

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// newUserRig returns a rig behind proxies that name users. Its tool "me" returns the principal.
func newUserRig(t testing.TB, change func(*Options)) (*rig, *fakeVerifier) {
	t.Helper()
	r, f := newAuthRig(t, func(o *Options) {
		o.TrustedProxies = testProxies
		o.Authenticate.UserHeader, o.Authenticate.ScopesHeader, o.Authenticate.EmailHeader = "X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Email"
		if change != nil {
			change(o)
		}
	})
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "me"}, func(req *mcp.CallToolRequest, _ noIn) (map[string]string, error) {
		ti := req.Extra.TokenInfo
		if ti == nil {
			return map[string]string{"me": "nobody"}, nil
		}
		return map[string]string{"me": fmt.Sprint(ti.Issuer, " ", ti.UserID, " ", ti.Scopes, " ", ti.Extra["email"])}, nil
	})
	r.addLoop()
	r.run()
	return r, f
}

// addLoop adds the second loop, to which requests of net/http may go.
func (r *rig) addLoop() {
	r.s.mu.Lock()
	r.s.loops = []*loop{r.l, newLoop(r.s, 1, r.base)}
	r.s.mu.Unlock()
}

// ask sends a request from an address, on a connection of a listener or on net/http.
func (r *rig) ask(onNetHTTP bool, from netip.AddrPort, text string) *response {
	r.t.Helper()
	if !onNetHTTP {
		p := r.connectAs(from)
		p.send(text)
		r.settleAuth()
		return p.next("POST")
	}
	q, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		r.t.Fatal(err)
	}
	q.RemoteAddr = from.String()
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); r.s.ServeHTTP(w, q) }()
	r.await("the request", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	return &response{status: w.Code, head: w.Header(), body: w.Body.String()}
}

var bothWays = map[string]bool{"listener": false, "net/http": true}

const me = `"me":"trusted-proxy ann `

// A user is who a trusted proxy says, and from anybody else the field means nothing.
func TestUserHeader(t *testing.T) {
	user := "X-Forwarded-User: ann\r\n"
	for _, tt := range []struct {
		name   string
		from   netip.AddrPort
		fields string
		status int
		body   string
		count  authOutcome
	}{
		{"a user", testProxy, user, 200, me + `[] `, authOK},
		{"in lower case", testProxy, "x-forwarded-user: ann\r\n", 200, me + `[] `, authOK},
		{"scopes and e-mail", testProxy, user + "X-Forwarded-Groups: a, b c\r\nX-Forwarded-Email: ann@example.com\r\n", 200, me + `[a b c] ann@example.com`, authOK},
		{"before a token", testProxy, user + bearerField("good"), 200, me, authOK},
		{"before a bad token", testProxy, user + bearerField("bad"), 200, me, authOK},
		{"beside Basic", testProxy, user + "Authorization: Basic YTpi\r\n", 200, me, authOK},
		{"nobody", testProxy, "", 401, "required", authNone},
		{"an empty user", testProxy, "X-Forwarded-User: \r\n", 401, "required", authNone},
		{"scopes alone", testProxy, "X-Forwarded-Groups: a\r\n", 401, "required", authNone},
		{"nobody, but a token", testProxy, bearerField("good"), 200, `"me":" good`, authOK},
		{"a client", testStranger, user, 401, "not named by a trusted proxy", authUntrusted},
		{"a client that says who its proxy is", testStranger, user + "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n", 401, "not named by a trusted proxy", authUntrusted},
		{"a client with a token", testStranger, user + bearerField("good"), 200, `"me":" good`, authOK},
		{"a client with a bad token", testStranger, user + bearerField("bad"), 401, "not valid", authInvalid},
		{"a client, twice", testStranger, user + user, 401, "not named by a trusted proxy", authUntrusted},
		{"a client with an empty field", testStranger, "X-Forwarded-User: \r\n", 401, "not named by a trusted proxy", authUntrusted},
		{"sent twice", testProxy, user + "X-Forwarded-User: bob\r\n", 400, "more than once", authMalformed},
		{"sent twice, the same", testProxy, user + user, 400, "more than once", authMalformed},
		{"sent twice, one empty", testProxy, user + "X-Forwarded-User: \r\n", 400, "more than once", authMalformed},
		{"sent twice, both empty", testProxy, "X-Forwarded-User: \r\nX-Forwarded-User:\r\n", 400, "more than once", authMalformed},
		{"groups twice", testProxy, user + "X-Forwarded-Groups: a\r\nX-Forwarded-Groups: b\r\n", 400, "more than once", authMalformed},
		{"a space", testProxy, "X-Forwarded-User: ann lee\r\n", 400, "malformed", authMalformed},
		{"a tab", testProxy, "X-Forwarded-User: ann\tlee\r\n", 400, "malformed", authMalformed},
		{"UTF-8", testProxy, "X-Forwarded-User: \u00e4nn\r\n", 400, "malformed", authMalformed},
		{"not ASCII", testProxy, "X-Forwarded-User: \xff\r\n", 400, "malformed", authMalformed},
		{"too long", testProxy, "X-Forwarded-User: " + strings.Repeat("x", maxUser+1) + "\r\n", 400, "malformed", authMalformed},
		{"long", testProxy, "X-Forwarded-User: " + strings.Repeat("x", maxUser) + "\r\n", 200, "xxx", authOK},
		{"no scope", testProxy, user + "X-Forwarded-Groups: a,\"b\r\n", 400, "malformed", authMalformed},
		{"no e-mail", testProxy, user + "X-Forwarded-Email: a b\r\n", 400, "malformed", authMalformed},
		{"a field with an underscore", testProxy, "X_Forwarded_User: ann\r\n", 401, "required", authNone},
	} {
		for way, onNetHTTP := range bothWays {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				r, _ := newUserRig(t, nil)
				for range 2 { // the second time from the cache
					res := r.ask(onNetHTTP, tt.from, callTool("me", `{}`).with(tt.fields).String())
					if res.status != tt.status || !strings.Contains(res.body, tt.body) {
						t.Errorf("%d %s, want %d with %q", res.status, res.body, tt.status, tt.body)
					}
					if got := res.head.Get("WWW-Authenticate"); (got != "") != (tt.status == 401 || tt.status == 400) {
						t.Errorf("challenge %q", got)
					} else if tt.status == 401 && tt.count != authInvalid && strings.Contains(got, "error=") {
						t.Errorf("an error without a token: %q", got)
					}
				}
				if n := r.s.Stats().Authentications[tt.count.String()]; n != 2 {
					t.Errorf("%d requests are counted as %v, want 2", n, tt.count)
				}
				want := uint64(0)
				if tt.count == authUntrusted {
					want = 2
				}
				if n := r.s.Stats().Refusals["user_header"]; n != want {
					t.Errorf("%d refusals are counted, want %d", n, want)
				}
			})
		}
	}
}

// Behind two proxies it is the one that the PROXY header names whose word counts.
func TestUserHeaderBehindProxyProtocol(t *testing.T) {
	front := netip.MustParsePrefix("203.0.113.0/24")
	r, _ := newUserRig(t, func(o *Options) {
		o.ProxyProtocol, o.TrustedProxies = testProxies, []netip.Prefix{front, testProxies[0]}
	})
	call := callTool("me", `{}`).with("X-Forwarded-User: ann\r\n").String()
	for head, status := range map[string]int{
		"PROXY TCP4 203.0.113.9 10.0.0.1 7000 80\r\n": 200,
		"PROXY TCP4 192.0.2.66 10.0.0.1 7000 80\r\n":  401,
		"PROXY UNKNOWN\r\n":                           401, // the balancer may not name users
	} {
		if res := r.ask(false, testProxy, head+call); res.status != status {
			t.Errorf("%q: status %d, want %d", head, res.status, status)
		}
	}
}

// A unix socket is trusted only if the host says so, and an address that is not known never is.
func TestUserHeaderUnix(t *testing.T) {
	call := callTool("me", `{}`).with("X-Forwarded-User: ann\r\n").String()
	for _, believed := range []bool{false, true} {
		r, _ := newUserRig(t, func(o *Options) {
			if o.Authenticate.UserHeaderUnix = believed; believed {
				o.TrustedProxies = nil
			}
		})
		for trust, want := range map[endpoint.Trust]bool{endpoint.TrustUnix: believed, endpoint.TrustLoopback: false, endpoint.TrustRemote: false} {
			p := r.connectFrom(trust)
			p.send(call)
			if res := p.next("POST"); (res.status == 200) != want {
				t.Errorf("trust %d, believed: %t: status %d", trust, believed, res.status)
			}
		}
	}
}

// With Optional, who is named by an untrusted proxy is not served as anonymous.
func TestUserHeaderOptional(t *testing.T) {
	r, _ := newUserRig(t, func(o *Options) { o.Authenticate.Optional = true })
	for way, onNetHTTP := range bothWays {
		for _, tt := range []struct {
			from   netip.AddrPort
			fields string
			status int
		}{{testStranger, "X-Forwarded-User: ann\r\n", 401}, {testStranger, "", 200}, {testProxy, "", 200}, {testProxy, "X-Forwarded-User: \r\n", 200}} {
			if res := r.ask(onNetHTTP, tt.from, callTool("me", `{}`).with(tt.fields).String()); res.status != tt.status {
				t.Errorf("%s: %q from %v: status %d, want %d", way, tt.fields, tt.from, res.status, tt.status)
			}
		}
	}
}

// Without a Verifier no token is valid, and the proxy's word is enough. Users have the scopes that
// the host gives them.
func TestUserHeaderAlone(t *testing.T) {
	r, f := newUserRig(t, func(o *Options) {
		o.Authenticate.Verifier, o.Authenticate.KeyHeader, o.Authenticate.Metadata = nil, "", nil
		o.Authenticate.UserScopes = []string{"all"}
		o.Scopes = &Scopes{Methods: map[string][]string{"*": {"all"}}, Tools: map[string][]string{"me": {"self"}}}
	})
	for way, onNetHTTP := range bothWays {
		for _, tt := range []struct {
			fields string
			status int
			body   string
		}{
			{"X-Forwarded-User: ann\r\nX-Forwarded-Groups: self\r\n", 200, me + `[all self]`},
			{"X-Forwarded-User: ann\r\n", 403, "lacks a scope"},
			{"", 401, "a user whom a trusted proxy names"},
			{bearerField("good"), 401, "not valid"},
		} {
			if res := r.ask(onNetHTTP, testProxy, callTool("me", `{}`).with(tt.fields).String()); res.status != tt.status || !strings.Contains(res.body, tt.body) {
				t.Errorf("%s: %q: %d %s, want %d", way, tt.fields, res.status, res.body, tt.status)
			}
		}
	}
	if n := f.calls.Load(); n != 0 {
		t.Errorf("a verifier was called %d times", n)
	}
}

// Sessions and streams are the user's, and not those of a token that names the same user.
func TestUserHeaderPrincipal(t *testing.T) {
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for way, onNetHTTP := range bothWays {
		r, _ := newUserRig(t, nil)
		do := func(head, body string) *response {
			return r.ask(onNetHTTP, testProxy, strings.Replace(post("", "", body), "\r\n", "\r\n"+head, 1))
		}
		res := do("X-Forwarded-User: good\r\n", initialize)
		id := res.head.Get("Mcp-Session-Id")
		if res.status != 200 || id == "" {
			t.Fatalf("%s: initialize: %d %s", way, res.status, res.body)
		}
		session := "Mcp-Session-Id: " + id + "\r\n"
		for head, status := range map[string]int{"X-Forwarded-User: good\r\n": 200, "X-Forwarded-User: other\r\n": 404, bearerField("good"): 404, "": 401} {
			if res := do(session+head, ping); res.status != status {
				t.Errorf("%s: ping with %q: status %d, want %d", way, head, res.status, status)
			}
		}
		if onNetHTTP {
			continue
		}
		p := r.connectAs(testProxy)
		p.send(listenTo("7", everything).with("X-Forwarded-User: ann\r\n").String())
		p.wantResponse("listen", 200)
		h := r.l.holders.at(p.c.slot)
		if h == nil || h.info().UserID != "ann" || h.info().Issuer != TrustedProxyIssuer || !h.info().Expiration.IsZero() {
			t.Errorf("the stream is of %+v", h)
		}
		p.fin()
	}
}

// What a proxy says of a user is believed once it has been looked at, and costs nothing then.
func TestUserHeaderAllocs(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	r, _ := newUserRig(t, nil)
	in := addCall(1, 2).with("X-Forwarded-User: ann\r\nX-Forwarded-Groups: a, b\r\n").String()
	plain := newProxied(t, Options{TrustedProxies: testProxies})
	count := func(r *rig, in string) float64 {
		p := r.connectAs(testProxy)
		return testing.AllocsPerRun(200, func() { p.send(in); p.got = p.got[:0] })
	}
	if with, without := count(r, in), count(plain, addCall(1, 2).String()); with > without {
		t.Errorf("%.1f allocations with a user, %.1f without", with, without)
	}
}

// Options that would let anybody in are refused.
func TestProofOptions(t *testing.T) {
	verifier := (&fakeVerifier{}).verify
	certificate := auth.CertificateSubject(nil)
	for want, o := range map[string]Options{
		"anybody can send it":           {Authenticate: &Authentication{Verifier: verifier, UserHeader: "X-User"}},
		"verifies nothing":              {Authenticate: &Authentication{}},
		"has no Verifier":               {TrustedProxies: testProxies, Authenticate: &Authentication{UserHeader: "X-User", KeyHeader: "X-Key"}},
		"is not set, but":               {Authenticate: &Authentication{Verifier: verifier, ScopesHeader: "X-Groups"}},
		"is not the name":               {TrustedProxies: testProxies, Authenticate: &Authentication{UserHeader: "X User"}},
		"UserHeader: \"authorization":   {TrustedProxies: testProxies, Authenticate: &Authentication{UserHeader: "authorization"}},
		"UserHeader: \"X-Key":           {TrustedProxies: testProxies, Authenticate: &Authentication{Verifier: verifier, UserHeader: "X-Key", KeyHeader: "x-key"}},
		"EmailHeader: \"x-user":         {TrustedProxies: testProxies, Authenticate: &Authentication{UserHeader: "X-User", EmailHeader: "x-user"}},
		"is not a scope":                {TrustedProxies: testProxies, Authenticate: &Authentication{UserHeader: "X-User", UserScopes: []string{"a b"}}},
		"needs Certificate":             {Authenticate: &Authentication{Verifier: verifier, RequireCertificate: true}},
		"needs a Verifier":              {Authenticate: &Authentication{Certificate: certificate, RequireCertificate: true}},
		"":                              {Authenticate: &Authentication{Certificate: certificate}},
		"<nil>":                         {TrustedProxies: testProxies, Authenticate: &Authentication{UserHeader: " X-User "}},
		"<nil>, with a unix socket too": {Authenticate: &Authentication{UserHeader: "X-User", UserHeaderUnix: true}},
	} {
		err := o.Validate()
		if fine := want == "" || strings.HasPrefix(want, "<nil>"); fine && err != nil || !fine && (err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "= ", ": "), want) && !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A verifier cannot make somebody a user whom a proxy has named.
func TestProxyIssuerIsReserved(t *testing.T) {
	r, _ := newAuthRig(t, func(o *Options) {
		o.Authenticate.Verifier = func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
			return &auth.TokenInfo{UserID: "ann", Issuer: TrustedProxyIssuer, Expiration: time.Now().Add(time.Hour)}, nil
		}
	})
	r.addLoop()
	for way, onNetHTTP := range bothWays {
		if res := r.ask(onNetHTTP, testProxy, addCall(1, 2).with(bearerField("x")).String()); res.status != 500 {
			t.Errorf("%s: status %d, want 500", way, res.status)
		}
	}
}

// A loop has no certificates, so that a token which is bound to one is refused there, however often
// it comes, and so is every token if a certificate is required.
func TestProofOnLoop(t *testing.T) {
	thumb := strings.Repeat("A", 43)
	for name, tt := range map[string]struct {
		change  func(*Options)
		outcome authOutcome
		class   string
	}{
		"bound": {func(o *Options) {}, authBound, "token_binding"},
		"required": {func(o *Options) {
			o.Authenticate.Certificate, o.Authenticate.RequireCertificate = auth.CertificateSubject(nil), true
			thumb = ""
		}, authCertificate, "authentication"},
		"another binding": {func(o *Options) {
			o.Authenticate.Verifier = func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
				return nil, fmt.Errorf("%w: %w", auth.ErrInvalidToken, auth.ErrBound)
			}
		}, authBound, "token_binding"},
	} {
		thumb = strings.Repeat("A", 43)
		r, _ := newAuthRig(t, func(o *Options) {
			o.Authenticate.Verifier = func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
				return &auth.TokenInfo{UserID: "ann", CertificateThumbprint: thumb, Expiration: time.Now().Add(time.Hour)}, nil
			}
			tt.change(o)
		})
		r.addLoop()
		for way, onNetHTTP := range bothWays {
			for range 2 {
				res := r.ask(onNetHTTP, testProxy, addCall(1, 2).with(bearerField("x")).String())
				if res.status != 401 || strings.Contains(res.head.Get("WWW-Authenticate"), "invalid_token") != (tt.outcome == authBound) {
					t.Errorf("%s, %s: %d %v", name, way, res.status, res.head)
				}
			}
		}
		if n := r.s.auth.counts[tt.outcome].Load(); n != 4 || r.s.Stats().Refusals[tt.class] != 4 {
			t.Errorf("%s: %d are counted as %v, refusals %v", name, n, tt.outcome, r.s.Stats().Refusals)
		}
	}
}
