package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A lineClient is a client at the other end of a connection. It writes lines as a client would, and
// checks the lines that it reads.
type lineClient struct {
	t      *testing.T
	ss     *ServerSession
	w      io.Writer
	lines  chan string // closed at the end of the connection
	schema *wirecheck.Checker
}

// quiet is a logger for tests in which the server has something to complain about.
var quiet = slog.New(slog.DiscardHandler)

// dial connects a client to s.
func dial(t *testing.T, s *Server, opts *ServerSessionOptions) *lineClient {
	t.Helper()
	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(context.Background(), ours, opts)
	if err != nil {
		t.Fatal(err)
	}
	c := &lineClient{t: t, ss: ss, w: theirs, lines: make(chan string, 4096), schema: wirecheck.Open(t)}
	go c.read(theirs)
	t.Cleanup(func() {
		theirs.Close()
		ss.Wait()
		for range c.lines {
		}
	})
	return c
}

func (c *lineClient) read(r io.Reader) {
	defer close(c.lines)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		c.lines <- lines.Text()
	}
}

// send writes lines.
func (c *lineClient) send(lines ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.w, strings.Join(lines, "\n")+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// modern returns a modern request.
func modernLine(id, method, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{"_meta":{"%s":"2026-07-28","%s":{"elicitation":{}}}%s}}`,
		id, method, MetaKeyProtocolVersion, MetaKeyClientCapabilities, members)
}

// initialize opens a session.
func (c *lineClient) initialize(revision, caps string) {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":"a client with a long name, longer than an id","version":"1.2"}}}`, revision, caps))
	c.want("initialize", `"id":"init"`, `"protocolVersion":"`+revision+`"`)
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// next returns the next line, or "" if there is none for a while.
func (c *lineClient) next() string {
	select {
	case line := <-c.lines:
		var m any
		if line != "" && json.Unmarshal([]byte(line), &m) != nil {
			c.t.Errorf("not JSON: %s", line)
		}
		return line
	case <-time.After(5 * time.Second):
		c.t.Helper()
		c.t.Error("nothing comes")
		return ""
	}
}

// want reads a line that has all parts.
func (c *lineClient) want(why string, parts ...string) string {
	c.t.Helper()
	line := c.next()
	for _, part := range parts {
		if !strings.Contains(line, part) {
			c.t.Errorf("%s: %s\nwant %s", why, line, part)
		}
	}
	return line
}

// wantSilence checks that nothing comes for a while.
func (c *lineClient) wantSilence(why string) {
	c.t.Helper()
	select {
	case line, ok := <-c.lines:
		c.t.Errorf("%s: %s (%v), want nothing", why, line, ok)
	case <-time.After(50 * time.Millisecond):
	}
}

// wantEnd checks that the connection ends.
func (c *lineClient) wantEnd(why string) {
	c.t.Helper()
	if line, ok := <-c.lines; ok {
		c.t.Errorf("%s: %s, want the end", why, line)
	}
}

// idOfRequest returns the id of a request of the server, as JSON.
func idOfRequest(line string) string {
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(line)); err != nil {
		return ""
	}
	return string(m.ID)
}
