package bench

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/bench/load"
)

// A countdown counts the server's sockets until only those are left that were there before. Those
// of the prober do not count: they are recognized by their addresses, or, if the prober has none of
// its own, as many sockets are subtracted as there are probes in flight. The counting goroutine
// belongs to the countdown; only one goroutine may call its methods.
type countdown struct {
	env    *env
	probes *prober
	base   int
	quit   chan struct{}
	done   chan struct{}
	last   atomic.Int64 // when the last stream was ended, by load.Now; 0: not yet

	// Written by the counting goroutine, and read after it has ended.
	zero   int64 // when no socket was left; 0: never
	peak   int   // sockets in CLOSE-WAIT
	points [][2]float64
}

// countdown begins to count. The caller must call stop.
func (e *env) countdown(p *prober, base int) *countdown {
	c := &countdown{env: e, probes: p, base: base, quit: make(chan struct{}), done: make(chan struct{})}
	c.count()
	go c.run()
	return c
}

// maxCountdown limits the points of a countdown.
const maxCountdown = 4000

func (c *countdown) run() {
	defer close(c.done)
	if c.env.sockets == nil { // health checks run anyway
		select {
		case <-c.quit:
		case <-time.After(2 * time.Second):
		}
		return
	}
	for {
		ended := c.last.Load() != 0
		n := c.count()
		if c.zero != 0 && ended {
			return
		}
		// Counting takes a microsecond for each socket.
		pause := max(time.Millisecond, time.Duration(n)*4*time.Microsecond)
		if c.env.End == endSilence {
			pause = max(pause, 50*time.Millisecond)
		}
		select {
		case <-c.quit:
			return
		case <-time.After(pause):
		}
	}
}

// count counts the sockets once.
func (c *countdown) count() int {
	if c.env.sockets == nil {
		return 0
	}
	inFlight := c.inFlight()
	at, since := load.Now(), time.Since(c.env.began)
	s, err := c.env.sockets.CountWithout(c.probes.sources)
	if err != nil {
		return 0
	}
	inFlight = max(inFlight, c.inFlight())
	n := s.Open()
	if c.env.End == endSilence {
		n = held(s)
	}
	c.peak = max(c.peak, s.CloseWait)
	if len(c.points) < maxCountdown {
		c.points = append(c.points, [2]float64{since.Seconds(), float64(n)})
	}
	switch {
	case n > c.base+inFlight:
		c.zero = 0
	case c.zero == 0:
		c.zero = at
	}
	return n
}

// inFlight returns how many of the sockets may be those of probes.
func (c *countdown) inFlight() int {
	if c.probes.sources != nil {
		return 0
	}
	return c.probes.waiting()
}

// await returns when no socket is left, or when limit has passed since the last stream was ended.
func (c *countdown) await(ctx context.Context, last int64, limit time.Duration) error {
	c.last.Store(last)
	t := time.NewTimer(limit - time.Duration(load.Now()-last))
	defer t.Stop()
	select {
	case <-c.done:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the counting and returns what it found.
func (c *countdown) stop() (took time.Duration, zero bool, peak int, points [][2]float64) {
	close(c.quit)
	<-c.done
	if c.zero != 0 && c.last.Load() != 0 {
		took = max(0, time.Duration(c.zero-c.last.Load()))
	}
	return took, c.zero != 0, c.peak, c.points
}

// loopbackDrops returns how many packets the kernel has dropped because too many waited for one
// processor; 0 if that is unknown.
func loopbackDrops() (n uint64) {
	b, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 {
			v, _ := strconv.ParseUint(f[1], 16, 32)
			n += v
		}
	}
	return n
}
