//go:build linux

package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server"
)

// bareClients are the descriptors of client connections that cost this process nothing else.
type bareClients []int

// dialBare opens n connections. There must be no others.
func (p *proofServer) dialBare(n int) bareClients {
	p.t.Helper()
	c := make(bareClients, n)
	addr := &unix.SockaddrInet4{Port: p.port, Addr: [4]byte{127, 0, 0, 1}}
	for i := range c {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, addr)
		}
		if err != nil {
			p.t.Fatal(err)
		}
		c[i] = fd
	}
	await(p.t, "all are connected", func() bool { return p.Stats().Connections == int64(n) })
	return c
}

// send sends b on each connection and returns when the server has read it all.
func (c bareClients) send(p *proofServer, b []byte) {
	p.t.Helper()
	before := p.Stats().BytesIn
	for _, fd := range c {
		for sent := 0; sent < len(b); {
			n, err := unix.Write(fd, b[sent:])
			if err != nil {
				p.t.Fatal(err)
			}
			sent += n
		}
	}
	await(p.t, "everything is read", func() bool { return p.Stats().BytesIn == before+uint64(len(b)*len(c)) })
}

func (c bareClients) close(p *proofServer) {
	p.t.Helper()
	for _, fd := range c {
		_ = unix.Close(fd)
	}
	await(p.t, "all have disconnected", func() bool { return p.Stats().Connections == 0 })
}

// TestPartialHeadsAreCheap checks that a client that has sent part of a head costs that part and
// little more. This includes the engine's share, and still holds after large answers and large
// content.
func TestPartialHeadsAreCheap(t *testing.T) {
	if raceDetector || testing.Short() {
		t.Skip("measures the heap")
	}
	const n = 1500
	limit := int64(900) // gnet's connection takes some 600 of these bytes
	if server.DefaultEngine == server.EngineEpoll {
		limit = 512
	}
	p := serveProof(t, &server.Options{HeadTimeout: 5 * time.Minute, BodyTimeout: 5 * time.Minute, IdleTimeout: 5 * time.Minute})
	part := "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + strings.Repeat("x", 3000)
	measure := func(when string) {
		p.dialBare(n).close(p) // let slots and maps grow to their size
		before := liveHeap()
		c := p.dialBare(n)
		idle := (liveHeap() - before) / n
		sent := 0
		for _, upTo := range []int{1, 100, 1000, 3000} {
			c.send(p, []byte(part[sent:upTo]))
			sent = upTo
			got := (liveHeap() - before) / n
			t.Logf("%s: an idle connection holds %d bytes; with %d bytes of a head, %d", when, idle, sent, got)
			if max := limit + 2*int64(sent-1); got > max {
				t.Errorf("%s: a connection that has sent %d bytes of a head holds %d bytes, want at most %d", when, sent, got, max)
			}
		}
		c.close(p)
	}
	measure("cold")
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := p.peerOn(conn.(*net.TCPConn))
	for range 400 {
		peer.send(callRequest(1, "big", `{"Bytes":200000,"Count":0,"PauseMs":0}`, ""))
		if a := peer.answer("tools/call"); a.status != 200 || len(a.body) < 200_000 {
			t.Fatalf("status %d, %d bytes", a.status, len(a.body))
		}
		peer.send(callRequest(1, "add", fmt.Sprintf(`{"A":1,"B":2%s}`, strings.Repeat(" ", 60_000)), ""))
		peer.answer("tools/call")
	}
	peer.Close()
	await(t, "the client has disconnected", func() bool { return p.Stats().Connections == 0 })
	measure("after large answers and contents")
}
