package server

import (
	"crypto/tls"
	"errors"
	"io"
	"runtime/debug"
	"time"
)

// This file does the handshakes of connections with TLS, before net/http gets them. A handshake
// costs a goroutine, buffers and a signature before anything is known of the client, so there are
// few at a time, apart from MaxConnections.

// handshakeGrace is the time after which a handshake gives way to a new one where there are too
// many. Clients that mean it are done by then; otherwise a few silent ones would keep out
// everybody.
const handshakeGrace = time.Second

// take gives the http.Server a connection that is counted, once its handshake is done.
func (t *tlsServer) take(c *tlsConn, config *tls.Config) {
	c.of = t
	evicted, ok := t.admit(c, time.Now())
	if evicted != nil {
		_ = evicted.Close()
	}
	if !ok {
		_ = c.Close()
		return
	}
	go t.shake(c, config)
}

// admit makes c one of the connections in their handshake, unless there are too many or the server
// drains. It returns the connection that has to give way to c, if there is one.
func (t *tlsServer) admit(c *tlsConn, now time.Time) (evicted *tlsConn, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.draining {
		return nil, false
	}
	if t.shaking.Len() >= t.most {
		t.owner.tlsRefused.Add(1)
		t.owner.refused(refusedHandshake)
		if evicted = t.evict(now); evicted == nil {
			return nil, false
		}
	}
	c.began = now
	c.shaking = t.shaking.PushBack(c)
	t.conns[c] = struct{}{}
	return evicted, true
}

// evict takes the oldest handshake from the list, if it has had its time. The caller holds t.mu,
// and closes the connection after that.
func (t *tlsServer) evict(now time.Time) *tlsConn {
	first := t.shaking.Front()
	if first == nil || now.Sub(first.Value.(*tlsConn).began) < handshakeGrace {
		return nil
	}
	c := t.shaking.Remove(first).(*tlsConn)
	c.shaking = nil
	return c
}

// shaken takes c from the connections in their handshake. It reports whether c was one of them, and
// has not been evicted.
func (t *tlsServer) shaken(c *tlsConn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.shaking == nil {
		return false
	}
	t.shaking.Remove(c.shaking)
	c.shaking = nil
	return true
}

// shake does the handshake of c on a goroutine of its own, and gives the http.Server the
// connection.
func (t *tlsServer) shake(c *tlsConn, config *tls.Config) {
	tc := tls.Server(c, config)
	err := t.handshake(c, tc)
	switch kept := t.shaken(c); {
	case err != nil && kept:
		t.owner.tlsErrors.Add(1)
		answerPlain(err)
		fallthrough
	case err != nil:
		_ = c.Close()
		return
	}
	select {
	case t.arriving <- tc:
	case <-t.ended:
		_ = c.Close()
	}
}

// handshake does the handshake of c in time. Functions of the host's that panic end c alone.
func (t *tlsServer) handshake(c *tlsConn, tc *tls.Conn) (err error) {
	defer func() {
		if v := recover(); v != nil {
			t.owner.logger().Error("server: a handshake panicked", "panic", v, "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	if t.patience > 0 {
		_ = c.SetDeadline(time.Now().Add(t.patience))
		defer func() { _ = c.SetDeadline(time.Time{}) }()
	}
	return tc.Handshake()
}

// answerPlain answers a client that speaks HTTP where TLS is spoken, as net/http would.
func answerPlain(err error) {
	re, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || re.Conn == nil {
		return
	}
	switch string(re.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		_, _ = io.WriteString(re.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis port speaks HTTPS.\n")
	}
}

// handshakes returns how many connections are in their handshake.
func (t *tlsServer) handshakes() int64 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(t.shaking.Len())
}
