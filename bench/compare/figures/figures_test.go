package main

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/load"
)

// answering is a server that answers every read, and pauses before every tenth answer. It counts
// the connections that were used.
func answering(t *testing.T, rest time.Duration) (addr string, used *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	used = new(atomic.Int64)
	var n atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for i := 0; ; i++ {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if i == 0 {
						used.Add(1)
					}
					if n.Add(1)%10 == 0 {
						time.Sleep(rest)
					}
					if _, err := c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), used
}

// TestPacer checks that the open loop counts what it should, from send to answer, and uses all
// connections or as few as it can.
func TestPacer(t *testing.T) {
	for _, inTurn := range []bool{true, false} {
		addr, used := answering(t, 20*time.Millisecond)
		client, err := load.New(load.Options{Addr: netip.MustParseAddrPort(addr), Loops: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		p := &pacer{loop: client.Loops()[0], req: []byte("x"), inTurn: inTurn, warm: 100, all: 400, done: make(chan error, 1)}
		times, err := p.run()
		if err != nil {
			t.Fatal(err)
		}
		if slow := above(times, 19*time.Millisecond); len(times) != 300 || slow < 29 || slow > 60 {
			t.Errorf("in turn %v: %d times, %.0f slow", inTurn, len(times), slow)
		}
		if percentile(times, 50) > 19_000 || percentile(times, 95) < 19_000 {
			t.Errorf("in turn %v: p50 %.0f µs, p95 %.0f µs", inTurn, percentile(times, 50), percentile(times, 95))
		}
		if n := used.Load(); inTurn != (n == pacedConns) {
			t.Errorf("in turn %v: %d connections were used", inTurn, n)
		}
	}
}

func TestPercentile(t *testing.T) {
	var times []time.Duration
	for i := range 200 {
		times = append(times, time.Duration(i+1)*time.Microsecond)
	}
	for p, want := range map[float64]float64{0: 1, 50: 100, 99: 198, 100: 200} {
		if got := percentile(times, p); got != want {
			t.Errorf("p%v is %v, want %v", p, got, want)
		}
	}
	if n := above(times, 190*time.Microsecond); n != 10 {
		t.Errorf("%v above", n)
	}
}

// TestRow checks that a median above its bound is marked, and nothing else.
func TestRow(t *testing.T) {
	r := row{on: [2][]float64{{3, 1, 2.5}, {1, 2, 3}}, bound: [2]float64{2, 2}}
	if a, b := r.cell(0), r.cell(1); a != "2.50 (1.00–3.00) **above**" || b != "2.00 (1.00–3.00)" {
		t.Errorf("%q, %q", a, b)
	}
	r.bound = [2]float64{noBound, noBound}
	if a := r.cell(0); a != "2.50 (1.00–3.00)" {
		t.Errorf("%q", a)
	}
}
