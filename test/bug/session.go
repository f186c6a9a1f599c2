package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// inFlight is how many sessions a load has at once.
const inFlight = 64

// patience limits each read and write of a client.
const patience = 30 * time.Second

// ipBindAddressNoPort is IP_BIND_ADDRESS_NO_PORT: the port is chosen when the connection is made,
// so that a port in TIME-WAIT for another peer can be reused.
const ipBindAddressNoPort = 24

// A load is many sessions that are opened, used and abandoned, never deleted.
type load struct {
	addr string // of the server, or of the proxy in front of it
	// source is the clients' address, a.b.c.d. GET streams come from a.(b+100).c.d, because one
	// address does not have enough ports for both.
	source net.IP
	stream bool // open the session's GET stream before its call
	n      int
}

func (l *load) streamSource() net.IP {
	ip := slices.Clone(l.source.To4())
	ip[1] += 100
	return ip
}

// run abandons l.n sessions, as fast as possible with inFlight at once. It returns how long that
// took, when the last FIN was sent, and what went wrong in how many sessions.
func (l *load) run() (took time.Duration, last time.Time, err error) {
	begin := time.Now()
	var next, failed atomic.Int64
	var first atomic.Value
	var wg sync.WaitGroup
	for range min(inFlight, l.n) {
		wg.Go(func() {
			c := &client{load: l}
			for next.Add(1) <= int64(l.n) {
				if err := c.session(); err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, err.Error())
				}
			}
		})
	}
	wg.Wait()
	last = time.Now()
	if n := failed.Load(); n > 0 {
		err = fmt.Errorf("%d of %d sessions failed, the first: %v", n, l.n, first.Load())
	}
	return last.Sub(begin), last, err
}

// A client is one client of a load. Between sessions it keeps only its buffers.
type client struct {
	load *load
	out  []byte
	res  response
	id   []byte
}

// session runs initialize, notifications/initialized, GET if the load has streams, and tools/call;
// then the client disconnects without a DELETE.
func (c *client) session() error {
	conn, err := c.dial(c.load.source)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.open(conn); err != nil {
		return err
	}
	if c.load.stream {
		stream, err := c.dial(c.load.streamSource())
		if err != nil {
			return err
		}
		defer stream.Close()
		if err := c.openStream(stream); err != nil {
			return err
		}
	}
	if err := c.exchange(conn, appendPost(c.out[:0], c.load.addr, callBody, c.id), false); err != nil {
		return fmt.Errorf("tools/call: %w", err)
	}
	if !bytes.Contains(c.res.body, []byte(answered)) {
		return fmt.Errorf("tools/call returned %q", c.res.body)
	}
	return nil
}

// open initializes a session on conn.
func (c *client) open(conn *peer) error {
	if err := c.exchange(conn, appendPost(c.out[:0], c.load.addr, initializeBody, nil), false); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if len(c.res.session) == 0 {
		return errors.New("initialize: no session id")
	}
	c.id = append(c.id[:0], c.res.session...)
	if err := c.exchange(conn, appendPost(c.out[:0], c.load.addr, initializedBody, c.id), false); err != nil {
		return fmt.Errorf("initialized: %w", err)
	}
	return nil
}

// openStream opens the session's stream on conn and waits for its head.
func (c *client) openStream(conn *peer) error {
	if err := c.exchange(conn, appendGet(c.out[:0], c.load.addr, c.id), true); err != nil {
		return fmt.Errorf("GET: %w", err)
	}
	return nil
}

func (c *client) exchange(conn *peer, out []byte, stream bool) error {
	c.out = out
	if _, err := conn.Write(out); err != nil {
		return err
	}
	if err := c.res.read(conn.br, stream); err != nil {
		return err
	}
	if c.res.status != 200 && c.res.status != 202 {
		return fmt.Errorf("status %d: %s", c.res.status, c.res.body)
	}
	return nil
}

type peer struct {
	net.Conn
	br *bufio.Reader
}

func (c *client) dial(source net.IP) (*peer, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}, Timeout: patience, KeepAlive: -1}
	d.ControlContext = func(_ context.Context, _, _ string, rc syscall.RawConn) error {
		var err error
		if e := rc.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, ipBindAddressNoPort, 1) }); e != nil {
			return e
		}
		return err
	}
	conn, err := d.Dial("tcp4", c.load.addr)
	// A busy machine can be short of ports for a moment.
	for try := 0; errors.Is(err, syscall.EADDRNOTAVAIL) && try < 100; try++ {
		time.Sleep(20 * time.Millisecond)
		conn, err = d.Dial("tcp4", c.load.addr)
	}
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return &peer{conn, bufio.NewReaderSize(conn, 4<<10)}, nil
}
