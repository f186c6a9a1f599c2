package hop

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// Both transports pass the same tests.
func TestOverTransport(t *testing.T) {
	if testing.Short() {
		t.Skip("the same tests again")
	}
	viaTransport = true
	defer func() { viaTransport = false }()
	for name, test := range map[string]func(*testing.T){
		"Call": TestCall, "StatusAndBody": TestStatusAndBody, "ContentCoding": TestContentCoding, "EventStream": TestEventStream,
		"CutAnywhere": TestCutAnywhere, "CancelledCallsLeaveNothing": TestCancelledCallsLeaveNothing, "Abandoned": TestAbandoned,
		"EndlessResponse": TestEndlessResponse, "Flood": TestFlood, "ModernCancel": TestModernCancel, "Close": TestClose,
		"RefusedConnection": TestRefusedConnection, "KeepAliveRace": TestKeepAliveRace, "SlowHead": TestSlowHead, "HugeHead": TestHugeHead,
		"Session": TestSession, "Redirect": TestRedirect, "LongRequest": TestLongRequest, "Wire": TestWire, "Model": TestModel,
	} {
		t.Run(name, test)
	}
}

// A long request is read by a server slowly, or not at all.
func TestLongRequest(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/early" {
			w.WriteHeader(413)
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || len(b) < 8<<20 || int64(len(b)) != r.ContentLength {
			t.Errorf("got %d bytes, %v", len(b), err)
		}
		answer(w, 1)
	})
	m := call(1)
	m.Body = append(bytes.TrimSuffix(m.Body, []byte("}")), `,"x":"`+strings.Repeat("x", 8<<20)+`"}`...)
	u, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Send(m)
	r.received(t, 1, result(1))
	l.Send(m)
	r.received(t, 1, result(1))
	if st := u.Stats(); st.Dials != 1 {
		t.Errorf("got %+v", st)
	}
	u, l, r = open(t, s.URL+"/early", Options{}, OpenOptions{})
	l.Send(m)
	if o := r.next(t); o.err == nil || o.err.Unsent {
		t.Errorf("got %v", o)
	}
	until(t, "the end", func() bool { st := u.Stats(); return st.InFlight == 0 })
}

// What HTTP/1 allows and forbids, byte for byte. Each server text is sent for one request.
func TestWire(t *testing.T) {
	body := result(1)
	head := fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	for _, tt := range []struct {
		name, text string
		ok, keep   bool
	}{
		{"length", "HTTP/1.1 200 OK\r\n" + head + body, true, true},
		{"chunks", fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n", body[:3], len(body)-3, body[3:]), true, true},
		{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\n" + head + body, true, false},
		{"until the end", "HTTP/1.1 200 OK\r\n\r\n" + body, true, false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n" + head + body, true, false},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\n" + head + body, true, true},
		{"line feeds", strings.ReplaceAll("HTTP/1.1 200 OK\r\n"+head, "\r", "") + body, true, true},
		{"excess", "HTTP/1.1 200 OK\r\n" + head + body + "HTTP/1.1 200 OK\r\n", true, false},
		{"too short", "HTTP/1.1 200 OK\r\n" + head + body[1:], false, false},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + head + body, false, false},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + body, false, false},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + body, false, false},
		{"endless interim", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("a", 30000)+"\r\n\r\n", 20) + "HTTP/1.1 200 OK\r\n" + head + body, false, false},
		{"upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false, false},
		{"no HTTP", "SSH-2.0-x\r\n\r\n", false, false},
		{"half a head", "HTTP/1.1 200 OK\r\nConte", false, false},
		{"nothing", "", false, false},
	} {
		if viaTransport && tt.name == "excess" {
			continue // http.Transport logs it
		}
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						br := bufio.NewReader(c)
						for range 2 {
							req, err := http.ReadRequest(br)
							if err != nil {
								return
							}
							_, _ = io.Copy(io.Discard, req.Body)
							if _, err := io.WriteString(c, tt.text); err != nil || !tt.keep {
								return
							}
						}
					}()
				}
			}()
			u, l, r := open(t, "http://"+ln.Addr().String(), Options{}, OpenOptions{})
			for range 2 {
				l.Send(call(1))
				if tt.ok {
					r.received(t, 1, body)
				} else if o := r.next(t); o.err == nil || o.err.Unsent {
					t.Fatalf("got %v", o)
				}
				until(t, "the end", func() bool { return u.Stats().InFlight == 0 })
				if !tt.keep {
					time.Sleep(5 * time.Millisecond) // the FIN comes
				}
			}
			if st := u.Stats(); tt.keep != (st.Dials == 1) {
				t.Errorf("got %+v", st)
			}
		})
	}
}

// A connection that the server has closed while it was idle is not used.
func TestIdleConnectionEnds(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := idOf(r)
		answer(w, id)
	})
	s := httptest.NewUnstartedServer(h)
	s.Config.IdleTimeout = 20 * time.Millisecond
	s.Start()
	defer s.Close()
	u, l, r := open(t, s.URL, Options{IdleTimeout: 200 * time.Millisecond}, OpenOptions{})
	for id := int64(1); id <= 5; id++ {
		l.Send(call(id))
		r.received(t, id, result(id))
		time.Sleep(40 * time.Millisecond)
	}
	if st := u.Stats(); st.Dials != 5 {
		t.Errorf("got %+v", st)
	}
	u, l, r = open(t, serve(t, h).URL, Options{IdleTimeout: 200 * time.Millisecond}, OpenOptions{})
	l.Send(call(6))
	r.received(t, 6, result(6))
	began := time.Now()
	until(t, "closed", func() bool { return u.Stats().Sockets == 0 })
	if d := time.Since(began); d < 100*time.Millisecond || d > time.Second {
		t.Errorf("closed after %v, want 200 ms", d)
	}
}

// What came from a server does not get into the head of a request.
func TestHeaderInjection(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Evil") != "" || len(r.Header["Last-Event-Id"]) > 0 && r.Header.Get("Last-Event-ID") != "a\tb" {
			t.Errorf("got %v", r.Header)
		}
		flush(w, "id: a\tb\nretry: 0\ndata:\n\n")
	})
	_, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Negotiated("2025-11-25\r\nX-Evil: 1")
	l.Send(call(1))
	r.failed(t, 1, link.Lost, false)
}
