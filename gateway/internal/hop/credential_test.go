package hop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/gateway/internal/credential"
	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

var _ Credential = (*credential.Source)(nil)

// A wallet is a Credential whose values are numbered.
type wallet struct {
	mu      sync.Mutex
	n       map[string]int
	refused []string
	fixed   bool
	err     error
}

func (w *wallet) Authorization(_ context.Context, principal, token string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("Bearer %s-%s-%d", principal, token, w.n[principal]), w.err
}

func (w *wallet) Refused(principal, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = append(w.refused, value)
	if !w.fixed {
		w.n[principal]++
	}
}

func TestCredential(t *testing.T) {
	good := "Bearer alice-t1-0"
	var mu sync.Mutex
	set := func(v string) {
		mu.Lock()
		defer mu.Unlock()
		good = v
	}
	asked := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		id, _ := idOf(r)
		if r.Header.Get("Authorization") != good || len(r.Header["Authorization"]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(401)
			return
		}
		answer(w, id)
	})
	c := &wallet{n: map[string]int{}}
	token := "t1"
	u, l, r := open(t, s.URL, Options{Credential: c, Header: http.Header{"Authorization": {"static"}}},
		OpenOptions{Principal: "alice", Token: func() string { return token }})
	l.Send(call(1))
	r.received(t, 1, result(1))
	set("Bearer alice-t1-1")
	l.Send(call(2))
	r.received(t, 2, result(2))
	l.Send(call(3))
	r.received(t, 3, result(3))
	token = "t2" // the principal came with a new token
	set("Bearer alice-t2-1")
	l.Send(call(4))
	r.received(t, 4, result(4))
	if asked != 5 || len(c.refused) != 1 || c.refused[0] != "Bearer alice-t1-0" {
		t.Errorf("%d requests, refused %q", asked, c.refused)
	}
	set("another")
	l.Send(call(5))
	if err := r.failed(t, 5, link.Status, false); err.Status != 401 || asked != 7 {
		t.Errorf("got %+v after %d requests", err, asked)
	}
	c.fixed = true
	l.Send(call(6))
	if r.failed(t, 6, link.Status, false); asked != 8 {
		t.Errorf("%d requests: sent again with the same value", asked)
	}
	c.err = errors.New("no token")
	l.Send(call(7))
	if err := r.failed(t, 7, link.Down, true); !errors.Is(err, c.err) || asked != 8 {
		t.Errorf("got %+v after %d requests", err, asked)
	}
	if st := u.Stats(); st.Breaker != BreakerClosed || st.HungUp != 0 || st.Dials != 1 {
		t.Errorf("got %+v", st)
	}
}

// A principal's own token is exchanged, and does not reach the upstream.
func TestExchangedToken(t *testing.T) {
	as := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("subject_token") != "secret" {
			t.Errorf("subject_token: got %q", r.FormValue("subject_token"))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"up","token_type":"Bearer","expires_in":60}`)
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer up" {
			t.Errorf("Authorization: got %q", got)
		}
		id, _ := idOf(r)
		answer(w, id)
	})
	source, err := credential.New(credential.Options{TokenURL: as.URL, Exchange: true, ClientID: "gw", Resource: s.URL, Client: as.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	_, l, r := open(t, s.URL, Options{Credential: source}, OpenOptions{Principal: "alice", Token: func() string { return "secret" }})
	for id := int64(1); id < 5; id++ {
		l.Send(call(id))
		r.received(t, id, result(id))
	}
}

// A server of TLS is reached over the transport that the host configures, HTTP/2 included.
func TestTLS(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if (r.ProtoMajor == 2) != h2 {
				t.Errorf("got %s", r.Proto)
			}
			id, _ := idOf(r)
			w.Header().Set("Keep-Alive", "timeout=10, max=5")
			answer(w, id)
		}))
		s.EnableHTTP2 = h2
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		base := s.Client().Transport.(*http.Transport).Clone()
		base.ForceAttemptHTTP2 = h2
		u, l, r := open(t, s.URL, Options{Transport: base, MaxMessage: 1 << 20}, OpenOptions{})
		for id := int64(1); id < 10; id++ {
			l.Send(call(id))
			r.received(t, id, result(id))
		}
		if st := u.Stats(); st.Dials != 1 || st.Sockets != 1 || st.HungUp != 0 {
			t.Errorf("HTTP/2 %t: got %+v", h2, st)
		}
		other, l2, r2 := open(t, s.URL, Options{}, OpenOptions{}) // does not trust the certificate
		l2.Send(call(1))
		r2.failed(t, 1, link.Lost, true)
		_ = other.Close(context.Background())
		_ = u.Close(context.Background())
		s.Close()
		base.CloseIdleConnections()
	}
}
