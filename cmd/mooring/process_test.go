package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
)

// asMain names the environment variable that turns the test binary into the command, so that
// tests can run it as a separate process.
const asMain = "MOORING_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command returns the command, to be run with env and nothing else from the environment of the
// test.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append([]string{asMain + "=1", "HOME=" + t.TempDir()}, env...)
	return cmd
}

func TestErrorsAreOneLineAndExit1(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	unreadable := filepath.Join(t.TempDir(), "missing.yaml")
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("listen: [a\n  b: {\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		why  string
		env  []string
		args []string
		want string
	}{
		{"a busy port", nil, []string{"serve", "--listen", busy.Addr().String()}, "address already in use"},
		{"one of two is busy", nil, []string{"serve", "--listen", "127.0.0.1:0", "--listen", busy.Addr().String()}, "address already in use"},
		{"a busy admin port", nil, []string{"serve", "--listen", "127.0.0.1:0", "--admin", busy.Addr().String()}, "admin: "},
		{"a bad flag", nil, []string{"serve", "--listne", "x"}, "unknown flag: --listne"},
		{"a bad value", nil, []string{"serve", "--heartbeat", "x"}, "heartbeat"},
		{"a bad address", nil, []string{"serve", "--listen", "nonsense"}, "nonsense"},
		{"an unreadable file", nil, []string{"serve", "--config", unreadable}, "no such file"},
		{"the same from the environment", []string{"MOORING_CONFIG=" + unreadable}, []string{"serve"}, "no such file"},
		{"a folder instead of a file", nil, []string{"serve", "--config", t.TempDir()}, "directory"},
		{"a broken file", nil, []string{"serve", "--config", broken}, broken},
		{"a missing key file", nil, []string{"serve", "--session-key-file", unreadable}, "session-key-file: "},
		{"a key file without keys", nil, []string{"serve", "--session-key-file", broken}, broken + ":1: neither hex nor base64"},
		{"a socket in a folder that does not exist", nil, []string{"serve", "--listen", "unix:" + filepath.Join(t.TempDir(), "no", "s")}, "no such file"},
		{"an unknown command", nil, []string{"srve"}, `unknown command "srve"`},
		{"one argument too many", nil, []string{"serve", "now"}, `"now"`},
		{"an unknown client", nil, []string{"print-config", "emacs"}, `"emacs"`},
		{"no client", nil, []string{"print-config"}, "claude-code"},
	} {
		var stdout, stderr bytes.Buffer
		cmd := command(t, tt.env, tt.args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: %v, want exit 1", tt.why, err)
		}
		text := stderr.String()
		if !strings.HasPrefix(text, "mooring: ") || !strings.Contains(text, tt.want) || strings.Count(text, "\n") != 1 || stdout.Len() != 0 {
			t.Errorf("%s: printed %q (and %q), want one line with %q", tt.why, text, stdout.String(), tt.want)
		}
	}
}

// A process is a running server.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	urls []string // the addresses that it printed
	done chan error

	mu  sync.Mutex // guards log
	log strings.Builder
}

// start starts cmd, which runs serve, and waits until it has printed its addresses.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan error, 1)}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	greeted := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(pipe)
		var once sync.Once
		for lines.Scan() {
			line := lines.Text()
			p.mu.Lock()
			fmt.Fprintln(&p.log, line)
			p.mu.Unlock()
			if url, ok := strings.CutPrefix(line, "mooring serves MCP on "); ok {
				p.urls = append(p.urls, url)
			} else {
				once.Do(func() { close(greeted) })
			}
		}
		once.Do(func() { close(greeted) })
		p.done <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
	})
	<-greeted
	if len(p.urls) == 0 {
		t.Fatalf("the process printed no address: %s", p.output())
	}
	return p
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits until the process has ended and returns its exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case err := <-p.done:
		p.done <- err
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			p.t.Fatal(err)
		}
		return 0
	case <-time.After(15 * time.Second):
		p.t.Fatalf("the process does not end: %s", p.output())
		return -1
	}
}

// call posts tools/call and returns the status and the content of the response.
func call(ctx context.Context, client *http.Client, url, tool, args string) (int, string, error) {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{`+
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, tool, args)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool,
	} {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func TestServe(t *testing.T) {
	check := wirecheck.Open(t)
	socket := filepath.Join(t.TempDir(), "s")
	p := start(t, command(t, []string{"MOORING_LOG_FORMAT=json"}, "serve", "--listen", "127.0.0.1:0", "--listen", "unix:"+socket))
	if len(p.urls) != 2 || p.urls[1] != "unix:"+socket+" at /mcp" {
		t.Fatalf("printed the addresses %q", p.urls)
	}
	unix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	for url, client := range map[string]*http.Client{p.urls[0]: http.DefaultClient, "http://localhost/mcp": unix} {
		status, text, err := call(t.Context(), client, url, "add", `{"a":2,"b":3}`)
		if err != nil || status != http.StatusOK || !strings.Contains(text, `"structuredContent":{"sum":5}`) {
			t.Errorf("%s: %d, %v, %s", url, status, err, text)
			continue
		}
		check.Message(t, "2026-07-28", "tools/call", []byte(text))
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d after SIGTERM: %s", code, p.output())
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket file is still there: %v", err)
	}
	out := p.output()
	if !strings.Contains(out, `"url": "`+p.urls[0]+`"`) {
		t.Errorf("the output has no client configuration: %s", out)
	}
	var logged bool
	for line := range strings.Lines(out) {
		var entry struct{ Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "draining" {
			logged = true
		}
	}
	if !logged {
		t.Errorf("the log has no entry in JSON: %s", out)
	}
}

func TestTheFirstSignalDrains(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0"))
		answer := make(chan string, 1)
		go func() {
			status, text, err := call(context.Background(), http.DefaultClient, p.urls[0], "countdown", `{"seconds":1}`)
			answer <- fmt.Sprint(status, text, err)
		}()
		time.Sleep(300 * time.Millisecond)
		p.signal(sig)
		if got := <-answer; !strings.Contains(got, "counted 1 s") {
			t.Errorf("%v: the call in flight got %s", sig, got)
		}
		if code := p.wait(); code != 0 {
			t.Errorf("%v: exit %d: %s", sig, code, p.output())
		}
	}
}

func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	p := start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--drain-timeout", "60s"))
	go func() {
		_, _, _ = call(context.Background(), http.DefaultClient, p.urls[0], "countdown", `{"seconds":60}`)
	}()
	time.Sleep(300 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	time.Sleep(300 * time.Millisecond)
	select {
	case err := <-p.done:
		t.Fatalf("the process ended before its call did: %v: %s", err, p.output())
	default:
	}
	begin := time.Now()
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 1 || time.Since(begin) > 5*time.Second {
		t.Errorf("exit %d after %v", code, time.Since(begin))
	}
}

func TestAdmin(t *testing.T) {
	const token = "a-token-of-the-operator"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	l.Close()
	start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--admin", admin, "--admin-token-file", write(t, token)))
	resp, err := http.Get("http://" + admin + "/metrics")
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("metrics without a token: %v, %v", resp, err)
	}
	resp.Body.Close()
	for path, want := range map[string]string{"/metrics": "mooring_connections", "/healthz": "", "/readyz": "", "/debug/pprof/": "goroutine"} {
		req, err := http.NewRequest(http.MethodGet, "http://"+admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s\n%.200s", path, resp.Status, text)
		}
	}
}
