package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

// A fakeVerifier knows some tokens by what they are called:
//
//	good…     the user of that name
//	old       a token that has expired
//	endless   a token that does not expire
//	brief     a token that expires in a second
//	slow…     like good, once free is closed
//	down, oauth, broken, panic, nothing, late: errors
//
// It knows the key "key", and no other token.
type fakeVerifier struct {
	calls atomic.Int64
	free  chan struct{}

	mu   sync.Mutex
	last *http.Request
}

func (f *fakeVerifier) verify(ctx context.Context, token string, r *http.Request) (*auth.TokenInfo, error) {
	f.calls.Add(1)
	f.mu.Lock()
	f.last = r
	f.mu.Unlock()
	info := &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}
	switch {
	case strings.HasPrefix(token, "slow"):
		select {
		case <-f.free:
			return info, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case strings.HasPrefix(token, "good"), token == "key" && r.Header.Get("X-Api-Key") == "key":
		return info, nil
	}
	switch token {
	case "old":
		info.Expiration = time.Now().Add(-time.Minute)
		return info, nil
	case "endless":
		info.Expiration = time.Time{}
		return info, nil
	case "brief":
		info.Expiration = time.Now().Add(time.Second)
		return info, nil
	case "down":
		return nil, fmt.Errorf("asking 10.0.0.7 for down: %w", auth.ErrUnavailable)
	case "oauth":
		return nil, fmt.Errorf("no: %w", auth.ErrOAuth)
	case "broken":
		return nil, errors.New("disk is full")
	case "panic":
		panic("verifier overboard with panic")
	case "nothing":
		return nil, nil
	case "late":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("unknown: %w", auth.ErrInvalidToken)
}

// newAuthRig returns a rig that authenticates, and its verifier.
func newAuthRig(t testing.TB, change func(*Options)) (*rig, *fakeVerifier) {
	t.Helper()
	f := &fakeVerifier{free: make(chan struct{})}
	o := Options{
		PublicURL: "https://mcp.example",
		Authenticate: &Authentication{
			Verifier: f.verify, KeyHeader: "X-API-Key", Scopes: []string{"read"},
			Metadata:      &auth.ProtectedResourceMetadata{AuthorizationServers: []string{"https://as.example"}},
			VerifyTimeout: time.Minute, // machines are slow
		},
	}
	if change != nil {
		change(&o)
	}
	return newRig(t, &o), f
}

// flying returns how many tokens are being verified.
func (a *authenticator) flying() (n int) {
	for i := range a.cache.shards {
		s := &a.cache.shards[i]
		s.mu.Lock()
		n += len(s.flights)
		s.mu.Unlock()
	}
	return n
}

// settle waits until all verdicts have reached the loop.
func (r *rig) settleAuth() {
	r.t.Helper()
	r.await("all tokens are verified", func() bool { return r.s.auth.flying() == 0 && r.s.calls.Load() == 0 })
	r.run()
}

func bearerField(token string) string { return "Authorization: Bearer " + token + "\r\n" }

const metadataAt = `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="read"`

// challengeOf returns the challenge with an error.
func challengeOf(code, text string) string {
	return fmt.Sprintf(`Bearer error=%q, error_description=%q, `, code, text) + metadataAt
}

// authCases are credentials and what a request with them gets.
var authCases = []struct {
	name, head string
	status     int
	challenge  string
	outcome    authOutcome
}{
	{"none", "", 401, "Bearer " + metadataAt, authNone},
	{"another scheme", "Authorization: Basic YTpi\r\n", 401, "Bearer " + metadataAt, authNone},
	{"the scheme alone", "Authorization: Bearer\r\n", 401, "Bearer " + metadataAt, authNone},
	{"an empty field", "Authorization: \r\n", 401, "Bearer " + metadataAt, authNone},
	{"an empty key", "X-API-Key: \r\n", 401, "Bearer " + metadataAt, authNone},
	{"good", bearerField("good"), 200, "", authOK},
	{"good, upper case", "AUTHORIZATION: BEARER good\r\n", 200, "", authOK},
	{"a key", "x-api-key: key\r\n", 200, "", authOK},
	{"a key with another scheme", "Authorization: Basic YTpi\r\nX-API-Key: key\r\n", 200, "", authOK},
	{"the token comes before the key", bearerField("bad") + "X-API-Key: key\r\n", 401, challengeOf("invalid_token", "the token is not valid"), authInvalid},
	{"a key as a token", bearerField("key"), 401, challengeOf("invalid_token", "the token is not valid"), authInvalid},
	{"bad", bearerField("bad"), 401, challengeOf("invalid_token", "the token is not valid"), authInvalid},
	{"expired", bearerField("old"), 401, challengeOf("invalid_token", "the token has expired"), authExpired},
	{"endless", bearerField("endless"), 401, challengeOf("invalid_token", "the token is not valid"), authInvalid},
	{"too long", bearerField("good" + strings.Repeat("x", maxToken)), 401, challengeOf("invalid_token", "the token is not valid"), authInvalid},
	{"two tokens", bearerField("good b"), 400, challengeOf("invalid_request", authRefusals[authMalformed].text), authMalformed},
	{"sent twice", bearerField("good") + bearerField("good"), 400, challengeOf("invalid_request", authRefusals[authMalformed].text), authMalformed},
	{"a key sent twice", "X-API-Key: key\r\nX-API-Key: key\r\n", 400, challengeOf("invalid_request", authRefusals[authMalformed].text), authMalformed},
	{"not ASCII", bearerField("\xff"), 400, challengeOf("invalid_request", authRefusals[authMalformed].text), authMalformed},
	{"an OAuth error", bearerField("oauth"), 400, challengeOf("invalid_request", "the token request is not valid"), authOAuth},
	{"unavailable", bearerField("down"), 503, "", authUnavailable},
	{"late", bearerField("late"), 503, "", authUnavailable},
	{"a failure", bearerField("broken"), 500, "", authError},
	{"a panic", bearerField("panic"), 500, "", authError},
	{"no answer", bearerField("nothing"), 500, "", authError},
}

func TestAuthenticate(t *testing.T) {
	for _, tt := range authCases {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := newAuthRig(t, func(o *Options) {
				if tt.name == "late" {
					o.Authenticate.VerifyTimeout = 300 * time.Millisecond
				}
			})
			for _, again := range []string{"", ", again"} { // the second time from the cache
				p := r.connect()
				p.send(addCall(1, 2).with("Origin: http://localhost\r\n" + tt.head).String())
				r.settleAuth()
				res := p.wantResponse(tt.name+again, tt.status)
				res.wantField(tt.name+again, "WWW-Authenticate", tt.challenge)
				expose, retry := "Mcp-Session-Id, WWW-Authenticate", ""
				if tt.status == 503 {
					retry = "1"
				}
				res.wantField(tt.name, "Access-Control-Expose-Headers", expose)
				res.wantField(tt.name, "Access-Control-Allow-Origin", "http://localhost")
				res.wantField(tt.name, "Retry-After", retry)
				p.wantOpen("the content has arrived")
				if strings.Contains(res.body, "10.0.0.7") || strings.Contains(res.body, "disk") {
					t.Errorf("the client learns %q", res.body)
				}
			}
			n := r.s.auth.counts[tt.outcome].Load()
			if tt.outcome == authOK {
				n = r.l.m.authenticated.Load()
			}
			if n != 2 {
				t.Errorf("%d requests are counted as %v, want 2", n, tt.outcome)
			}
			want := uint64(0)
			if tt.challenge != "" {
				want = 2
			}
			if n := r.s.Stats().Refusals["authentication"]; n != want {
				t.Errorf("%d refusals are counted, want %d", n, want)
			}
			if log := r.log.String(); strings.Contains(log, "for down") || strings.Contains(log, "with panic") {
				t.Errorf("a token is in the log: %s", log)
			}
		})
	}
}

// Who sends a request is found out before anything else about an endpoint, but not before what
// concerns the host, and not for what is open to everybody.
func TestAuthenticateFirst(t *testing.T) {
	const host = " HTTP/1.1\r\nHost: localhost\r\n"
	for _, tt := range []struct {
		in            string
		with, without int
	}{
		{"GET /mcp" + host, 405, 401},
		{"PUT /mcp" + host, 405, 401},
		{"HEAD /mcp" + host, 405, 401},
		{"DELETE /mcp" + host, 405, 401},
		{"OPTIONS /mcp" + host, 405, 401},
		{"POST /mcp" + host, 415, 401},
		{"POST /mcp" + host + "Content-Type: application/json\r\nAccept: text/html\r\n", 406, 401},
		{"OPTIONS /mcp" + host + "Origin: http://localhost\r\n", 204, 204},
		{"GET /mcp" + host + "Origin: http://evil.example\r\n", 403, 403},
		{"GET /mcp HTTP/1.1\r\nHost: evil.example\r\n", 403, 403},
		{"GET /else" + host, 404, 404},
		{"GET /healthz" + host, 200, 200},
		{"GET /readyz" + host, 200, 200},
		{"OPTIONS *" + host, 204, 204},
	} {
		r, _ := newAuthRig(t, func(o *Options) { o.ModernOnly = true })
		method, _, _ := strings.Cut(tt.in, " ")
		for token, status := range map[string]int{"": tt.without, bearerField("good"): tt.with} {
			p := r.connect()
			p.send(tt.in + token + "\r\n")
			r.settleAuth()
			if res := p.next(method); res.status != status {
				t.Errorf("%q with %q: status %d, want %d", tt.in, token, res.status, status)
			}
		}
	}
}

// TestAuthenticateCut checks that a request whose token has to be verified, or is known, gets the
// same answer wherever its bytes are cut, and that what is pipelined after it waits.
func TestAuthenticateCut(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"call", addCall(1, 2).with(bearerField("good")).String()},
		{"pipelined", addCall(1, 2).with(bearerField("good")).String() + callTool("echo", `{"text":"x"}`).with(bearerField("good2")).String() +
			"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + addCall(3, 4).with(bearerField("good3")).String()},
		{"refused", addCall(3, 4).with(bearerField("bad")).String()},
		{"chunked", chunkedPost(addCall(1, 2).with(bearerField("good"))) + addCall(3, 4).with(bearerField("good")).String()},
		{"HTTP/1.0", addCall(1, 2).with(bearerField("good")).http10().String()},
		{"close", addCall(1, 2).with(bearerField("good") + "Connection: close\r\n").String()},
		{"405", "PUT /mcp HTTP/1.1\r\nHost: localhost\r\n" + bearerField("good") + "\r\n" + addCall(1, 2).with(bearerField("good")).String()},
		{"subscription", listenTo("7", everything).with(bearerField("good")).String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := newAuthRig(t, nil)
			talk := func(fresh bool, pieces ...string) string {
				if fresh {
					r.s.auth.cache.forget(func(*identity) bool { return true })
				}
				p := r.connect()
				for _, piece := range pieces {
					p.send(piece)
				}
				for range 3 { // an answer lets the next request begin
					r.settleAuth()
				}
				r.await("all is answered", func() bool { return p.closed || p.c.x == nil || p.c.state == connStateLinger })
				r.wantInvariants(tt.name)
				out := dateField.ReplaceAllString(p.take(), "") + p.c.state.String()
				out = strings.ReplaceAll(out, "Connection: close\r\n", "")
				if !p.closed {
					p.fin()
				}
				return out
			}
			want := talk(true, tt.in)
			if !strings.Contains(want, "HTTP/1.1 ") || talk(false, tt.in) != want {
				t.Fatalf("from the cache the answer differs from %q", want)
			}
			for i := 1; i < len(tt.in); i++ {
				for _, fresh := range []bool{true, false} {
					got := talk(fresh, tt.in[:i], tt.in[i:])
					if tt.name == "refused" { // before its content has arrived, the connection ends
						got = strings.Replace(got, connStateLinger.String(), connStateIdle.String(), 1)
					}
					if got != want {
						t.Fatalf("cut at %d (fresh: %t), got\n%q\nwant\n%q", i, fresh, got, want)
					}
				}
			}
		})
	}
}

// Requests with the same token share one call of the verifier, and what a client sends meanwhile
// waits. The client of one of them may disconnect.
func TestAuthenticateFlight(t *testing.T) {
	r, f := newAuthRig(t, func(o *Options) { o.Authenticate.VerifyTimeout = time.Minute })
	in := addCall(1, 2).with(bearerField("slow")).String()
	var peers []*fakePeer
	for i := range 20 {
		p := r.connect()
		if i%2 == 0 {
			p.send(in + in)
		} else {
			p.send(in[:len(in)-3]) // its content is not complete
		}
		peers = append(peers, p)
	}
	r.await("the verifier is called", func() bool { return f.calls.Load() == 1 })
	if s := peers[0].c.state; s != connStateAuth {
		t.Fatalf("the connection is in state %v", s)
	}
	for _, p := range peers {
		p.wantNothing("before the verdict")
	}
	peers[2].fin()
	peers[3].rst()
	r.wantInvariants("two have disconnected")
	close(f.free)
	r.settleAuth()
	for i, p := range peers {
		switch {
		case i == 2 || i == 3:
			continue
		case i%2 == 0:
			p.wantCode("the first", 200, 0)
		default:
			p.wantNothing("the content is not complete")
			p.send(in[len(in)-3:])
		}
		p.wantCode("complete", 200, 0)
		p.wantNothing("no more")
	}
	if n := f.calls.Load(); n != 1 {
		t.Errorf("the verifier was called %d times", n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.last; q.Method != "POST" || q.URL.Path != "/mcp" || q.Host != "localhost" || q.Header.Get("Mcp-Method") != "tools/call" {
		t.Errorf("the verifier got %+v", q)
	}
}

// A request whose token is not verified in time gets 503, and the late verdict changes nothing.
func TestAuthenticateLate(t *testing.T) {
	stuck := make(chan struct{})
	r, _ := newAuthRig(t, func(o *Options) {
		o.Authenticate.VerifyTimeout = time.Second
		o.Authenticate.Verifier = func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
			<-stuck // it does not care for its context
			return nil, auth.ErrInvalidToken
		}
	})
	p := r.connect()
	p.send(addCall(1, 2).with(bearerField("x")).String())
	r.pass(time.Second / 2)
	p.wantNothing("before the time is over")
	r.pass(time.Second)
	p.wantResponse("after it", 503)
	p.send(addCall(1, 2).with(bearerField("x")).String())
	close(stuck)
	r.settleAuth()
	p.wantResponse("again", 401)
	p.wantNothing("no more")
	p.wantOpen("it goes on")
}

// Tokens beyond those that may wait are refused at once.
func TestAuthenticateOverload(t *testing.T) {
	r, f := newAuthRig(t, func(o *Options) { o.Authenticate.MaxVerifying, o.Authenticate.VerifyTimeout = 1, time.Minute })
	var peers []*fakePeer
	for i := range 1 + verifyQueue + 3 {
		p := r.connect()
		p.send(addCall(1, 2).with(bearerField(fmt.Sprint("slow", i))).String())
		peers = append(peers, p)
	}
	for _, p := range peers[1+verifyQueue:] {
		p.wantResponse("too many", 503).wantField("too many", "Retry-After", "1")
	}
	if n := f.calls.Load(); n > 1 {
		t.Errorf("%d calls at a time", n)
	}
	close(f.free)
	r.settleAuth()
	for _, p := range peers[:1+verifyQueue] {
		p.wantCode("those before", 200, 0)
	}
	r.await("no goroutine is left", func() bool {
		a := r.s.auth
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.running == 0 && a.queue == nil
	})
}
