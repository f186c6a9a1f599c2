package badserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

func TestMain(m *testing.M) {
	MainIfAsked()
	os.Exit(m.Run())
}

func start(t *testing.T, list ...Fault) *Server {
	t.Helper()
	s, err := Start(list...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, url string, e dialect.Era) *dialect.Target {
	t.Helper()
	target, err := dialect.Ask(t.Context(), url, &dialect.Options{Era: e})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// A client is one connection.
type client struct {
	t    *testing.T
	c    *net.TCPConn
	br   *bufio.Reader
	part string // part of a line of a stream, received before the time was over
}

func dial(t *testing.T, url string) *client {
	t.Helper()
	addr, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t: t, c: c.(*net.TCPConn), br: bufio.NewReader(c)}
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads a response and its content.
func (c *client) answer() (*http.Response, string) {
	c.t.Helper()
	_ = c.c.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(b)
}

// do sends a request and returns the content of its answer, which must have that status.
func (c *client) do(why string, status int, request []byte) string {
	c.t.Helper()
	c.write(request)
	resp, content := c.answer()
	if resp.StatusCode != status {
		c.t.Fatalf("%s: %d %q, want %d", why, resp.StatusCode, content, status)
	}
	return content
}

// session opens a session.
func (c *client) session(target *dialect.Target) []byte {
	c.t.Helper()
	c.write(target.AppendInitialize(nil, 1))
	resp, content := c.answer()
	id := resp.Header.Get("Mcp-Session-Id")
	if _, isError, ok := dialect.Result([]byte(content)); !ok || isError || id == "" {
		c.t.Fatalf("initialize: session %q, %s", id, content)
	}
	c.do("initialized", 202, target.AppendInitialized(nil, []byte(id)))
	return []byte(id)
}

// stream opens a stream and reads its first bytes.
func (c *client) stream(target *dialect.Target, session []byte) {
	c.t.Helper()
	c.write(target.AppendStream(nil, 7, session))
	_ = c.c.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Fatalf("a stream: %d %v", resp.StatusCode, resp.Header)
	}
	want := ":"
	if target.Era == dialect.Modern {
		want = dialect.Acknowledged
	}
	if line, err := c.line(20 * time.Second); err != nil || !strings.Contains(line, want) {
		c.t.Fatalf("a stream begins with %q, %v", line, err)
	}
}

// line returns the next line of the stream, without empty lines and those of the transfer coding.
func (c *client) line(within time.Duration) (string, error) {
	_ = c.c.SetReadDeadline(time.Now().Add(within))
	for {
		text, err := c.br.ReadString('\n')
		c.part += text
		if err != nil {
			return "", err
		}
		line := strings.TrimSpace(c.part)
		c.part = ""
		if strings.HasPrefix(line, ":") || strings.HasPrefix(line, "data:") {
			return line, nil
		}
	}
}

// event reads the stream up to a line that contains text.
func (c *client) event(text string, within time.Duration) bool {
	for end := time.Now().Add(within); ; {
		line, err := c.line(time.Until(end))
		if err != nil {
			return false
		}
		if strings.Contains(line, text) {
			return true
		}
	}
}
