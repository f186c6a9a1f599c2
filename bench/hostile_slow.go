package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/bench/load"
)

const (
	slowHeld  = 500 // connections of each kind
	slowEvery = 500 * time.Millisecond

	// After this long all connections have begun, and most servers have dropped none.
	slowBegun = 2 * time.Second

	// Within this time a server should have dropped a client whose head does not end. It is longer
	// than the default timeout of any server that has one.
	slowEnough = time.Minute
)

// A dripper sends a message and then one byte now and then. It is the load.Driver of its connection
// and belongs to the loop, like its whole group.
type dripper struct {
	group *drip
	conn  *load.Conn
}

// drip is a group of connections that send slowly, on one loop.
type drip struct {
	loop     *load.Loop
	message  []byte
	more     []byte // one byte
	start    int64
	all      []*dripper
	outcomes outcomes
	first    time.Duration // when the server ended the first one; 0: none
	last     time.Duration
	stopped  bool
}

// begin opens n connections.
func (d *drip) begin(n int) {
	d.start = load.Now()
	d.outcomes = outcomes{}
	for range n {
		x := &dripper{group: d}
		conn, err := d.loop.Open(x, 0, nil)
		if err != nil {
			d.outcomes["not begun"]++
			continue
		}
		x.conn = conn
		d.all = append(d.all, x)
	}
	d.loop.After(slowEvery, d.tick)
}

func (d *drip) tick() {
	if d.stopped {
		return
	}
	for _, x := range d.all {
		if x.conn != nil {
			x.conn.Write(d.more)
		}
	}
	d.loop.After(slowEvery, d.tick)
}

// here returns how many are connected.
func (d *drip) here() (n int) {
	for _, x := range d.all {
		if x.conn != nil {
			n++
		}
	}
	return n
}

// end closes those that are left and returns how many there were.
func (d *drip) end() (left int) {
	d.stopped = true
	for _, x := range d.all {
		if x.conn != nil {
			left++
			x.conn.Close()
			x.conn = nil
		}
	}
	return left
}

func (x *dripper) ended(outcome string) {
	x.conn = nil
	d := x.group
	since := time.Duration(load.Now() - d.start)
	or(&d.first, since)
	d.last = since
	d.outcomes[outcome]++
}

// Opened sends what comes before the slow part.
func (x *dripper) Opened(c *load.Conn) { c.Write(x.group.message) }

// Response handles the server's refusal: it has dropped the client.
func (x *dripper) Response(c *load.Conn, r *load.Response) {
	c.Close()
	x.ended(strconv.Itoa(r.Status))
}

// Event does nothing.
func (x *dripper) Event(*load.Conn, *load.Event) {}

// StreamEnded does nothing.
func (x *dripper) StreamEnded(*load.Conn) {}

// Closed handles the end of the connection: the server has dropped the client without an answer.
func (x *dripper) Closed(_ *load.Conn, how load.End) { x.ended(how.String()) }

// slowClients holds clients that send slowly, for e.Wait, and reports what became of them. enough
// is how long a head may take: if no such client was dropped by then, that is a finding.
func (e *env) slowClients(ctx context.Context, client *load.Client, w *wire, enough time.Duration) error {
	kinds := []struct {
		name, title string
		drip        *drip
	}{
		{"slow_head", "heads that do not end", &drip{message: w.slowHead(), more: []byte("a")}},
		{"slow_body", "contents that do not end", &drip{message: w.slowBody(), more: []byte(" ")}},
	}
	e.progress("%d clients each that send slowly, for %v", slowHeld, e.Wait)
	if err := e.rest(ctx); err != nil {
		return err
	}
	before, known := e.memory()
	for _, k := range kinds {
		k.drip.loop = client.Next()
		if err := k.drip.loop.Call(func() { k.drip.begin(slowHeld) }); err != nil {
			return err
		}
	}
	begun := min(slowBegun, e.Wait/2)
	if err := sleep(ctx, begun); err != nil {
		return err
	}
	here := 0
	for _, k := range kinds {
		if err := k.drip.loop.Call(func() { here += k.drip.here() }); err != nil {
			return err
		}
	}
	switch u, ok := e.memory(); {
	case !ok || !known:
	case here < len(kinds)*slowHeld*9/10:
		e.note("slow_memory is left out: of %d slow clients, %d were still connected after %v", len(kinds)*slowHeld, here, begun)
	default:
		e.figure("slow_memory", "Memory of the server for each slow client", "B", float64(u.RSS-before.RSS)/float64(here), lower)
	}
	if err := sleep(ctx, e.Wait-begun); err != nil {
		return err
	}
	for _, k := range kinds {
		d, left := k.drip, 0
		if err := d.loop.Call(func() { left = d.end() }); err != nil {
			return err
		}
		dropped := slowHeld - left - d.outcomes["not begun"]
		e.figure(k.name+"_dropped", fmt.Sprintf("Of %d clients with %s, dropped by the server within %v", slowHeld, k.title, e.Wait), "count", float64(dropped), neither)
		if dropped > 0 {
			e.note("%s: %d of %d were dropped, after %.1f to %.1f s: %v", k.title, dropped, slowHeld, d.first.Seconds(), d.last.Seconds(), d.outcomes)
			continue
		}
		e.note("%s: none of %d was dropped within %v", k.title, slowHeld, e.Wait)
		if k.name == "slow_head" && e.Wait >= enough {
			e.fault("slow_head_kept", "none of %d clients with heads that do not end was dropped within %v", slowHeld, e.Wait)
		}
	}
	return nil
}
