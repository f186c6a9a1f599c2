package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asMain makes the test binary the command.
const asMain = "MOORING_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	return cmd
}

func TestABusyPortIsOneLineAndExit1(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, err = command(t, "--listen", busy.Addr().String()).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || strings.Count(string(exit.Stderr), "\n") != 1 {
		t.Errorf("%v, want exit 1 and one line", err)
	}
}

func TestItServesUntilSIGTERM(t *testing.T) {
	serve(t, func(url string) {
		resp, err := http.Get(url)
		if err != nil {
			t.Error(err)
		} else if resp.Body.Close(); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("GET without a session: %s, want 400", resp.Status)
		}
		resp, err = http.Get(strings.TrimSuffix(url, "/mcp") + "/sse")
		if err != nil {
			t.Error(err)
			return
		}
		event, _ := bufio.NewReader(resp.Body).ReadString('\n')
		if resp.Body.Close(); event != "event: endpoint\n" {
			t.Errorf("HTTP+SSE begins with %q", event)
		}
	}, "--sse-path", "/sse")
}

// TestItServesOver checks that each transport answers a call, and ends at SIGTERM while a stream is
// open.
func TestItServesOver(t *testing.T) {
	for _, over := range []string{"loops", "net/http", "middleware", "h2", "tls", "bridge"} {
		t.Run(over, func(t *testing.T) {
			serve(t, func(url string) {
				const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_simple_text","arguments":{},` + meta + `}}`
				if got := post(t, url, "tools/call", call); !strings.Contains(got, `"content"`) {
					t.Errorf("the call got %s", got)
				}
				const listen = `{"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + meta + `}}`
				if got := post(t, url, "subscriptions/listen", listen); !strings.HasPrefix(got, "data: ") {
					t.Errorf("the stream begins with %s", got)
				}
			}, "--over", over)
		})
	}
}

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// post sends a request of 2026-07-28 and returns the first line of the response, which stays open.
func post(t *testing.T, url, method, msg string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", method)
	if method == "tools/call" {
		r.Header.Set("Mcp-Name", "test_simple_text")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it has just made its certificate
	t.Cleanup(tr.CloseIdleConnections)
	resp, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	line, _ := bufio.NewReader(resp.Body).ReadString('\n')
	return line
}

// serve runs the command, calls use with its URL, and ends it with SIGTERM.
func serve(t *testing.T, use func(url string), args ...string) {
	t.Helper()
	cmd := command(t, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(pipe).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "serving ")
	if err != nil || !ok {
		_ = cmd.Process.Kill()
		t.Fatalf("printed %q, %v", line, err)
	}
	use(url)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
