package main

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"time"
)

// probeEvery is the pause between two health checks.
const probeEvery = 2 * time.Millisecond

// A probe requests /healthz on one connection, again and again.
type probe struct {
	stop  chan struct{}
	done  chan error
	times []time.Duration // must be read only after end
}

func startProbe(addr string) (*probe, error) {
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		return nil, err
	}
	p := &probe{stop: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		defer conn.Close()
		p.done <- p.ask(conn, addr)
	}()
	return p, nil
}

func (p *probe) ask(conn net.Conn, addr string) error {
	out := []byte("GET /healthz HTTP/1.1\r\nHost: " + addr + "\r\n\r\n")
	br := bufio.NewReader(conn)
	var res response
	for {
		select {
		case <-p.stop:
			return nil
		case <-time.After(probeEvery):
		}
		begin := time.Now()
		if err := conn.SetDeadline(begin.Add(patience)); err != nil {
			return err
		}
		if _, err := conn.Write(out); err != nil {
			return fmt.Errorf("healthz: %w", err)
		}
		if err := res.read(br, false); err != nil {
			return fmt.Errorf("healthz: %w", err)
		}
		if res.status != 200 {
			return fmt.Errorf("healthz: status %d", res.status)
		}
		p.times = append(p.times, time.Since(begin))
	}
}

// end ends the probe and its connection.
func (p *probe) end() error {
	close(p.stop)
	return <-p.done
}

// percentile returns the p-th percentile of d.
func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)-1, len(d)*p/100)]
}

func median(d []time.Duration) time.Duration { return percentile(d, 50) }
