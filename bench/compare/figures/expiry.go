package main

import (
	"fmt"
	"log"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	endingStreams = 10_000
	lagWindow     = 32 * time.Second // what the lag that the server reports may look back to, and more
)

// measureExpiry measures the lag of the loops when the tokens of 10,000 streams, each of another
// principal, end in one second, and how long a health check takes meanwhile.
func measureExpiry(bin, engine string, o *options) []authRow {
	const n = endingStreams
	lag := authRow{name: "expiry_lag_ms", what: fmt.Sprintf("longest lag of a loop in ms when the tokens of %d streams end in one second, and while they are idle", n), what2: itself, unit: "ms", bound: 20}
	worst := authRow{name: "expiry_probe_max_ms", what: "longest /healthz on a new connection in ms, one every 5 ms, in the same times", what2: itself, unit: "ms", bound: noBound}
	took := authRow{name: "expiry_spread_ms", what: "ms from the first end of a stream to the last", what2: itself, unit: "ms", bound: noBound}
	for range o.rounds {
		p := start(bin, "-kind=mooring", "-engine="+engine, "-auth")
		opening := time.Now()
		end := opening.Add(60 * time.Second).Truncate(time.Second)
		conns := open(p.addr, n, func(i int) []byte {
			return withToken(listen(p.addr)(i), tokenOf(fmt.Sprintf("user%05d", i), end))
		}, acknowledged)
		if left := time.Until(end); left < lagWindow+8*time.Second {
			log.Fatalf("opening the streams took %v", time.Since(opening))
		}
		time.Sleep(time.Until(end) - 13*time.Second) // in the last six the streams end
		idle := probes(p.addr, 5*time.Second)
		before := p.lag()
		ends := make(chan time.Duration, 1)
		go func() { ends <- endOf(conns) }()
		under := probes(p.addr, time.Until(end)+4*time.Second)
		lag.without, lag.with = append(lag.without, before), append(lag.with, p.lag())
		worst.without, worst.with = append(worst.without, idle), append(worst.with, under)
		took.with = append(took.with, float64(<-ends)/1e6)
		for _, c := range conns {
			_ = c.Close()
		}
		p.stop()
	}
	return []authRow{lag, worst, took}
}

// probes returns the longest of the health checks that are made for a time, in milliseconds.
func probes(addr string, length time.Duration) float64 {
	var times []time.Duration
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(probeEvery) {
		times = append(times, probe(addr))
	}
	return float64(slices.Max(times)) / 1e6
}

// endOf reads streams until all have ended, and returns the time between the first and the last
// end.
func endOf(conns []net.Conn) time.Duration {
	var mu sync.Mutex
	var first, last time.Time
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			var buf [2048]byte
			for have := 0; ; {
				n, err := c.Read(buf[have:])
				have += n
				if isStreamOver(buf[:have]) {
					break
				}
				if err != nil {
					log.Fatalf("a stream did not end: %v after %q", err, buf[:have])
				}
			}
			now := time.Now()
			mu.Lock()
			defer mu.Unlock()
			if first.IsZero() || now.Before(first) {
				first = now
			}
			if now.After(last) {
				last = now
			}
		})
	}
	wg.Wait()
	return last.Sub(first)
}
