package child

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// Whatever happens to links and children, each request has one outcome, or none if it was
// cancelled, and nothing is left at the end.
func TestOneOutcomeForEachRequest(t *testing.T) {
	opts := quick("echo")
	opts.Backoff, opts.MaxBackoff, opts.Stable = time.Millisecond, 5*time.Millisecond, 20*time.Millisecond
	opts.EOFGrace, opts.TermGrace = 50*time.Millisecond, 50*time.Millisecond
	opts.QueueBytes = 20_000
	g := newRig(t, opts, NurseryOptions{MaxChildren: 3, PlaceTimeout: 300 * time.Millisecond})
	var wg sync.WaitGroup
	var groups sync.Map
	for worker := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 8 {
				traffic(t, g, random, &groups)
			}
		})
	}
	wg.Wait()
	g.stop(patience)
	groups.Range(func(pid, _ any) bool {
		if left := group(t, pid.(int)); len(left) > 0 {
			t.Errorf("processes left in group %d: %v", pid, left)
		}
		return true
	})
	t.Logf("%+v", g.s.Stats())
}

// traffic is the life of one link.
func traffic(t *testing.T, g *rig, random *rand.Rand, groups *sync.Map) {
	p := (&rig{t: t, n: g.n, s: g.s, log: g.log}).open()
	cancelled := map[int64]bool{}
	var id int64
	kill := func(sig syscall.Signal) {
		for _, c := range g.s.Stats().Children {
			if c.PID != 0 && c.State != Stopping {
				groups.Store(c.PID, true)
				_ = syscall.Kill(c.PID, sig)
				return
			}
		}
	}
	for range 200 + random.IntN(200) {
		switch random.IntN(40) {
		case 0:
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
		case 1:
			if id > 0 {
				victim := 1 + random.Int64N(id)
				p.Cancel(victim)
				cancelled[victim] = true
			}
		case 2:
			p.notify("notifications/cancelled")
		case 3:
			if random.IntN(20) == 0 {
				kill(syscall.SIGKILL)
			}
		default:
			var deadline time.Time
			if random.IntN(3) == 0 {
				deadline = time.Now().Add(time.Duration(random.IntN(5)) * time.Millisecond)
			}
			id++
			p.Send(&link.Message{Kind: link.Request, ID: id, Deadline: deadline, Body: requestBody(id, "ping")})
		}
	}
	if random.IntN(2) == 0 {
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	}
	p.Close()
	p.await("outcomes", func() bool {
		for n := int64(1); n <= id; n++ {
			if len(p.outcomes[n]) == 0 && !cancelled[n] {
				return false
			}
		}
		return true
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, o := range p.outcomes {
		if len(o) > 1 {
			t.Errorf("request %d: %d outcomes", n, len(o))
		}
	}
	if len(p.lost) > 1 || p.after > 0 {
		t.Errorf("lost %d times, %d messages after that", len(p.lost), p.after)
	}
}
