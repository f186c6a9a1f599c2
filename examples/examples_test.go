// Package examples_test starts each example as a process, calls it, and stops it.
package examples_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	// The examples are built by the go command, which the cache of test results does not see: a
	// change of what they import must run the tests again.
	_ "github.com/mooring-mcp/mooring/mcp"
	_ "github.com/mooring-mcp/mooring/server"
)

// A request is a message of revision 2026-07-28, or with a session one of an earlier revision.
type request struct {
	url     string
	host    string // in the Host field; empty: that of url
	method  string
	name    string // of the tool or resource
	params  string // members, each followed by a comma
	session string
}

// meta is what a client of revision 2026-07-28 says of itself in each request.
const meta = `"_meta":{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}}`

func (r request) send(t *testing.T) *http.Response {
	t.Helper()
	message := `{"jsonrpc":"2.0","id":1,"method":"` + r.method + `","params":{` + r.params + meta + `}}`
	if r.session != "" {
		message = `{"jsonrpc":"2.0","id":1,"method":"` + r.method + `","params":{` + strings.TrimSuffix(r.params, ",") + `}}`
	}
	header := http.Header{}
	if r.session == "" {
		header.Set("MCP-Protocol-Version", "2026-07-28")
		header.Set("Mcp-Method", r.method)
		if r.name != "" {
			header.Set("Mcp-Name", r.name)
		}
	} else {
		header.Set("Mcp-Session-Id", r.session)
	}
	return post(t, r.url, r.host, header, message)
}

func post(t *testing.T, url, host string, header http.Header, message string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.Host = header, host
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// want sends the request and checks the status and a part of the answer, which is returned.
func (r request) want(t *testing.T, status int, text string) string {
	t.Helper()
	resp := r.send(t)
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(answer), text) {
		t.Fatalf("%s %s: %s, %v, %s; want %d and %s", r.method, r.params, resp.Status, err, answer, status, text)
	}
	return string(answer)
}

// tool returns a request that calls a tool.
func tool(url, name, args string) request {
	return request{url: url, method: "tools/call", name: name, params: `"name":"` + name + `","arguments":` + args + `,`}
}

// events reads an event stream.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
}

func eventsOf(t *testing.T, resp *http.Response) *events {
	t.Helper()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%s, Content-Type %q, want an event stream", resp.Status, resp.Header.Get("Content-Type"))
	}
	return &events{t, bufio.NewScanner(resp.Body)}
}

// want returns the next message, which must contain text.
func (e *events) want(text string) string {
	e.t.Helper()
	for e.lines.Scan() {
		// The first event of a call's stream may be empty: it has only an id to resume from.
		if data, ok := strings.CutPrefix(e.lines.Text(), "data: "); ok && data != "" {
			if !strings.Contains(data, text) {
				e.t.Fatalf("got %s, want a message with %s", data, text)
			}
			return data
		}
	}
	e.t.Fatalf("the stream ended (%v), want a message with %s", e.lines.Err(), text)
	return ""
}

// initialize opens a session of revision 2025-11-25 for a client that can ask its user.
func initialize(t *testing.T, url string) (session string) {
	t.Helper()
	resp := post(t, url, "", http.Header{}, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
		`"capabilities":{"elicitation":{}},"clientInfo":{"name":"test","version":"1"}}}`)
	if session = resp.Header.Get("Mcp-Session-Id"); resp.StatusCode != http.StatusOK || session == "" {
		t.Fatalf("initialize: %s, session %q", resp.Status, session)
	}
	return session
}

func TestHello(t *testing.T) {
	p := start(t, "hello", 1)
	tool(p.url, "greet", `{"name":"Fridtjof"}`).want(t, 200, `"structuredContent":{"greeting":"Hello, Fridtjof!"}`)
	tool(p.url, "greet", `{}`).want(t, 200, `"isError":true`)
	if state := p.stop(); state.Success() || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v: %s", state, p.output())
	}
}

func TestBeside(t *testing.T) {
	p := start(t, "beside", 1)
	tool(p.url, "berth", `{"ship":"Fram"}`).want(t, 200, `{"berth":"north quay, behind the Fram"}`)
	base := strings.TrimSuffix(p.url, "/mcp")
	for path, want := range map[string]string{"/": "Point an MCP client at " + p.url, "/healthz": "ready\n", "/x": "404 page not found\n"} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if _ = resp.Body.Close(); err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s: %q, %v, want %q", path, b, err, want)
		}
	}
	tool(p.url, "berth", `{"ship":"Maud"}`).want(t, 200, "behind the Maud")
	p.wantGracefulEnd()
}

func TestMux(t *testing.T) {
	p := start(t, "mux", 1)
	tool(p.url, "who", `{}`).want(t, 200, `{"tenant":"","agent":"Go-http-client/1.1"}`)
	tenant := strings.TrimSuffix(p.url, "/mcp") + "/tenants/fram/mcp"
	tool(tenant, "who", `{}`).want(t, 200, `{"tenant":"fram","agent":"Go-http-client/1.1"}`)
	stream := eventsOf(t, request{url: tenant, method: "subscriptions/listen", params: `"notifications":{"toolsListChanged":true},`}.send(t))
	stream.want("acknowledged")
	p.wantGracefulEnd()
	stream.want(`"result"`)
}

func TestStdio(t *testing.T) {
	cmd := command(t, "stdio")
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":{"name":"Fridtjof"},` + meta + `}}`)
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), `"structuredContent":{"greeting":"Hello, Fridtjof!"}`) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAsk(t *testing.T) {
	p := start(t, "ask", 1)
	call := tool(p.url, "book", `{"ship":"Fram"}`)
	call.want(t, 200, `"inputRequests":{"berth":{"method":"elicitation/create"`)
	for answer, want := range map[string]string{
		`{"action":"accept","content":{"quay":"north","nights":3}}`: "The Fram moors at the north quay for 3 nights.",
		`{"action":"decline"}`: "Nothing is booked.",
	} {
		again := call
		again.params += `"inputResponses":{"berth":` + answer + `},`
		again.want(t, 200, want)
	}

	// In a session the question is a request on the stream of the call.
	call.session = initialize(t, p.url)
	stream := eventsOf(t, call.send(t))
	question := stream.want(`"method":"elicitation/create"`)
	_, id, _ := strings.Cut(question, `"id":`)
	id = id[:strings.IndexAny(id, ",}")]
	resp := post(t, p.url, "", http.Header{"Mcp-Session-Id": {call.session}},
		`{"jsonrpc":"2.0","id":`+id+`,"result":{"action":"accept","content":{"quay":"south","nights":2}}}`)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("the answer got %s", resp.Status)
	}
	stream.want("The Fram moors at the south quay for 2 nights.")
	p.wantGracefulEnd()
}

func TestNotices(t *testing.T) {
	p := start(t, "notices", 1)
	read := func(berth string) request {
		uri := "harbour://berths/" + berth
		return request{url: p.url, method: "resources/read", name: uri, params: `"uri":"` + uri + `",`}
	}
	read("N1").want(t, 200, `"text":"Fram"`)

	listen := request{url: p.url, method: "subscriptions/listen", params: `"notifications":{"resourcesListChanged":true,` +
		`"resourceSubscriptions":["harbour://berths/N1"]},`}
	stream := eventsOf(t, listen.send(t))
	stream.want("notifications/subscriptions/acknowledged")

	tool(p.url, "moor", `{"berth":"N1","ship":"Gjøa"}`).want(t, 200, `{"uri":"harbour://berths/N1"}`)
	stream.want(`"uri":"harbour://berths/N1"`)
	read("N1").want(t, 200, `"text":"Gjøa"`)
	tool(p.url, "moor", `{"berth":"S2","ship":"Maud"}`).want(t, 200, `{"uri":"harbour://berths/S2"}`)
	stream.want("notifications/resources/list_changed")
	tool(p.url, "leave", `{"berth":"S2"}`).want(t, 200, `"content"`)
	stream.want("notifications/resources/list_changed")
	read("S2").want(t, 400, "not found")
	tool(p.url, "leave", `{"berth":"S2"}`).want(t, 200, `"isError":true`)
	tool(p.url, "moor", `{"berth":"X9","ship":"Maud"}`).want(t, 200, `"isError":true`)

	// The drain ends the stream with the result of its request.
	p.wantGracefulEnd()
	stream.want(`"result"`)
}

func TestBehindNginxWithoutIt(t *testing.T) {
	p := start(t, "behind-nginx", 1)
	call := tool(p.url, "load", `{"crates":0}`)
	call.host = "mcp.example.com"
	call.want(t, 200, `{"loaded":0}`)
	call.host = "evil.example.com"
	call.want(t, 403, "")
	p.wantGracefulEnd()
}

func TestBehindNginx(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		// Debian keeps it where only root's PATH leads.
		if nginx, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is not installed: examples/behind-nginx/nginx.conf is not tried")
		}
	}
	p := start(t, "behind-nginx", 1)
	url := startNginx(t, nginx, strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/mcp"))

	call := tool(url, "load", `{"crates":2}`)
	call.host = "mcp.example.com"
	begin := time.Now()
	stream := eventsOf(t, call.send(t))
	stream.want("0 of 2 crates loaded")
	first := time.Since(begin)
	stream.want("1 of 2 crates loaded")
	stream.want(`"structuredContent":{"loaded":2}`)
	if all := time.Since(begin); all-first < time.Second/2 {
		t.Errorf("the first event came after %v, the last after %v: the stream is buffered", first, all)
	}

	call = tool(url, "load", `{"crates":60}`)
	call.host = "mcp.example.com"
	resp := call.send(t)
	eventsOf(t, resp).want("0 of 60 crates loaded")
	resp.Body.Close() // closes the connection, because the body was not read to its end
	p.awaitOutput("cancelled after 0 crates")
	p.wantGracefulEnd()
}

// startNginx starts nginx with the site of the example on a port of its own, in front of
// upstream, and returns the URL of the endpoint.
func startNginx(t *testing.T, nginx, upstream string) string {
	t.Helper()
	site, err := os.ReadFile(filepath.FromSlash("behind-nginx/nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	text := replace(t, string(site), "listen 80;", "listen "+addr+";")
	text = replace(t, text, "server 127.0.0.1:8080;", "server "+upstream+";")

	dir := t.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // the folder is root's alone
	}
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("\t%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	main := fmt.Sprintf("%sdaemon off;\nworker_processes 1;\npid %s/pid;\nerror_log stderr;\n"+
		"events {}\nhttp {\n\taccess_log off;\n%s\tinclude %s/site.conf;\n}\n", user, dir, temp, dir)
	for name, text := range map[string]string{"site.conf": text, "main.conf": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	cmd := exec.Command(nginx, "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "main.conf"))
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // its workers end with it
		<-ended
	})
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return "http://" + addr + "/mcp"
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("nginx ended: %v\n%s", err, log.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("nginx does not serve: %v", err)
		}
	}
}

func replace(t *testing.T, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("nginx.conf has %q %d times, want once", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, new, 1)
}

func TestReplicas(t *testing.T) {
	p := start(t, "replicas", 2, "-listen-b", "127.0.0.1:0")
	p.awaitOutput(p.urls[1] + `: {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"{\"replica\":\"B\"}"}]`)
	if p.urls[0] == p.urls[1] {
		t.Fatalf("both replicas serve on %s", p.urls[0])
	}
	session := initialize(t, p.urls[1])
	for i, name := range []string{"A", "B"} {
		call := tool(p.urls[i], "who", `{}`)
		call.session = session
		call.want(t, 200, `"structuredContent":{"replica":"`+name+`"}`)
	}
	http.DefaultClient.CloseIdleConnections()
	p.wantGracefulEnd()
}

// TestAddressInUse checks that an example that cannot listen says so and fails.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"hello", "ask", "notices", "behind-nginx", "replicas"} {
		out, err := command(t, name, "-listen", l.Addr().String()).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "address already in use") {
			t.Errorf("%s: %v, printed %s", name, err, out)
		}
	}
}
