//go:build linux

package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// otherServer is a proofServer that serves other paths too.
type otherServer struct {
	*proofServer
	begun chan *http.Request // receives each request for /wait
	free  chan struct{}      // lets one of them return
}

// serveOther starts a server with Options.Other:
//
//	/healthz     200
//	/echo        the method, the request-target, the peer and the content
//	/big?n=N     N bytes
//	/wait        after free, or the end of the request's context
//	/ignore      leaves the content
func serveOther(t testing.TB, opts server.Options) *otherServer {
	t.Helper()
	o := &otherServer{begun: make(chan *http.Request, 1000), free: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "mine\n") })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.RemoteAddr, b)
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		for ; n > 0; n -= 1 << 20 {
			if _, err := w.Write(make([]byte, min(n, 1<<20))); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		o.begun <- r
		select {
		case <-o.free:
			_, _ = io.WriteString(w, "waited")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/ignore", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ignored") })
	opts.Other = mux
	o.proofServer = serveProof(t, &opts)
	await(t, "the connection of the first check is gone", func() bool { return o.Stats().Connections == 0 })
	return o
}

// wantEcho reads a response of /echo.
func (c *proofPeer) wantEcho(method, target, content string) {
	c.t.Helper()
	a := c.answer("")
	if want := fmt.Sprintf("%s %s %s %s", method, target, c.LocalAddr(), content); a.status != 200 || a.body != want {
		c.t.Fatalf("got %d %q, want %q", a.status, a.body, want)
	}
}

// wantSum reads the response of a call of add with 1 and 2.
func (c *proofPeer) wantSum() {
	c.t.Helper()
	if a := c.answer("tools/call"); a.status != 200 || !strings.Contains(a.body, `"Sum":3`) {
		c.t.Fatalf("got %d %q, want the sum", a.status, a.body)
	}
}

// wantEOF fails the test unless the connection ends now, with a FIN or, if it may, an RST.
func (c *proofPeer) wantEOF() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(c.br); len(b) > 0 || err != nil {
		c.t.Errorf("%q, %v, want the end", b, err)
	}
}

// wantNoSocket is wantNothingLeft for a server that has shut down.
func (o *otherServer) wantNoSocket() {
	o.t.Helper()
	await(o.t, "nothing is left", func() bool {
		n := o.sockets(0)
		return n.Open() == 0 && o.Stats().Connections == 0
	})
}

var addOne = callRequest(1, "add", `{"A":1,"B":2}`, "")
