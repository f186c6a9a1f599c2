package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestHealthcheck(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	p := start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--listen", "unix:"+socket))
	base := strings.TrimSuffix(p.urls[0], "/mcp")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()

	for _, tt := range []struct {
		why, url string
		want     string // part of the error; empty if the server is healthy
	}{
		{"healthz", base + "/healthz", ""},
		{"readyz", base + "/readyz", ""},
		{"a unix socket", "unix:" + socket, ""},
		{"another status", base + "/nothing", "404"},
		{"nobody listens", "http://" + nobody + "/healthz", "connection refused"},
		{"no socket", "unix:" + socket + "2", "no such file"},
		{"not a URL", "127.0.0.1:8080", "neither"},
		{"another scheme", "ftp://127.0.0.1/healthz", "neither"},
		{"no host", "http:///healthz", "neither"},
	} {
		// The command must ignore a proxy in the environment.
		cmd := command(t, []string{"HTTP_PROXY=http://" + nobody, "http_proxy=http://" + nobody}, "healthcheck", "--url", tt.url)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if tt.want == "" {
			if err != nil || out.Len() != 0 {
				t.Errorf("%s: %v, printed %q; want exit 0 and nothing", tt.why, err, out.String())
			}
			continue
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: %v, want exit 1", tt.why, err)
		}
		if text := out.String(); !strings.HasPrefix(text, "mooring: ") || !strings.Contains(text, tt.want) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: printed %q, want one line with %q", tt.why, text, tt.want)
		}
	}

	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit %d: %s", code, p.output())
	}
	if err := checkHealth(t.Context(), base+"/healthz"); err == nil {
		t.Error("a server that has ended still counts as healthy")
	}
}

// TestHealthcheckOfAServerThatHangs checks that the time limit ends a check, and that a redirect
// does not count as healthy.
func TestHealthcheckOfAServerThatHangs(t *testing.T) {
	release := make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		<-release
	}))
	defer ts.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := checkHealth(ctx, ts.URL); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if err := checkHealth(t.Context(), ts.URL+"/moved"); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("a redirect: got %v, want an error with 302", err)
	}
}

func TestDefaultHealthURL(t *testing.T) {
	for listen, want := range map[string]string{
		"":                              "http://127.0.0.1:8080/healthz",
		":8080":                         "http://127.0.0.1:8080/healthz",
		"0.0.0.0:9000":                  "http://127.0.0.1:9000/healthz",
		"[::]:9000":                     "http://127.0.0.1:9000/healthz",
		"[::1]:9000":                    "http://[::1]:9000/healthz",
		"localhost:81,unix:/s":          "http://localhost:81/healthz",
		"unix:/run/mooring.sock,:8080":  "unix:/run/mooring.sock",
		"no address, as it has no port": "http://127.0.0.1:8080/healthz",
	} {
		if got := defaultHealthURL(listen); got != want {
			t.Errorf("MOORING_LISTEN=%q: got %s, want %s", listen, got, want)
		}
	}
}
