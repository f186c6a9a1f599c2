package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// floor is the engine's handler.
type floor struct {
	gnet.BuiltinEventEngine
	addr    string
	timeout time.Duration
	extra   atomic.Bool // the tool extra exists
	// answers holds *[]byte, to which OnTraffic appends answers: Write copies what the socket does
	// not accept.
	answers sync.Pool

	mu    sync.Mutex // guards loops
	loops map[gnet.EventLoop]*loop
}

// A loop holds the streams of an event loop. It is used only on that loop.
type loop struct {
	streams []*stream
	out     []byte // the frame being written
}

// A stream is a connection that stays open. It is the context of its connection.
type stream struct {
	conn gnet.Conn
	loop *loop
	at   int    // index in loop.streams
	id   []byte // of its subscriptions/listen, nil for a GET
}

// OnTraffic implements [gnet.EventHandler]: it answers all whole requests that have arrived. What
// follows the request for a stream is read and dropped.
func (f *floor) OnTraffic(c gnet.Conn) gnet.Action {
	in, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	buf, _ := f.answers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	out := (*buf)[:0]
	used := 0
	for used < len(in) {
		if _, ok := c.Context().(*stream); ok {
			used = len(in)
			break
		}
		req, n := parse(in[used:])
		if n < 0 {
			return gnet.Close
		}
		if n == 0 {
			break
		}
		used += n
		out = f.answer(out, c, &req)
	}
	if _, err := c.Discard(used); err != nil {
		return gnet.Close
	}
	if len(out) > 0 {
		if _, err := c.Write(out); err != nil {
			return gnet.Close
		}
	}
	*buf = out
	f.answers.Put(buf)
	return gnet.None
}

// OnClose implements [gnet.EventHandler].
func (f *floor) OnClose(c gnet.Conn, _ error) gnet.Action {
	s, ok := c.Context().(*stream)
	if !ok {
		return gnet.None
	}
	l := s.loop
	last := len(l.streams) - 1
	l.streams[s.at] = l.streams[last]
	l.streams[s.at].at = s.at
	l.streams[last] = nil
	l.streams = l.streams[:last]
	return gnet.None
}

// keep makes c a stream, on its loop. It copies id.
func (f *floor) keep(c gnet.Conn, id []byte) {
	el := c.EventLoop()
	f.mu.Lock()
	l := f.loops[el]
	if l == nil {
		l = new(loop)
		f.loops[el] = l
	}
	f.mu.Unlock()
	s := &stream{conn: c, loop: l, at: len(l.streams)}
	if id != nil {
		s.id = append(make([]byte, 0, len(id)), id...)
	}
	l.streams = append(l.streams, s)
	c.SetContext(s)
}

// toggle adds or removes the tool extra and has each loop notify its streams.
func (f *floor) toggle() {
	for was := f.extra.Load(); !f.extra.CompareAndSwap(was, !was); was = f.extra.Load() {
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for el, l := range f.loops {
		// An engine that is stopping has no streams left to notify.
		_ = el.Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
			l.tell()
			return nil
		}))
	}
}

// tell writes the change to every stream of the loop, on the loop.
func (l *loop) tell() {
	// A write may close its connection, which moves the last stream into its place: going
	// backwards, none is left out.
	for i := len(l.streams) - 1; i >= 0; i-- {
		if i >= len(l.streams) {
			continue
		}
		s := l.streams[i]
		l.out = appendChanged(l.out[:0], s.id)
		_, _ = s.conn.Write(l.out) // gnet closes a connection that cannot be written to
	}
}
