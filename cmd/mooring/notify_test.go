package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A manager receives what a service reports, as systemd does.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T, socket string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{t, conn}
}

func (m *manager) want(why, state string) {
	m.t.Helper()
	if got, err := m.next(10 * time.Second); err != nil || got != state {
		m.t.Fatalf("%s: got %q, %v, want %q", why, got, err, state)
	}
}

func (m *manager) wantNothing(why string) {
	m.t.Helper()
	if got, err := m.next(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Fatalf("%s: got %q, %v, want nothing", why, got, err)
	}
}

func (m *manager) next(wait time.Duration) (string, error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	b := make([]byte, 1024)
	n, err := m.conn.Read(b)
	return string(b[:n]), err
}

func TestServiceManagerIsNotified(t *testing.T) {
	sockets := map[string]string{"a path": filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" {
		sockets["an abstract name"] = fmt.Sprintf("@mooring-test-%d", os.Getpid())
	}
	for why, socket := range sockets {
		m := newManager(t, socket)
		p := start(t, command(t, []string{"NOTIFY_SOCKET=" + socket}, "serve", "--listen", "127.0.0.1:0"))
		m.want(why+": started", "READY=1")
		if status, text, err := call(t.Context(), http.DefaultClient, p.urls[0], "add", `{"a":2,"b":3}`); err != nil || status != http.StatusOK {
			t.Errorf("%s: a call after READY=1: %d, %v, %s", why, status, err, text)
		}
		answer := make(chan error, 1)
		go func() {
			_, _, err := call(context.Background(), http.DefaultClient, p.urls[0], "countdown", `{"seconds":2}`)
			answer <- err
		}()
		m.wantNothing(why + ": serving")
		time.Sleep(200 * time.Millisecond)
		p.signal(syscall.SIGTERM)
		m.want(why+": draining", "STOPPING=1")
		select {
		case <-answer:
			t.Errorf("%s: STOPPING=1 came after the drain, not at its beginning", why)
		default:
		}
		if code := p.wait(); code != 0 {
			t.Errorf("%s: exit %d: %s", why, code, p.output())
		}
		<-answer
		m.wantNothing(why + ": ended")
	}
}

// TestServesWithoutItsServiceManager checks that a manager that cannot be reached has no other
// effect than a log entry.
func TestServesWithoutItsServiceManager(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "nobody")
	p := start(t, command(t, []string{"NOTIFY_SOCKET=" + socket}, "serve", "--listen", "127.0.0.1:0"))
	if status, text, err := call(t.Context(), http.DefaultClient, p.urls[0], "add", `{"a":2,"b":3}`); err != nil || status != http.StatusOK {
		t.Errorf("%d, %v, %s", status, err, text)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if out := p.output(); !strings.Contains(out, "NOTIFY_SOCKET") || !strings.Contains(out, "no such file") {
		t.Errorf("the log does not give the reason: %s", out)
	}
}

// TestServiceManagerThatDoesNotRead checks that a report does not wait for longer than
// notifyTimeout.
func TestServiceManagerThatDoesNotRead(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	newManager(t, socket)
	begin := time.Now()
	for range 10_000 { // fills the socket's buffer
		if err := serviceManager(socket).send(stateReady); err != nil {
			if d := time.Since(begin); d > 30*time.Second {
				t.Errorf("the report took %v", d)
			}
			return
		}
	}
	t.Skip("this system queues 10,000 datagrams")
}

func TestNoServiceManager(t *testing.T) {
	serviceManager("").report(stateReady, slog.New(slog.NewTextHandler(panicWriter{}, nil)))
}

// A panicWriter is a log that must stay empty: any write panics.
type panicWriter struct{ io.Writer }

func (panicWriter) Write(p []byte) (int, error) { panic(string(p)) }
