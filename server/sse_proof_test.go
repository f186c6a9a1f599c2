//go:build linux

package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// An oldStream is the stream of an HTTP+SSE session.
type oldStream struct {
	*proofPeer
	body  *bufio.Reader
	where string // the target that messages are posted to
}

// openOld opens a session over HTTP+SSE.
func (p *proofServer) openOld() *oldStream {
	p.t.Helper()
	c := p.dial()
	c.send("GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil || resp.StatusCode != 200 {
		p.t.Fatalf("GET: %+v, %v", resp, err)
	}
	s := &oldStream{proofPeer: c, body: bufio.NewReader(resp.Body)}
	s.where = s.event("endpoint", "")
	return s
}

// event reads the next event and returns its data. It checks a message against the schema of
// 2024-11-05, as an answer to method unless that is empty.
func (s *oldStream) event(kind, method string) string {
	s.t.Helper()
	line := func() string {
		text, err := s.body.ReadString('\n')
		if err != nil {
			s.t.Fatalf("stream: %v", err)
		}
		return strings.TrimSuffix(text, "\n")
	}
	l := line()
	for l == "" || l == ":" { // a comment, or the empty line after it
		l = line()
	}
	data, ok := strings.CutPrefix(line(), "data: ")
	if l != "event: "+kind || !ok || line() != "" {
		s.t.Fatalf("event begins with %q, want type %s", l, kind)
	}
	if kind == "message" {
		s.p.schema.Message(s.t, "2024-11-05", method, []byte(data))
	}
	return data
}

// post posts msg on the connection via and checks the status.
func (s *oldStream) post(via *proofPeer, msg string, status int) {
	s.t.Helper()
	via.send(fmt.Sprintf(
		"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		s.where, len(msg), msg))
	if a := via.answer(""); a.status != status {
		s.t.Fatalf("POST of %.80s: %d %s, want %d", msg, a.status, a.body, status)
	}
}

const oldInitialize = `{"jsonrpc":"2.0","id":1,"method":"initialize",` +
	`"params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"old","version":"1"}}}`

// TestOldSessionsLeaveNothing: pain B15. Sessions over HTTP+SSE, each with a call in flight and a
// subscription, are abandoned by FIN or by RST. Their messages arrive on connections of both
// loops. Round after round nothing of them is left, not even a socket in CLOSE-WAIT.
func TestOldSessionsLeaveNothing(t *testing.T) {
	p := serveProof(t, &server.Options{SSEPath: "/sse", Loops: 2})
	round := func(n int) {
		via := []*proofPeer{p.dial(), p.dial()} // on both loops
		var streams []*oldStream
		for i := range n {
			s := p.openOld()
			streams = append(streams, s)
			s.post(via[i%2], oldInitialize, 202)
			s.event("message", "initialize")
			s.post(via[i%2], `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202)
			s.post(via[i%2], `{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"`+proofResource+`"}}`, 202)
			s.event("message", "resources/subscribe")
			s.post(via[i%2],
				`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"wait","arguments":{},"_meta":{"progressToken":3}}}`, 202)
			if e := s.event("message", ""); !strings.Contains(e, "notifications/progress") {
				t.Fatalf("the call begins with %s, want a progress notification", e)
			}
		}
		p.mcp.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: proofResource})
		for _, s := range streams {
			if e := s.event("message", ""); !strings.Contains(e, proofResource) {
				t.Fatalf("event %s, want an update of %s", e, proofResource)
			}
		}
		if st := p.Stats(); st.SessionsWithState != int64(n) || st.SessionStreams != int64(n) || st.CallsInFlight != int64(n) {
			t.Fatalf("%d sessions with state, %d streams, %d calls; want %d each", st.SessionsWithState, st.SessionStreams, st.CallsInFlight, n)
		}
		for i, s := range streams {
			if i%2 == 0 {
				s.Close()
			} else {
				s.reset()
			}
		}
		for range n {
			<-p.ended
			<-p.begun
		}
		await(t, "no session holds state", func() bool { return p.Stats().SessionsWithState == 0 })
		streams[0].post(via[0], `{"jsonrpc":"2.0","id":4,"method":"ping"}`, 404)
		via[0].Close()
		via[1].Close()
		p.wantNothingLeft()
	}
	const n = 100
	round(n)
	before := p.holdings()
	for range 4 {
		round(n)
	}
	p.holdings().compare(t, "after four more rounds", before)
}
