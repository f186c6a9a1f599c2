package child

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A counter is a Receiver that sends the next request for each response but the first.
type counter struct {
	link   link.Link
	sent   atomic.Int64
	got    atomic.Int64
	n      int64
	ready  chan struct{} // closed after the first response
	done   chan struct{} // closed after response n
	failed atomic.Int64
}

func (c *counter) Receive(int64, []byte)     { c.next() }
func (c *counter) Failed(int64, *link.Error) { c.failed.Add(1); c.next() }
func (c *counter) Lost(*link.Error)          {}

func (c *counter) next() {
	switch c.got.Add(1) {
	case 1:
		close(c.ready)
		return
	case c.n:
		close(c.done)
	}
	c.send()
}

func (c *counter) send() {
	id := c.sent.Add(1)
	if id > c.n {
		return
	}
	c.link.Send(&link.Message{
		Kind: link.Request, ID: id, Method: "tools/call", Deadline: time.Now().Add(time.Minute),
		Body: fmt.Appendf(make([]byte, 0, 160), `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello, world"}}}`, id),
	})
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEcho sends small requests to a child that answers each, with so many in flight. The
// metric is the processor time of this process alone, for 100,000 of them.
func BenchmarkEcho(b *testing.B) {
	for _, inFlight := range []int{64, 8, 1} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			opts := quick("echo")
			opts.Logger = slog.New(slog.DiscardHandler)
			n := NewNursery(NurseryOptions{})
			s, err := NewServer(n, opts)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = n.Shutdown(b.Context()) }()
			c := &counter{ready: make(chan struct{}), done: make(chan struct{}), n: int64(b.N) + 1}
			c.link = s.Open(c)
			c.send()
			<-c.ready
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime()
			for range inFlight {
				c.send()
			}
			<-c.done
			b.StopTimer()
			used := processorTime() - before
			if c.failed.Load() > 0 {
				b.Fatalf("%d requests failed", c.failed.Load())
			}
			b.ReportMetric(used.Seconds()/float64(b.N)*100_000, "cpu-s/100k")
		})
	}
}
