//go:build linux

package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/sse"
)

// A proofPeer is a client of which the test controls every byte.
type proofPeer struct {
	*net.TCPConn
	t  testing.TB
	p  *proofServer
	br *bufio.Reader
}

func (p *proofServer) dial() *proofPeer {
	p.t.Helper()
	c, err := net.DialTimeout("tcp", p.addr, patience)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.peerOn(c.(*net.TCPConn))
}

func (p *proofServer) peerOn(c *net.TCPConn) *proofPeer {
	p.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	return &proofPeer{TCPConn: c, t: p.t, p: p, br: bufio.NewReader(c)}
}

func (c *proofPeer) port() int { return c.LocalAddr().(*net.TCPAddr).Port }

func (c *proofPeer) send(b string) {
	c.t.Helper()
	if _, err := io.WriteString(c, b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// sendTaken sends b and returns when the server has read all of it.
func (c *proofPeer) sendTaken(b string) {
	c.t.Helper()
	before := c.p.Stats().BytesIn
	c.send(b)
	await(c.t, "the server reads what was sent", func() bool { return c.p.Stats().BytesIn >= before+uint64(len(b)) })
}

// reset closes the connection with an RST.
func (c *proofPeer) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// An httpAnswer is a complete response.
type httpAnswer struct {
	status int
	header http.Header
	body   string
	close  bool // the connection ends with this response
}

// answer reads a response. method is the method of the request that it answers, or "" if the head
// of the request was refused.
func (c *proofPeer) answer(method string) httpAnswer {
	c.t.Helper()
	a, err := c.tryAnswer(method)
	if err != nil {
		c.t.Fatalf("answer: %v", err)
	}
	return a
}

func (c *proofPeer) tryAnswer(method string) (httpAnswer, error) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return httpAnswer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return httpAnswer{}, err
	}
	switch resp.Header.Get("Content-Type") {
	case "application/json":
		c.p.schema.Message(c.t, revision, method, body)
	case "text/event-stream":
		var d sse.Decoder
		for e := range d.Decode(body) {
			c.p.schema.Message(c.t, revision, method, []byte(e.Data))
		}
	}
	return httpAnswer{resp.StatusCode, resp.Header, string(body), resp.Close}, nil
}

// health requests /healthz and fails the test unless the status is as given.
func (c *proofPeer) health(status int) {
	c.t.Helper()
	c.send(getRequest("/healthz"))
	if a := c.answer(""); a.status != status {
		c.t.Fatalf("/healthz: status %d, want %d", a.status, status)
	}
}

// add calls the inline tool, to check that the connection is served.
func (c *proofPeer) add(a, b int) {
	c.t.Helper()
	c.send(callRequest(1, "add", fmt.Sprintf(`{"A":%d,"B":%d}`, a, b), ""))
	if got := c.answer("tools/call"); got.status != 200 || !strings.Contains(got.body, fmt.Sprintf(`"Sum":%d`, a+b)) {
		c.t.Fatalf("add: got %d %s, want the sum", got.status, got.body)
	}
}

// A proofStream is an event stream that stays open.
type proofStream struct {
	*proofPeer
	method string
	body   io.Reader
	d      sse.Decoder
	events []string
	buf    [4096]byte
}

// stream reads the head of an event stream.
func (c *proofPeer) stream(method string) *proofStream {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatalf("stream: %v", err)
	}
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" {
		b, _ := io.ReadAll(resp.Body)
		c.t.Fatalf("got %d %s %s, want an event stream", resp.StatusCode, ct, b)
	}
	return &proofStream{proofPeer: c, method: method, body: resp.Body}
}

// next returns the data of the next event, or the error that ended the stream: io.EOF after the
// last chunk.
func (s *proofStream) next() (string, error) {
	s.t.Helper()
	for len(s.events) == 0 {
		n, err := s.body.Read(s.buf[:])
		for e, derr := range s.d.Decode(s.buf[:n]) {
			if derr != nil {
				s.t.Fatalf("event stream: %v", derr)
			}
			s.p.schema.Message(s.t, revision, s.method, []byte(e.Data))
			s.events = append(s.events, string(e.Data))
		}
		if err != nil && len(s.events) == 0 {
			return "", err
		}
	}
	e := s.events[0]
	s.events = s.events[1:]
	return e, nil
}

// want reads the next event and fails the test unless it contains part.
func (s *proofStream) want(part string) {
	s.t.Helper()
	e, err := s.next()
	if err != nil || !strings.Contains(e, part) {
		s.t.Fatalf("event %q, %v; want an event that contains %q", e, err, part)
	}
}

// listen opens a listen stream for changes of the tools and the resource, and reads its
// acknowledgement.
func (p *proofServer) listen(id int) *proofStream {
	p.t.Helper()
	c := p.dial()
	c.send(listenRequest(id))
	s := c.stream("subscriptions/listen")
	s.want("notifications/subscriptions/acknowledged")
	return s
}

func getRequest(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
}

// head returns the head of a request to the endpoint.
func postHead(method, name string, length int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Accept: application/json, text/event-stream\r\n"+
		"MCP-Protocol-Version: %s\r\nMcp-Method: %s\r\n", revision, method)
	if name != "" {
		fmt.Fprintf(&b, "Mcp-Name: %s\r\n", name)
	}
	if length < 0 {
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	} else {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", length)
	}
	return b.String()
}

const proofMeta = `"io.modelcontextprotocol/protocolVersion":"` + revision + `","io.modelcontextprotocol/clientCapabilities":{}`

// callBody returns a tools/call message. meta holds further members of _meta, each preceded by a
// comma.
func callBody(id int, tool, args, meta string) string {
	return fmt.Sprintf(
		`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{%s%s}}}`,
		id, tool, args, proofMeta, meta)
}

func callRequest(id int, tool, args, meta string) string {
	body := callBody(id, tool, args, meta)
	return postHead("tools/call", tool, len(body)) + body
}

const withProgress = `,"progressToken":"p"`

func listenRequest(id int) string {
	body := fmt.Sprintf(
		`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{`+
			`"toolsListChanged":true,"resourceSubscriptions":[%q]},"_meta":{%s}}}`,
		id, proofResource, proofMeta)
	return postHead("subscriptions/listen", "", len(body)) + body
}

func otherRequest(method, name, params string) string {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s"_meta":{%s}}}`, method, params, proofMeta)
	return postHead(method, name, len(body)) + body
}
