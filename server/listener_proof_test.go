//go:build linux

package server_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// askOn sends request on a new connection to addr and fails the test unless the answer has the
// status and contains part.
func askOn(t *testing.T, network, addr, request string, status int, part string) {
	t.Helper()
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s %s: %v", network, addr, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(body), part) {
		t.Fatalf("%s %s: %d %s %v, want %d with %q", network, addr, resp.StatusCode, body, err, status, part)
	}
}

// TestSeveralListeners checks that one server can serve a TCP port of each family, a unix socket
// and an inherited listener at once, and that Shutdown ends them all.
func TestSeveralListeners(t *testing.T) {
	p := newProofServer(t, nil)
	add := callRequest(1, "add", `{"A":20,"B":3}`, "")
	var ends []chan error
	serve := func(l net.Listener) {
		served := make(chan error, 1)
		go func() { served <- p.Serve(l) }()
		ends = append(ends, served)
	}
	listen := func(addr string) net.Listener {
		t.Helper()
		l, err := p.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}

	v4 := listen("127.0.0.1:0")
	serve(v4)
	askOn(t, "tcp", v4.Addr().String(), add, 200, `"Sum":23`)

	if v6, err := p.Listen("[::1]:0"); err != nil {
		t.Logf("this machine has no IPv6: %v", err)
	} else {
		serve(v6)
		askOn(t, "tcp", v6.Addr().String(), add, 200, `"Sum":23`)
		askOn(t, "tcp", v6.Addr().String(), strings.Replace(add, "Host: localhost", "Host: "+v6.Addr().String(), 1), 200, `"Sum":23`)
		askOn(t, "tcp", v6.Addr().String(), strings.Replace(add, "Host: localhost", "Host: evil.example", 1), 403, "host")
	}

	path := filepath.Join(t.TempDir(), "m.sock")
	serve(listen("unix:" + path))
	askOn(t, "unix", path, add, 200, `"Sum":23`)
	askOn(t, "unix", path, strings.Replace(add, "Host: localhost", "Host: anything", 1), 200, `"Sum":23`)

	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := first.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	inherited, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	serve(inherited)
	askOn(t, "tcp", inherited.Addr().String(), add, 200, `"Sum":23`)
	// pain F4: the rule for loopback holds for an inherited listener too
	askOn(t, "tcp", inherited.Addr().String(), strings.Replace(add, "Host: localhost", "Host: evil.example", 1), 403, "host")

	if _, err := p.shutdown(patience); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	for i, e := range ends {
		if err := <-e; !errors.Is(err, server.ErrServerClosed) {
			t.Errorf("Serve %d: %v", i, err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is still there: %v", err)
	}
}

// TestUnixSocketPeers: pain A3, on a unix socket. A client closes, or sends only a FIN, during a
// stream, a call or the head of a request.
func TestUnixSocketPeers(t *testing.T) {
	p := newProofServer(t, nil)
	path := filepath.Join(t.TempDir(), "m.sock")
	l, err := p.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Serve(l) }()
	for i, request := range []string{listenRequest(1), callRequest(1, "wait", "{}", withProgress), "POST /mcp HT"} {
		for _, half := range []bool{false, true} {
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				<-p.begun
			}
			if half {
				_ = c.(*net.UnixConn).CloseWrite()
			} else {
				_ = c.Close()
			}
			if i == 1 {
				<-p.ended
			}
			await(t, "the connection is forgotten", func() bool {
				c := p.Census()
				return c.Connections == 0 && c.Armed == 0 && c.Exchanges == 0 && c.Streams == 0
			})
			_ = c.Close()
		}
	}
}

// TestStaleSocketFile checks that a socket file that no server uses is replaced, and that one in
// use, and a file that is not a socket, are left alone.
func TestStaleSocketFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	p := newProofServer(t, nil)
	l, err := p.Listen("unix:" + path)
	if err != nil {
		t.Fatalf("listening on a stale file: %v", err)
	}
	go func() { _ = p.Serve(l) }()
	askOn(t, "unix", path, getRequest("/healthz"), 200, "ok")

	if _, err := newProofServer(t, nil).Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("listening on a file in use: %v, want an error", err)
	}
	askOn(t, "unix", path, getRequest("/healthz"), 200, "ok")

	file := filepath.Join(dir, "notes")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Listen("unix:" + file); err == nil {
		t.Error("a file that is not a socket was replaced")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("the file contains %q, %v", b, err)
	}
}

// TestBusyPort checks that the error names the reason and the address, in one line.
func TestBusyPort(t *testing.T) {
	p := serveProof(t, nil)
	err := newProofServer(t, nil).ListenAndServe(p.addr)
	if err == nil || !strings.HasPrefix(err.Error(), "server: ") ||
		!strings.Contains(err.Error(), p.addr) ||
		!strings.Contains(err.Error(), "address already in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("listening on a busy port: %v", err)
	}
	for _, addr := range []string{"127.0.0.1:nothing", "256.0.0.1:1", "unix:/no/such/folder/m.sock", ""} {
		q := newProofServer(t, nil)
		if l, err := q.Listen(addr); err == nil && addr != "" {
			l.Close()
			t.Errorf("%q: got no error", addr)
		} else if err == nil {
			l.Close()
		} else if !strings.HasPrefix(err.Error(), "server: ") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
