package main

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// storm opens n sessions with their GET streams, keeps the streams, closes all of them at once, and
// returns how long after the last FIN the server's port had no socket left.
func storm(addr string, socks *sockets, source net.IP, n int) (took, counting time.Duration, err error) {
	streams := make([]*peer, n)
	errs := make([]error, inFlight)
	var wg sync.WaitGroup
	for w := range inFlight {
		wg.Go(func() {
			c := &client{load: &load{addr: addr, source: source}}
			for i := w; i < n && errs[w] == nil; i += inFlight {
				streams[i], errs[w] = c.streamOnly()
			}
		})
	}
	wg.Wait()
	for _, s := range streams {
		if s != nil {
			_ = s.Close()
		}
	}
	last := time.Now()
	for _, err := range errs {
		if err != nil {
			return 0, 0, fmt.Errorf("storm: %w", err)
		}
	}
	took, counting, counts, err := socks.gone(last, false)
	if err == nil && counts.Open() > 0 {
		err = fmt.Errorf("storm: %s after %v", &counts, took)
	}
	return took, counting, err
}

// streamOnly opens a session and its stream, and closes the connection that opened the session.
func (c *client) streamOnly() (*peer, error) {
	conn, err := c.dial(c.load.source)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := c.open(conn); err != nil {
		return nil, err
	}
	stream, err := c.dial(c.load.streamSource())
	if err != nil {
		return nil, err
	}
	if err := c.openStream(stream); err != nil {
		_ = stream.Close()
		return nil, err
	}
	return stream, nil
}

// storms measures the server and the floor in turn.
func (b *bench) storms(n int) (ours, floors, counts, health []time.Duration, err error) {
	for round := range 3 {
		took, _, err := storm(b.floorAddr, b.floorSocks, net.IPv4(127, 2, 1, byte(round+1)), n)
		if err != nil {
			return nil, nil, nil, nil, fmt.Errorf("the floor: %w", err)
		}
		floors = append(floors, took)
		p, err := startProbe(b.health)
		if err != nil {
			return nil, nil, nil, nil, err
		}
		took, counting, err := storm(b.addr, b.socks, net.IPv4(127, 2, 2, byte(round+1)), n)
		if err != nil {
			return nil, nil, nil, nil, err
		}
		ours = append(ours, took)
		counts = append(counts, counting)
		if err := p.end(); err != nil {
			return nil, nil, nil, nil, err
		}
		health = append(health, p.times...)
	}
	return ours, floors, counts, health, nil
}
