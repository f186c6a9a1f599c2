package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

// An endpoint introspects tokens: the answer is the function's, and requests are counted.
func endpoint(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) (url string, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, requests
}

func introspection(t *testing.T, opts auth.IntrospectionOptions) *auth.Introspection {
	t.Helper()
	in, err := auth.NewIntrospection(opts)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestIntrospection(t *testing.T) {
	url, _ := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.Method != http.MethodPost || r.FormValue("token") != "a+b/c==" || id != "me%3A" || secret != "s%25+t" {
			t.Errorf("got %s, token %q, credentials %q %q", r.Method, r.FormValue("token"), id, secret)
		}
		fmt.Fprintf(w, `{"active":true,"sub":"ann","client_id":"cli","iss":"https://as","aud":["x","mcp"],"scope":"a b","exp":%d,"token_type":"Bearer"}`, time.Now().Unix()+100)
	})
	in := introspection(t, auth.IntrospectionOptions{URL: url, ClientID: "me:", ClientSecret: "s% t", Audiences: []string{"other", "mcp"}, Issuer: "https://as"})
	info, err := in.Verify(t.Context(), "a+b/c==", nil)
	if err != nil {
		t.Fatal(err)
	}
	if info.UserID != "ann" || info.ClientID != "cli" || info.Issuer != "https://as" || !reflect.DeepEqual(info.Scopes, []string{"a", "b"}) ||
		time.Until(info.Expiration) < 90*time.Second || info.Extra["active"] != true {
		t.Errorf("got %+v", info)
	}
}

// TestIntrospectionAnswers judges answers. The options demand an audience and an issuer.
func TestIntrospectionAnswers(t *testing.T) {
	now := time.Now().Unix()
	const good = `"active":true,"sub":"ann","iss":"i","aud":"mcp"`
	for content, want := range map[string]error{
		`{` + good + `}`: nil,
		`{` + good + `,"exp":` + fmt.Sprint(now-5) + `}`:             nil, // within the skew
		`{` + good + `,"nbf":` + fmt.Sprint(now+5) + `}`:             nil,
		`{` + good + `,"username":null,"scope":null}`:                nil,
		`{"active":true,"client_id":"c","iss":"i","aud":["mcp"]}`:    nil,
		`{"active":true,"username":"u","iss":"i","aud":["b","mcp"]}`: nil,
		`{"active":false}`:      auth.ErrInvalidToken,
		`{` + good[:8] + `"x"}`: auth.ErrUnavailable,
		`{"active":false,"sub":"ann","iss":"i","aud":"mcp"}`:    auth.ErrInvalidToken,
		`{` + good + `,"exp":` + fmt.Sprint(now-60) + `}`:       auth.ErrInvalidToken,
		`{` + good + `,"exp":"` + fmt.Sprint(now+60) + `"}`:     auth.ErrInvalidToken,
		`{` + good + `,"exp":null}`:                             auth.ErrInvalidToken,
		`{` + good + `,"exp":1e300}`:                            auth.ErrInvalidToken,
		`{` + good + `,"nbf":` + fmt.Sprint(now+60) + `}`:       auth.ErrInvalidToken,
		`{` + good + `,"cnf":{"jkt":"x"}}`:                      auth.ErrInvalidToken,
		`{` + good + `,"token_type":"DPoP"}`:                    auth.ErrInvalidToken,
		`{` + good + `,"token_type":1}`:                         auth.ErrInvalidToken,
		`{` + good + `,"scope":1}`:                              auth.ErrInvalidToken,
		`{` + good + `,"scope":["a",1]}`:                        auth.ErrInvalidToken,
		`{"active":true,"sub":1,"iss":"i","aud":"mcp"}`:         auth.ErrInvalidToken,
		`{"active":true,"iss":"i","aud":"mcp"}`:                 auth.ErrInvalidToken, // nobody
		`{"active":true,"sub":"ann","iss":"i/","aud":"mcp"}`:    auth.ErrInvalidToken,
		`{"active":true,"sub":"ann","aud":"mcp"}`:               auth.ErrInvalidToken,
		`{"active":true,"sub":"ann","iss":"i"}`:                 auth.ErrInvalidToken,
		`{"active":true,"sub":"ann","iss":"i","aud":[]}`:        auth.ErrInvalidToken,
		`{"active":true,"sub":"ann","iss":"i","aud":"mcp2"}`:    auth.ErrInvalidToken,
		`{"active":true,"sub":"ann","iss":"i","aud":["mcp",1]}`: auth.ErrInvalidToken,
		`{"active":true,"sub":"ann","iss":"i","aud":{"mcp":1}}`: auth.ErrInvalidToken,
		`{"active":"true","sub":"ann","iss":"i","aud":"mcp"}`:   auth.ErrUnavailable,
		`{"active":1,"sub":"ann","iss":"i","aud":"mcp"}`:        auth.ErrUnavailable,
		`{"Active":true,"sub":"ann","iss":"i","aud":"mcp"}`:     auth.ErrUnavailable,
		`{"active":false,"active":true,"sub":"a","iss":"i"}`:    auth.ErrUnavailable,
		`{}`:                            auth.ErrUnavailable,
		``:                              auth.ErrUnavailable,
		`<html>`:                        auth.ErrUnavailable,
		`[true]`:                        auth.ErrUnavailable,
		`{` + good + `} x`:              auth.ErrUnavailable,
		"{" + good + ",\"x\":\"\xff\"}": auth.ErrUnavailable,
		`{` + good + `,"x":"` + strings.Repeat("x", 70<<10) + `"}`: auth.ErrUnavailable,
	} {
		url, _ := endpoint(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, content) })
		in := introspection(t, auth.IntrospectionOptions{URL: url, Audiences: []string{"mcp"}, Issuer: "i", ClockSkew: 10 * time.Second})
		info, err := in.Verify(t.Context(), "secret", nil)
		if !errors.Is(err, want) || (info == nil) != (want != nil) {
			t.Errorf("%.100s: got %+v, %v, want %v", content, info, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has something of the token: %v", err)
		}
	}
}

// TestIntrospectionUnavailable checks that whatever is not an answer lets nobody in.
func TestIntrospectionUnavailable(t *testing.T) {
	good := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"active":true,"sub":"ann"}`) }
	elsewhere, requests := endpoint(t, good)
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"500": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); good(w, r) },
		"503": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503); good(w, r) },
		"401": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401); good(w, r) },
		"201": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); good(w, r) },
		"302": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) },
		"307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		},
		"308 to itself": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/again" {
				requests.Add(1)
			}
			http.Redirect(w, r, "/again", http.StatusPermanentRedirect)
		},
		"abort": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"slow":  func(http.ResponseWriter, *http.Request) { time.Sleep(500 * time.Millisecond) },
	} {
		url, _ := endpoint(t, answer)
		in := introspection(t, auth.IntrospectionOptions{URL: url, Timeout: 200 * time.Millisecond})
		if info, err := in.Verify(t.Context(), "x", nil); !errors.Is(err, auth.ErrUnavailable) || info != nil {
			t.Errorf("%s: got %+v, %v", name, info, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
	in := introspection(t, auth.IntrospectionOptions{URL: "http://127.0.0.1:1/"})
	if _, err := in.Verify(t.Context(), "x", nil); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("nobody listens: got %v", err)
	}
}

func TestIntrospectionCache(t *testing.T) {
	url, requests := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		switch token := r.FormValue("token"); {
		case token == "short":
			fmt.Fprintf(w, `{"active":true,"sub":"ann","exp":%.3f}`, float64(time.Now().UnixMilli()+300)/1000)
		case strings.HasPrefix(token, "bad"):
			_, _ = io.WriteString(w, `{"active":false}`)
		default:
			_, _ = io.WriteString(w, `{"active":true,"sub":"ann"}`)
		}
	})
	verify := func(in *auth.Introspection, token string, want int64) {
		t.Helper()
		before := requests.Load()
		_, _ = in.Verify(t.Context(), token, nil)
		if n := requests.Load() - before; n != want {
			t.Errorf("%s: %d requests, want %d", token, n, want)
		}
	}
	in := introspection(t, auth.IntrospectionOptions{URL: url, CacheTTL: time.Hour, NegativeTTL: 300 * time.Millisecond, MaxCached: 4})
	verify(in, "good", 1)
	verify(in, "good", 0)
	verify(in, "bad", 1)
	verify(in, "bad", 0)
	verify(in, "short", 1)
	verify(in, "short", 0)
	time.Sleep(400 * time.Millisecond)
	verify(in, "bad", 1)
	verify(in, "short", 1)
	for i := range 50 { // bad tokens do not displace good ones
		verify(in, fmt.Sprint("bad", i), 1)
	}
	verify(in, "good", 0)
	for i := range 50 {
		verify(in, fmt.Sprint("good", i), 1)
	}
	hits := 0
	for i := range 50 {
		before := requests.Load()
		_, _ = in.Verify(t.Context(), fmt.Sprint("good", i), nil)
		if requests.Load() == before {
			hits++
		}
	}
	if hits > 4 {
		t.Errorf("%d tokens cached, want 4 at most", hits)
	}
	off := introspection(t, auth.IntrospectionOptions{URL: url, CacheTTL: -1, NegativeTTL: -1})
	for range 2 {
		verify(off, "good", 1)
		verify(off, "bad", 1)
	}
	for _, token := range []string{"", "a b", "a\nb", "ä", "a\x00", strings.Repeat("x", 16<<10+1)} {
		before := requests.Load()
		if _, err := in.Verify(t.Context(), token, nil); !errors.Is(err, auth.ErrInvalidToken) || requests.Load() != before {
			t.Errorf("%.10q: got %v", token, err)
		}
	}
}

// TestIntrospectionTogether checks that a token is asked for once, that the answer reaches the
// others if the first of them gives up, and that requests in flight have a limit.
func TestIntrospectionTogether(t *testing.T) {
	release := make(chan struct{})
	url, requests := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, `{"active":true,"sub":"ann"}`)
	})
	in := introspection(t, auth.IntrospectionOptions{URL: url, MaxRequests: 1})
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := in.Verify(ctx, "x", nil)
		gaveUp <- err
	}()
	for requests.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if info, err := in.Verify(t.Context(), "x", nil); err != nil || info.UserID != "ann" {
				t.Errorf("got %v, %v", info, err)
			}
		})
	}
	cancel()
	if err := <-gaveUp; !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	if _, err := in.Verify(t.Context(), "y", nil); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("beyond the limit: got %v", err)
	}
	close(release)
	wg.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if _, err := in.Verify(t.Context(), "y", nil); err != nil {
		t.Errorf("after the limit: got %v", err)
	}
}

func TestIntrospectionOptions(t *testing.T) {
	for _, opts := range []auth.IntrospectionOptions{
		{}, {URL: "http://example.com/introspect"}, {URL: "https://u:p@example.com/"}, {URL: "https://example.com/", ClientSecret: "s"},
	} {
		if _, err := auth.NewIntrospection(opts); err == nil {
			t.Errorf("%+v is accepted", opts)
		}
	}
}
