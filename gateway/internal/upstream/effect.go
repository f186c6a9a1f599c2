package upstream

import (
	"bytes"
	"sync"
	"time"
)

// An event is something that a call's Handler is told, or that is done for it in the same order.
type event struct {
	kind     eventKind
	data     []byte
	question *Question
	conn     *conn // of eventLaunch
	id       int64
}

type eventKind uint8

const (
	eventLaunch eventKind = iota // write the request and send it
	eventProgress
	eventMessage
	eventQuestion
	eventWithdrawn
	eventEnd // with Call.end
)

// keep makes ev, which waits for its handler, independent of the link's buffers.
func (c *Call) keep(ev event) event {
	ev.data = bytes.Clone(ev.data)
	if ev.kind == eventEnd {
		c.end.Result, c.end.Error = bytes.Clone(c.end.Result), bytes.Clone(c.end.Error)
	}
	return ev
}

// An effect is what is done when the lock is free: an event of a call, or fn.
type effect struct {
	call    *Call
	handler Handler
	event   event
	fn      func()
}

// effectLists are lists that unlock has worked off.
var effectLists = sync.Pool{New: func() any { return new([]effect) }}

// do adds e to what unlock does.
func (s *Server) do(e effect) {
	if s.effects == nil {
		s.effects = effectLists.Get().(*[]effect)
	}
	*s.effects = append(*s.effects, e)
}

// unlock unlocks and then runs the effects that have come up since lock.
func (s *Server) unlock() {
	run := s.effects
	s.effects = nil
	s.mu.Unlock()
	if run == nil {
		return
	}
	for i := range *run {
		if e := &(*run)[i]; e.fn != nil {
			e.fn()
		} else {
			s.run(e.call, e.handler, e.event)
		}
	}
	clear(*run)
	if *run = (*run)[:0]; cap(*run) <= 64 {
		effectLists.Put(run)
	}
}

// deliver gives ev to the handler of c, after those before it. The lock is held.
func (s *Server) deliver(c *Call, ev event) {
	if c.handler == nil && ev.kind != eventLaunch {
		s.deliverParked(c, ev)
		return
	}
	if c.busy {
		if (ev.kind == eventProgress || ev.kind == eventMessage) && len(c.held) >= maxHeld {
			s.counts.Dropped++
			return
		}
		c.held = append(c.held, c.keep(ev))
		return
	}
	c.busy = true
	s.do(effect{call: c, handler: c.handler, event: ev})
}

// run runs ev, and then the events of c that have come meanwhile.
func (s *Server) run(c *Call, h Handler, ev event) {
	for {
		switch ev.kind {
		case eventLaunch:
			s.launch(c, ev.conn, ev.id)
		case eventProgress:
			h.Progress(ev.data)
		case eventMessage:
			h.Message(ev.data)
		case eventQuestion:
			h.Question(ev.question)
		case eventWithdrawn:
			h.Withdrawn(ev.question)
		case eventEnd:
			h.End(&c.end)
			return // nothing follows
		}
		s.mu.Lock()
		// A call that was parked meanwhile keeps what its next handler must get.
		for len(c.held) > 0 && c.handler == nil && c.held[0].kind != eventLaunch {
			s.deliverParked(c, c.held[0])
			c.held = c.held[1:]
		}
		if len(c.held) == 0 {
			c.busy, c.held = false, nil
			s.unlock()
			return
		}
		h, ev = c.handler, c.held[0]
		c.held = c.held[1:]
		s.unlock()
	}
}

// A timer runs a function under the lock, unless it was stopped or set anew before. The zero
// timer is ready to use. Its fields are guarded by the lock.
type timer struct {
	t   *time.Timer
	gen uint64
}

// set makes t run f after d.
func (s *Server) set(t *timer, d time.Duration, f func()) {
	t.stop()
	if s.closed {
		return
	}
	gen := t.gen
	t.t = time.AfterFunc(d, func() {
		s.mu.Lock()
		if t.gen == gen {
			t.t = nil
			f()
		}
		s.unlock()
	})
}

// stop makes sure that the function does not run.
func (t *timer) stop() {
	t.gen++
	if t.t != nil {
		t.t.Stop()
		t.t = nil
	}
}

// running reports whether t will run.
func (t *timer) running() bool { return t.t != nil }
