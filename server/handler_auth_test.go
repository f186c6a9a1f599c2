package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// verifyName accepts tokens that begin with "u" as the users of that name, after a time.
func verifyName(calls *atomic.Int64, takes time.Duration) auth.TokenVerifier {
	return func(ctx context.Context, token string, r *http.Request) (*auth.TokenInfo, error) {
		calls.Add(1)
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case token == "down":
			return nil, auth.ErrUnavailable
		case token == "panic":
			panic("the verifier")
		case !strings.HasPrefix(token, "u"):
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
	}
}

func authOptions(calls *atomic.Int64, takes time.Duration) *server.Options {
	return &server.Options{
		Loops: 2, Logger: slog.New(slog.DiscardHandler), PublicURL: "https://mcp.example",
		Authenticate: &server.Authentication{
			Verifier: verifyName(calls, takes), Metadata: &auth.ProtectedResourceMetadata{}, Scopes: []string{"read"}, KeyHeader: "X-Key",
		},
	}
}

func withToken(token string, r *http.Request) *http.Request {
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// A handler of net/http authenticates as a listener does, before it reads content.
func TestHandlerAuthenticate(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			var calls atomic.Int64
			h, _ := newHandler(t, &server.StreamableHTTPOptions{Options: authOptions(&calls, time.Millisecond)})
			c := w.serve(t, h)
			who := func() *http.Request { return call("who", `{}`) }
			path := "/base/mcp"
			if w.name == "strip prefix" {
				path = "/mcp"
			}
			metadata := `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource` + path + `", scope="read"`
			invalid := `Bearer error="invalid_token", error_description="the token is not valid", ` + metadata
			for range 2 {
				for _, tt := range []struct {
					token, text, challenge string
					status                 int
				}{
					{"", "a bearer token is required", "Bearer " + metadata, 401},
					{"u1", `"User":"u1"`, "", 200},
					{"bad", "the token is not valid", invalid, 401},
					{"down", "the token cannot be verified now", "", 503},
					{"panic", "the token could not be verified", "", 500},
					{"a b", "malformed", `Bearer error="invalid_request", error_description="the credentials are malformed or sent more than once", ` + metadata, 400},
				} {
					r := withToken(tt.token, who())
					r.Header.Set("Origin", "http://localhost:3000")
					resp := c.want(tt.token, r, tt.status, tt.text)
					if got := resp.Header.Get("WWW-Authenticate"); got != tt.challenge {
						t.Errorf("%q: challenge %s, want %s", tt.token, got, tt.challenge)
					}
					if resp.Header.Get("Access-Control-Allow-Origin") != "http://localhost:3000" ||
						strings.Contains(resp.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") != (tt.challenge != "") {
						t.Errorf("%q: %v", tt.token, resp.Header)
					}
				}
			}
			if n := calls.Load(); n > 6 {
				t.Errorf("%d calls of the verifier", n)
			}
			key := who()
			key.Header.Set("X-Key", "u2")
			c.want("a key", key, 200, `"User":"u2"`)
			twice := withToken("u1", who())
			twice.Header.Add("Authorization", "Bearer u1")
			c.want("twice", twice, 400, "more than once")
			get := httptest.NewRequest("GET", "/", nil)
			c.want("a bare GET", get, 401, "")
			c.want("a preflight", preflight(), 204, "")
			large := withToken("bad", post("ping", "", `"x":"`+strings.Repeat("x", 1<<20)+`"`))
			c.want("content that nobody reads", large, 401, "")
		})
	}
}

func preflight() *http.Request {
	r := httptest.NewRequest("OPTIONS", "/", nil)
	r.Header.Set("Origin", "http://localhost")
	return r
}

// Whom middleware has authenticated is not asked for a token.
func TestHandlerAuthenticated(t *testing.T) {
	var calls atomic.Int64
	h, _ := newHandler(t, &server.StreamableHTTPOptions{Options: authOptions(&calls, 0)})
	r := withToken("bad", call("who", `{}`))
	r = r.WithContext(auth.ContextWithTokenInfo(r.Context(), &auth.TokenInfo{UserID: "ann"}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"User":"ann"`) || calls.Load() != 0 {
		t.Errorf("%d %s, %d calls", w.Code, w.Body, calls.Load())
	}
}

// Many clients with many tokens, on each engine and on net/http, get what is theirs.
func TestAuthenticateMany(t *testing.T) {
	engines := []server.Engine{server.EngineGnet}
	if runtime.GOOS == "linux" {
		engines = append(engines, server.EngineEpoll)
	}
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			var calls atomic.Int64
			o := authOptions(&calls, time.Millisecond)
			o.Engine = engine
			s := server.New(newHandlerServer(t), o)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			hs := httptest.NewServer(s)
			t.Cleanup(func() {
				hs.CloseClientConnections()
				hs.Close()
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				_ = s.Shutdown(ctx)
				<-served
			})
			var wg sync.WaitGroup
			for i := range 16 {
				url := "http://" + l.Addr().String() + "/mcp"
				if i%4 == 0 {
					url = hs.URL + "/mcp"
				}
				wg.Go(func() {
					hc := &http.Client{Transport: &http.Transport{}}
					defer hc.CloseIdleConnections()
					for n := range 40 {
						token, want := fmt.Sprint("u", n%10), 200
						if n%3 == i%3 {
							token, want = fmt.Sprint("bad", n*i), 401
						}
						r := withToken(token, call("who", `{}`))
						r.URL, _ = r.URL.Parse(url)
						r.RequestURI, r.Host = "", ""
						resp, err := hc.Do(r)
						if err != nil {
							t.Error(err)
							return
						}
						b, _ := io.ReadAll(resp.Body)
						resp.Body.Close()
						if resp.StatusCode != want || want == 200 && !strings.Contains(string(b), `"User":"`+token+`"`) {
							t.Errorf("%s: %d %s", token, resp.StatusCode, b)
						}
					}
				})
			}
			wg.Wait()
			if st := s.Stats(); st.Authentications["ok"] == 0 || st.Authentications["invalid"] == 0 || st.Authentications["error"] != 0 {
				t.Errorf("counted %v", st.Authentications)
			}
		})
	}
}

// A refusal whose loop is busy does not move its connection, of which net/http has yet to read
// content.
func TestHandlerUnread(t *testing.T) {
	var calls atomic.Int64
	o := authOptions(&calls, 0)
	o.Loops = 1
	h, m := newHandler(t, &server.StreamableHTTPOptions{Options: o})
	busy := make(chan struct{})
	mcp.AddInlineTool(m, &mcp.Tool{Name: "hold"}, func(*mcp.CallToolRequest, struct{}) (struct{}, error) {
		close(busy)
		time.Sleep(300 * time.Millisecond)
		return struct{}{}, nil
	})
	c := ways[0].serve(t, h)
	c.want("the first, so that the loop runs", withToken("u1", call("who", `{}`)), 200, "u1")
	held := make(chan struct{})
	go func() {
		defer close(held)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, withToken("u1", call("hold", `{}`)))
	}()
	<-busy
	c.want("refused", withToken("bad", call("who", `{}`)), 401, "")
	c.want("the next", withToken("u1", call("who", `{}`)), 200, "u1")
	<-held
}
