package dialect

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// startMooring builds the server and returns the URL of one that runs as long as the test.
func startMooring(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "mooring")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/mooring").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(bin, "serve", "--listen", "127.0.0.1:0", "--heartbeat", "1s")
	cmd.Env = []string{"HOME=" + t.TempDir()}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if url, ok := strings.CutPrefix(line, "mooring serves MCP on "); ok {
			go io.Copy(io.Discard, lines)
			return strings.TrimSpace(url)
		}
		if err != nil {
			t.Fatalf("no greeting: %v", err)
		}
	}
}

// A wire is one connection to the target.
type wire struct {
	t  *testing.T
	c  net.Conn
	br *bufio.Reader
}

func dialWire(t *testing.T, target *Target) *wire {
	t.Helper()
	c, err := net.Dial("tcp", target.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{t: t, c: c, br: bufio.NewReader(c)}
}

// send sends a request and returns the head of the answer, which must have that status.
func (w *wire) send(why string, request []byte, status int) *http.Response {
	w.t.Helper()
	if _, err := w.c.Write(request); err != nil {
		w.t.Fatalf("%s: %v", why, err)
	}
	resp, err := http.ReadResponse(w.br, &http.Request{Method: strings.Fields(string(request))[0]})
	if err != nil {
		w.t.Fatalf("%s: %v", why, err)
	}
	if resp.StatusCode != status {
		body, _ := io.ReadAll(resp.Body)
		w.t.Fatalf("%s: %d %s, want %d; sent %s", why, resp.StatusCode, body, status, request)
	}
	return resp
}

// want sends a request and checks its answer's id and isError.
func (w *wire) want(why string, request []byte, id int64, isError bool) *http.Response {
	w.t.Helper()
	resp := w.send(why, request, 200)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s: %v", why, err)
	}
	if got, gotError, ok := Result(body); !ok || got != id || gotError != isError {
		w.t.Fatalf("%s: %d %t %t from %s", why, got, gotError, ok, body)
	}
	return resp
}

// event reads a stream up to an event whose data contains text.
func (w *wire) event(why string, resp *http.Response, text string) {
	w.t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		w.t.Fatalf("%s: a stream of %s", why, got)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if ok && strings.Contains(string(Method([]byte(data))), text) {
			return
		}
	}
	w.t.Fatalf("%s: no event with %s: %v", why, text, lines.Err())
}

// The server accepts each request, on persistent connections.
func TestMooringTakesEachRequest(t *testing.T) {
	url := startMooring(t)

	modern, err := Ask(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if modern.Era != Modern || modern.Name != "mooring" || modern.Version == "" || !slices.Contains(modern.Tools, "echo") || !modern.ListChanged || modern.Sessions {
		t.Errorf("%+v", modern)
	}
	long := []byte(`{"text":"` + strings.Repeat("x", 20_000) + `"}`)
	w, stream := dialWire(t, modern), dialWire(t, modern)
	w.want("discover", modern.AppendDiscover(nil, 1), 1, false)
	w.want("ping", modern.AppendPing(nil, 2, nil), 2, false)
	w.want("list", modern.AppendToolsList(nil, 3, nil), 3, false)
	w.want("call", modern.AppendCall(nil, 4, nil, "echo", []byte(`{"text":"x"}`)), 4, false)
	w.want("long call", modern.AppendCall(nil, 5, nil, "echo", long), 5, false)
	w.want("failing call", modern.AppendCall(nil, 6, nil, "echo", []byte(`{"text":6}`)), 6, true)
	resp := stream.send("listen", modern.AppendListen(nil, 7), 200)
	stream.event("listen", resp, Acknowledged)
	w.want("toggle", modern.AppendCall(nil, 8, nil, "toggle", nil), 8, false)
	stream.event("change", resp, ToolsListChanged)

	legacy, err := Ask(t.Context(), url, &Options{Era: Legacy})
	if err != nil {
		t.Fatal(err)
	}
	if legacy.Era != Legacy || legacy.Revision != LegacyRevision || legacy.Name != "mooring" || !slices.Contains(legacy.Tools, "echo") || !legacy.ListChanged || !legacy.Sessions {
		t.Errorf("%+v", legacy)
	}
	w, stream = dialWire(t, legacy), dialWire(t, legacy)
	session := []byte(w.want("initialize", legacy.AppendInitialize(nil, 1), 1, false).Header.Get("Mcp-Session-Id"))
	if len(session) == 0 {
		t.Fatal("no session")
	}
	w.send("initialized", legacy.AppendInitialized(nil, session), 202)
	w.want("ping", legacy.AppendPing(nil, 2, session), 2, false)
	w.want("list", legacy.AppendToolsList(nil, 3, session), 3, false)
	w.want("call", legacy.AppendCall(nil, 4, session, "echo", []byte(`{"text":"x"}`)), 4, false)
	w.want("long call", legacy.AppendCall(nil, 5, session, "echo", long), 5, false)
	resp = stream.send("GET", legacy.AppendGet(nil, session), 200)
	w.want("toggle", legacy.AppendCall(nil, 6, session, "toggle", nil), 6, false)
	stream.event("change", resp, ToolsListChanged)
	w.send("DELETE", legacy.AppendDelete(nil, session), 204)
	w.send("after DELETE", legacy.AppendPing(nil, 7, session), 404)
}
