package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

const continues = "HTTP/1.1 100 Continue\r\n\r\n"

// A client that waits for 100 (Continue) gets it once it is known who it is, and one that is
// refused gets nothing but its final status.
func TestContinueAfterVerdict(t *testing.T) {
	r, f := newAuthRig(t, nil)
	head, content, _ := strings.Cut(addCall(1, 2).with("Expect: 100-continue\r\n").String(), "\r\n\r\n")
	ask := func(token string) *fakePeer {
		p := r.connect()
		p.send(head + "\r\n" + token + "\r\n")
		return p
	}
	p := ask("")
	if out := p.take(); !strings.HasPrefix(out, "HTTP/1.1 401 ") {
		t.Errorf("without a token: %q", out)
	}
	p.wantLinger("the content is not read")

	p = ask(bearerField("bad"))
	r.settleAuth()
	if out := p.take(); !strings.HasPrefix(out, "HTTP/1.1 401 ") {
		t.Errorf("a bad token: %q", out)
	}
	p.wantLinger("the content is not read")

	p = ask(bearerField("slow"))
	r.await("the verifier is called", func() bool { return f.calls.Load() == 2 })
	p.wantNothing("before the verdict")
	close(f.free)
	r.settleAuth()
	p.wantBytes("after it", continues)
	p.send(content)
	p.wantCode("the call", 200, 0)

	p = ask(bearerField("slow")) // the verdict is known
	p.wantBytes("at once", continues)
	p.send(content)
	p.wantCode("the call", 200, 0)

	p = ask(bearerField("good")) // its client does not wait
	p.send(content[:3])
	r.settleAuth()
	p.wantNothing("it sends already")
	p.send(content[3:])
	p.wantCode("the call", 200, 0)
}

// A stubborn client sends content only when it is asked for.
func stubborn(t *testing.T, addr, token string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	head, _, _ := strings.Cut(addCall(1, 2).with("Expect: 100-continue\r\n"+bearerField(token)).String(), "\r\n\r\n")
	_, _ = io.WriteString(nc, head+"\r\n\r\n")
	b := make([]byte, len(continues))
	if _, err := io.ReadFull(nc, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// On net/http it is the same.
func TestContinueAfterVerdictOnNetHTTP(t *testing.T) {
	r, _ := newAuthRig(t, nil)
	var verified atomic.Bool
	s := New(r.ms, &Options{Authenticate: &Authentication{Verifier: func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		time.Sleep(50 * time.Millisecond)
		verified.Store(true)
		if token != "good" {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
	}}})
	hs := httptest.NewServer(s)
	t.Cleanup(func() {
		hs.Close()
		_ = s.Shutdown(context.Background())
	})
	addr := hs.Listener.Addr().String()
	if got := stubborn(t, addr, "bad"); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
		t.Errorf("a bad token: %q", got)
	}
	verified.Store(false)
	if got := stubborn(t, addr, "good"); got != continues || !verified.Load() {
		t.Errorf("a good token: %q, verified: %t", got, verified.Load())
	}
}
