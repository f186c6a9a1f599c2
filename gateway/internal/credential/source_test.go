package credential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A provider is an authorization server.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []url.Values
	basic  []string
	status int
	answer string // %d is the number of the request
	delay  time.Duration
	found  int
}

func newProvider(t *testing.T) *provider {
	p := &provider{status: 200, answer: `{"access_token":"t%d","token_type":"bearer","expires_in":600}`}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.Contains(r.URL.Path, "/.well-known/") {
		if r.URL.Path != "/.well-known/oauth-authorization-server/a" {
			w.WriteHeader(404)
			return
		}
		p.found++
		_, _ = fmt.Fprintf(w, `{"issuer":"%s/a","token_endpoint":"%s/token"}`, p.URL, p.URL)
		return
	}
	_ = r.ParseForm()
	p.asked = append(p.asked, r.PostForm)
	user, secret, _ := r.BasicAuth()
	p.basic = append(p.basic, user+":"+secret)
	time.Sleep(p.delay)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	if strings.Contains(p.answer, "%d") {
		_, _ = fmt.Fprintf(w, p.answer, len(p.asked))
	} else {
		_, _ = io.WriteString(w, p.answer)
	}
}

// A clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newSource(t *testing.T, o Options) (*Source, *clock) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{t: time.Unix(1e9, 0)}
	s.now = c.now
	t.Cleanup(s.Close)
	return s, c
}

func wantValue(t *testing.T, s *Source, principal, subject, want string) {
	t.Helper()
	if got, err := s.Authorization(context.Background(), principal, subject); err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func TestClientCredentials(t *testing.T) {
	p := newProvider(t)
	s, c := newSource(t, Options{Issuer: p.URL + "/a", ClientID: "a:b", ClientSecret: "s&c", Resource: "https://up/mcp", Scope: "x y"})
	wantValue(t, s, "alice", "secret", "Bearer t1")
	wantValue(t, s, "bob", "", "Bearer t1")
	want := url.Values{"grant_type": {"client_credentials"}, "resource": {"https://up/mcp"}, "scope": {"x y"}}
	if got := p.asked[0].Encode(); got != want.Encode() || p.basic[0] != "a%3Ab:s%26c" {
		t.Errorf("got %s with %s", got, p.basic[0])
	}
	c.add(569 * time.Second)
	wantValue(t, s, "alice", "", "Bearer t1")
	c.add(2 * time.Second)
	wantValue(t, s, "alice", "", "Bearer t2")
	if p.found != 1 {
		t.Errorf("%d discoveries, want 1", p.found)
	}
}

func TestExchange(t *testing.T) {
	p := newProvider(t)
	s, _ := newSource(t, Options{TokenURL: p.URL, Exchange: true, ClientID: "gw", ClientSecret: "x", SecretInBody: true, Resource: "https://up/mcp", Audience: "up", MaxTokens: 2})
	wantValue(t, s, "alice", "ta", "Bearer t1")
	wantValue(t, s, "bob", "tb", "Bearer t2")
	wantValue(t, s, "alice", "ta", "Bearer t1")
	want := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "resource": {"https://up/mcp"}, "audience": {"up"},
		"subject_token": {"ta"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "client_id": {"gw"}, "client_secret": {"x"},
	}
	if got := p.asked[0].Encode(); got != want.Encode() || p.basic[0] != ":" {
		t.Errorf("got %s with %s", got, p.basic[0])
	}
	// Another token of the same principal may allow other things.
	wantValue(t, s, "alice", "narrow", "Bearer t3")
	wantValue(t, s, "alice", "ta", "Bearer t1")
	wantValue(t, s, "bob", "tb", "Bearer t4") // was the least recently used
	if len(s.tokens) != 2 || s.recent.Len() != 2 {
		t.Errorf("%d tokens are kept", len(s.tokens))
	}
	if _, err := s.Authorization(context.Background(), "eve", ""); err == nil {
		t.Error("a principal without a token got one")
	}
}

func TestRefused(t *testing.T) {
	p := newProvider(t)
	s, c := newSource(t, Options{TokenURL: p.URL, ClientID: "gw"})
	wantValue(t, s, "", "", "Bearer t1")
	s.Refused("", "Bearer t1")
	wantValue(t, s, "", "", "Bearer t1") // it is new: another would be refused too
	c.add(minAge)
	s.Refused("", "Bearer t0")
	wantValue(t, s, "", "", "Bearer t1")
	s.Refused("", "Bearer t1")
	wantValue(t, s, "", "", "Bearer t2")
}

// Many requests that need a token share one request to the token endpoint.
func TestShared(t *testing.T) {
	p := newProvider(t)
	p.delay = 20 * time.Millisecond
	s, _ := newSource(t, Options{TokenURL: p.URL, ClientID: "gw"})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { wantValue(t, s, "", "", "Bearer t1") })
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Authorization(ctx, "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	all.Wait()
	if len(p.asked) != 1 {
		t.Errorf("%d requests, want 1", len(p.asked))
	}
}

func TestHostileProvider(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for _, tt := range []struct {
		status int
		answer string
		want   string
	}{
		{200, ``, "malformed"},
		{200, `[]`, "malformed"},
		{200, `{"access_token":1,"token_type":"Bearer"}`, "malformed"},
		{200, `{"access_token":"a"}`, "bearer"},
		{200, `{"access_token":"a","token_type":"DPoP"}`, "bearer"},
		{200, `{"access_token":"a\r\nX: y","token_type":"Bearer"}`, "bearer"},
		{200, `{"access_token":"","token_type":"Bearer"}`, "bearer"},
		{200, `{"access_token":"` + strings.Repeat("a", maxToken+1) + `","token_type":"Bearer"}`, "bearer"},
		{200, `{"access_token":"` + strings.Repeat("a", maxContent) + `","token_type":"Bearer"}`, "malformed"},
		{400, `{"error":"invalid_grant","error_description":"secret"}`, "400 invalid_grant"},
		{400, `{"error":"secret"}`, "answered 400"},
		{401, `no`, "answered 401"},
		{307, `{}`, "answered 307"},
		{500, `{}`, "reached"},
	} {
		p := newProvider(t)
		p.status, p.answer = tt.status, tt.answer
		s, c := newSource(t, Options{TokenURL: p.URL, ClientID: "gw"})
		_, err := s.Authorization(context.Background(), "", "")
		if err == nil || !strings.HasSuffix(strings.Split(err.Error(), " to be")[0], tt.want) && !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d %.60s: got %v, want %s", tt.status, tt.answer, err, tt.want)
		}
		_, _ = s.Authorization(context.Background(), "", "")
		if len(p.asked) != 1 {
			t.Errorf("%d: asked again at once", tt.status)
		}
		c.add(refusedWait)
		_, _ = s.Authorization(context.Background(), "", "")
		if len(p.asked) != 2 {
			t.Errorf("%d: not asked again", tt.status)
		}
	}
}

func TestLife(t *testing.T) {
	for raw, want := range map[string]time.Duration{
		`60`: time.Minute, `"60"`: time.Minute, `1.5`: 1500 * time.Millisecond, `-1`: 0, `null`: 0, ``: 0, `{}`: 0, `"NaN"`: 0,
		`1e300`: maxLife, `"Inf"`: maxLife,
	} {
		if got := seconds([]byte(raw)); got != want {
			t.Errorf("%s: got %v, want %v", raw, got, want)
		}
	}
}

func TestIssuerMustMatch(t *testing.T) {
	p := newProvider(t)
	for _, path := range []string{"/a/", "/b", ""} {
		s, _ := newSource(t, Options{Issuer: p.URL + path, ClientID: "gw"})
		if _, err := s.Authorization(context.Background(), "", ""); !errors.Is(err, errMetadata) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{}, {TokenURL: "https://a/"}, {TokenURL: "http://a/", ClientID: "x"}, {TokenURL: "/token", ClientID: "x"},
		{Issuer: "https://a:b@c", ClientID: "x"}, {Issuer: "https://c/#d", ClientID: "x"},
		{TokenURL: "https://a/", ClientID: "x", Resource: "up"}, {TokenURL: "https://a/", ClientID: "x", Resource: "https://up/#x"},
		{TokenURL: "https://a/", ClientID: "x", MaxTokens: -1}, {TokenURL: "https://a/", Exchange: true, ClientSecret: "x"},
	} {
		if s, err := New(o); err == nil {
			s.Close()
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestClosed(t *testing.T) {
	p := newProvider(t)
	s, _ := newSource(t, Options{TokenURL: p.URL, ClientID: "gw"})
	s.Close()
	if _, err := s.Authorization(context.Background(), "", ""); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}
