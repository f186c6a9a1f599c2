package load

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
)

// Options says where connections go and come from.
type Options struct {
	// Addr is the server's address.
	Addr netip.AddrPort
	// Loops is how many goroutines drive connections. Zero: one for each processor, at most two.
	Loops int
	// Sources are the local addresses, used in turn. Nil: 127.0.0.2 and the next 63 if Addr is an
	// IPv4 loopback address, otherwise the system's choice.
	Sources []netip.Addr
	// MaxBody limits the content of an answer that is not a stream, in bytes. Zero: 64 MiB.
	MaxBody int
}

const (
	maxHead     = 64 << 10 // bytes of an answer's head
	defaultBody = 64 << 20
)

// A Client is a set of loops. Its methods may be called from any goroutine.
type Client struct {
	opts  Options
	loops []*Loop
	turn  atomic.Uint32
}

// ErrClosed is returned after the Client was closed.
var ErrClosed = errors.New("load: client closed")

// New starts the loops.
func New(o Options) (*Client, error) {
	if !o.Addr.IsValid() {
		return nil, errors.New("load: no address")
	}
	if o.Loops == 0 {
		o.Loops = min(2, runtime.GOMAXPROCS(0))
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultBody
	}
	if o.Sources == nil {
		o.Sources = Sources(o.Addr.Addr(), 0, 64)
	}
	c := &Client{opts: o}
	for i := range o.Loops {
		l, err := newLoop(c, i)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("load: %w", err)
		}
		c.loops = append(c.loops, l)
		go l.run()
	}
	return c, nil
}

// Sources returns n addresses that may stand for clients of server, beginning with number first:
// 127.0.0.2 and so on for an IPv4 loopback address, nil for others.
func Sources(server netip.Addr, first, n int) []netip.Addr {
	if server = server.Unmap(); !server.Is4() || !server.IsLoopback() {
		return nil
	}
	out := make([]netip.Addr, n)
	for i := range out {
		k := first + i
		out[i] = netip.AddrFrom4([4]byte{127, byte(k / (250 * 250) % 250), byte(k / 250 % 250), byte(2 + k%250)})
	}
	return out
}

// Loops returns the loops.
func (c *Client) Loops() []*Loop { return c.loops }

// Next returns the loops in turn.
func (c *Client) Next() *Loop { return c.loops[c.turn.Add(1)%uint32(len(c.loops))] }

// Each runs f on every loop and returns when all are done.
func (c *Client) Each(f func(*Loop)) error {
	for _, l := range c.loops {
		if err := l.Call(func() { f(l) }); err != nil {
			return err
		}
	}
	return nil
}

// Close ends all connections, without notifying their drivers, and the loops.
func (c *Client) Close() {
	for _, l := range c.loops {
		l.stop()
	}
}

// clockBase ties Go's monotonic clock to the machine's, so that times of several processes can be
// compared.
var clockBase = func() struct {
	at   time.Time
	mono int64
} {
	return struct {
		at   time.Time
		mono int64
	}{time.Now(), monotonic()}
}()

// Now returns the machine's monotonic clock, in nanoseconds. It is the same in all processes.
func Now() int64 { return clockBase.mono + int64(time.Since(clockBase.at)) }
