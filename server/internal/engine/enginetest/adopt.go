package enginetest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// Adopt tests Engine.Adopt and Loop.Duplicate.
func Adopt(t *testing.T, newEngine New) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			r := start(t, newEngine)
			t.Run("Takes", func(t *testing.T) { r.with(t).takes(network) })
			t.Run("Wrapped", func(t *testing.T) { r.with(t).wrapped(network) })
			t.Run("PeerCloses", func(t *testing.T) { r.with(t).peerCloses(network) })
			t.Run("RoundTrips", func(t *testing.T) { r.with(t).roundTrips(network) })
			t.Run("Unsent", func(t *testing.T) { r.with(t).unsent(network) })
		})
	}
	t.Run("Refuses", func(t *testing.T) { start(t, newEngine).refuses() })
	t.Run("Reset", func(t *testing.T) { start(t, newEngine).reset() })
	t.Run("HeldLoop", func(t *testing.T) { start(t, newEngine).heldLoop() })
	t.Run("Ended", func(t *testing.T) { start(t, newEngine).ended() })
	t.Run("EndRaces", func(t *testing.T) { start(t, newEngine).endRaces() })
	t.Run("NoDescriptors", func(t *testing.T) { start(t, newEngine).noDescriptors() })
}

// with is r for a subtest.
func (r *rig) with(t *testing.T) *rig {
	sub := *r
	sub.TB = t
	return &sub
}

// The loop that was named has the connection, and what waited in the kernel is delivered. The
// place is released once, when the connection has ended.
func (r *rig) takes(network string) {
	for loop := range r.loops {
		client, nc := r.pair(network)
		_, _ = client.Write([]byte("early "))
		h := newHandler()
		if err := r.adopt(loop, nc, h); err != nil {
			r.Fatal(err)
		}
		if _, err := nc.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			r.Errorf("the adopted connection still writes: %v", err)
		}
		r.wait("Opened", h.opened)
		_, _ = client.Write([]byte("late"))
		r.wantRead(client, "early late")
		if n := r.adm.Connections(); n != 1 {
			r.Errorf("%d connections are counted, want 1", n)
		}
		r.on(loop, func() {
			r.wantOptions(h.sk, network)
			want := netip.AddrPort{}
			if a, ok := client.LocalAddr().(*net.TCPAddr); ok {
				want = a.AddrPort()
			}
			if got := r.loops[loop].Peer(h.sk); got != want {
				r.Errorf("the peer is %v, want %v", got, want)
			}
			r.loops[loop].CloseSocket(h.sk)
			if got := r.loops[loop].Peer(h.sk); got.IsValid() {
				r.Errorf("the peer is %v when the socket is closed", got)
			}
		})
		if b, err := io.ReadAll(client); len(b) > 0 || err != nil {
			r.Errorf("%q, %v, want the end", b, err)
		}
		r.eventually("the place is free", func() bool { return r.adm.Connections() == 0 })
		if n, err := h.closed(); n != 1 || err != nil {
			r.Errorf("Closed was called %d times, with %v", n, err)
		}
	}
}

// A silent connection is opened too. What wraps it is closed.
func (r *rig) wrapped(network string) {
	client, nc := r.pair(network)
	w := &wrapper{Conn: nc}
	h := newHandler()
	if err := r.adopt(1, &wrapper{Conn: w}, h); err != nil {
		r.Fatal(err)
	}
	r.wait("Opened", h.opened)
	if w.closes != 1 {
		r.Errorf("the wrapper was closed %d times", w.closes)
	}
	_ = client.Close()
	r.eventually("the place is free", func() bool { return r.adm.Connections() == 0 })
	if n, err := h.closed(); n != 1 || err == nil {
		r.Errorf("Closed was called %d times, with %v", n, err)
	}
}

// A peer that has sent everything and its FIN before the adoption is read to the end.
func (r *rig) peerCloses(network string) {
	client, nc := r.pair(network)
	_, _ = client.Write([]byte("farewell"))
	_ = client.Close()
	h := newHandler()
	if err := r.adopt(0, nc, h); err != nil {
		r.Fatal(err)
	}
	r.wait("Closed", h.ended)
	h.mu.Lock()
	if got := h.got.String(); got != "farewell" {
		r.Errorf("received %q", got)
	}
	h.mu.Unlock()
	r.eventually("the place is free", func() bool { return r.adm.Connections() == 0 })
}

// A connection goes to the loops and back many times. Its peer notices nothing.
func (r *rig) roundTrips(network string) {
	client, nc := r.pair(network)
	local, remote := nc.LocalAddr().String(), nc.RemoteAddr().String()
	for i := range 50 {
		loop := i % len(r.loops)
		h := newHandler()
		if err := r.adopt(loop, nc, h); err != nil {
			r.Fatal(err)
		}
		_, _ = client.Write([]byte("to the loop"))
		r.wantRead(client, "to the loop")
		r.on(loop, func() {
			var err error
			if nc, err = r.loops[loop].Duplicate(h.sk); err != nil {
				r.Errorf("round %d: %v", i, err)
				return
			}
			r.loops[loop].CloseSocket(h.sk)
		})
		if r.Failed() {
			return
		}
		if n, err := h.closed(); n != 1 || err != nil {
			r.Errorf("Closed was called %d times, with %v", n, err)
		}
		r.eventually("the place is free", func() bool { return r.adm.Connections() == 0 })
		if nc.LocalAddr().String() != local || network == "tcp" && nc.RemoteAddr().String() != remote {
			r.Errorf("round %d: the addresses are %v and %v, were %s and %s", i, nc.LocalAddr(), nc.RemoteAddr(), local, remote)
		}
		_, _ = client.Write([]byte("to net"))
		r.wantRead(nc, "to net")
		_, _ = nc.Write([]byte("from net"))
		r.wantRead(client, "from net")
	}
	r.wantSilence(client)
	_ = nc.Close()
	if b, err := io.ReadAll(client); len(b) > 0 || err != nil {
		r.Errorf("%q, %v, want the end", b, err)
	}
}

// A socket with bytes that wait for its peer, or that is closed, is not duplicated.
func (r *rig) unsent(network string) {
	client, nc := r.pair(network)
	h := newHandler()
	if err := r.adopt(0, nc, h); err != nil {
		r.Fatal(err)
	}
	r.wait("Opened", h.opened)
	r.on(0, func() {
		_, _ = h.sk.Write(make([]byte, 32<<20))
		if c, err := r.loops[0].Duplicate(h.sk); !errors.Is(err, engine.ErrUnsent) {
			r.Errorf("with unsent bytes: %v, %v", c, err)
		}
		_ = h.sk.SetLinger(0)
		r.loops[0].CloseSocket(h.sk)
		if c, err := r.loops[0].Duplicate(h.sk); err == nil {
			r.Errorf("after the end: %v", c)
		}
	})
	_, _ = io.Copy(io.Discard, client)
	r.eventually("the place is free", func() bool { return r.adm.Connections() == 0 })
}

// What has no socket, or a socket with other bytes, is left as it is.
func (r *rig) refuses() {
	client, nc := r.pair("tcp")
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	self := new(wrapper)
	self.Conn = self
	for _, c := range []net.Conn{
		a, &wrapper{Conn: a}, self, &wrapper{}, struct{ net.Conn }{nc},
		tls.Server(nc, nil), &wrapper{Conn: tls.Server(nc, nil)},
	} {
		if err := r.adopt(0, c, newHandler()); err == nil {
			r.Errorf("a %T was adopted", c)
		}
	}
	_, _ = nc.Write([]byte("here"))
	r.wantRead(client, "here")
	if n := r.adm.Connections(); n != 0 {
		r.Errorf("%d connections are counted", n)
	}
}

// A peer that has sent an RST is gone, before or after the adoption.
func (r *rig) reset() {
	for _, early := range []bool{true, false} {
		client, nc := r.pair("tcp")
		_ = client.(*net.TCPConn).SetLinger(0)
		if early {
			_ = client.Close()
		}
		h := newHandler()
		err := r.adopt(0, nc, h)
		if !early {
			_ = client.Close()
		}
		if err == nil {
			r.wait("Closed", h.ended)
			if n, err := h.closed(); n != 1 || err == nil {
				r.Errorf("Closed was called %d times, with %v", n, err)
			}
		} else if n, _ := h.closed(); n != 0 || !early {
			r.Errorf("Adopt: %v, Closed was called %d times", err, n)
		}
		r.eventually("the place is free", func() bool { return r.adm.Connections() == 0 })
	}
}

// Connections for a loop that is held wait, and those for others do not.
func (r *rig) heldLoop() {
	release := make(chan struct{})
	r.loops[0].Execute(func() { <-release })
	const n = 100
	var adopting sync.WaitGroup
	handlers := make([]*handler, n)
	for i := range n {
		_, nc := r.pair("tcp")
		handlers[i] = newHandler()
		adopting.Go(func() {
			if err := r.adopt(0, nc, handlers[i]); err != nil {
				r.Error(err)
			}
		})
	}
	client, nc := r.pair("tcp")
	h := newHandler()
	if err := r.adopt(1, nc, h); err != nil {
		r.Fatal(err)
	}
	_, _ = client.Write([]byte("passing"))
	r.wantRead(client, "passing")
	close(release)
	adopting.Wait()
	for _, h := range handlers {
		r.wait("Opened", h.opened)
	}
}

// After the end of accepting nothing is adopted any more.
func (r *rig) ended() {
	client, nc := r.pair("tcp")
	r.adm.Reserve(true)
	r.adm.End()
	h := newHandler()
	if err := r.eng.Adopt(0, nc, h); !errors.Is(err, engine.ErrClosed) {
		r.Errorf("Adopt: %v", err)
	}
	_, _ = nc.Write([]byte("here"))
	r.wantRead(client, "here")
	if n, _ := h.closed(); n != 0 {
		r.Errorf("Closed was called %d times", n)
	}
	r.adm.Released()
	r.end()
	if err := r.eng.Adopt(0, nc, h); !errors.Is(err, engine.ErrClosed) {
		r.Errorf("Adopt after Stop: %v", err)
	}
}

// Each connection that is adopted while the engine ends is closed, and its place is released once.
func (r *rig) endRaces() {
	const n = 60
	var adopting sync.WaitGroup
	var refused atomic.Int64
	handlers := make([]*handler, n)
	clients := make([]net.Conn, n)
	begin := make(chan struct{})
	for i := range n {
		client, nc := r.pair("tcp")
		clients[i], handlers[i] = client, newHandler()
		adopting.Go(func() {
			<-begin
			err := r.adopt(i%2, nc, handlers[i])
			switch {
			case err == nil:
			case errors.Is(err, engine.ErrClosed):
				refused.Add(1)
				_ = nc.Close()
			default:
				r.Error(err)
			}
		})
	}
	close(begin)
	r.end()
	adopting.Wait()
	closed := 0
	for i, h := range handlers {
		n, _ := h.closed()
		if closed += n; n > 1 {
			r.Errorf("Closed was called %d times", n)
		}
		if b, _ := io.ReadAll(clients[i]); len(b) > 0 {
			r.Errorf("client %d got %q", i, b)
		}
	}
	if int64(closed)+refused.Load() != n {
		r.Errorf("%d were closed and %d refused, of %d", closed, refused.Load(), n)
	}
}
