package upstream

import (
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A lister keeps the catalogue current. Its fields are guarded by the lock of srv.
type lister struct {
	srv    *Server
	conn   *conn // of the home session, while it is ready
	server serverInfo
	now    *Catalogue // nil until it was read once; kept while the upstream is away
	at     time.Time  // when it was read
	run    *reading   // nil unless lists are being read
	again  bool       // something has changed since run began
	wait   timer      // for changes that follow each other
	poll   timer
	tries  int // that have failed in a row

	telling bool // Changed is running
	told    *Catalogue
}

// A reading reads all lists once.
type reading struct {
	conn  *conn
	lists [listKinds]*listing
	left  int
}

// Catalogue returns the newest catalogue, or nil if there has been none. It is kept while the
// upstream is away.
func (s *Server) Catalogue() *Catalogue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list.now
}

// Refresh reads the lists again, unless that is under way.
func (s *Server) Refresh() {
	s.mu.Lock()
	s.list.changed()
	s.unlock()
}

// arrived is called when the home session is ready.
func (l *lister) arrived(k *conn) {
	l.conn, l.server, l.tries = k, k.server, 0
	l.run, l.again = nil, false
	l.wait.stop()
	if l.srv.subs.arrived(k) {
		// Read after changes are announced, none is missed.
		l.srv.set(&l.wait, hearWait, l.start)
	} else {
		l.start()
	}
}

// hearWait is how long reading the lists waits for announcements to be set up.
const hearWait = time.Second

// lost is called when the home session has lost its link.
func (l *lister) lost() {
	l.conn, l.run = nil, nil
	l.wait.stop()
	l.poll.stop()
}

func (l *lister) close() { l.lost() }

// changed is called when the upstream says that a list has changed.
func (l *lister) changed() {
	if l.conn != nil && !l.wait.running() {
		l.srv.set(&l.wait, debounce, l.start)
	}
}

// start reads all lists, or makes the reading that is under way be followed by another.
func (l *lister) start() {
	if l.conn == nil {
		return
	}
	if l.run != nil {
		l.again = true
		return
	}
	l.wait.stop()
	l.poll.stop()
	r := &reading{conn: l.conn, left: 1}
	l.run, l.again = r, false
	for kind := range listKinds {
		r.lists[kind] = newListing(kind)
		if l.server.lists(kind) {
			r.left++
			l.page(r, r.lists[kind])
		}
	}
	l.ended(r)
}

// page asks for the next page of a list.
func (l *lister) page(r *reading, ls *listing) {
	l.srv.counts.Pages++
	m := link.Message{Method: listNames[ls.kind].method, Deadline: time.Now().Add(listTimeout)}
	r.conn.request(m, ls.cursor, &inner{
		parse: ls.add,
		done: func(env *jsonrpc.Envelope, err *link.Error) {
			if l.run != r {
				return
			}
			switch {
			case err != nil:
				ls.err = err
				if err.Reason == link.Expired {
					r.conn.expired(err)
					return
				}
			case env.Kind == jsonrpc.KindErrorResponse:
				// A server with resources need not have templates.
				if code := errorCode(env.Error); code != jsonrpc.CodeMethodNotFound {
					ls.err = fmt.Errorf("%s is refused with %d", listNames[ls.kind].method, code)
				}
			case ls.cursor != nil:
				l.page(r, ls)
				return
			}
			l.ended(r)
		},
	})
}

// ended is called when one list of r has been read.
func (l *lister) ended(r *reading) {
	if r.left--; r.left > 0 {
		return
	}
	s := l.srv
	l.run = nil
	var fault error
	for _, ls := range r.lists {
		if ls.err != nil {
			fault = ls.err
			ls.keep(l.now)
		}
		if ls.cut != "" || ls.dropped > 0 {
			s.opts.Logger.Warn("gateway: a list of the upstream is incomplete", "list", listNames[ls.kind].method,
				"reason", ls.cut, "invalid", ls.dropped, "entries", len(ls.items))
		}
	}
	if fault != nil {
		s.failed(fault)
		l.tries++
		s.opts.Logger.Warn("gateway: a list of the upstream cannot be read", "error", fault)
	} else {
		l.tries = 0
	}
	next := build(r.conn, &r.lists)
	l.at = time.Now()
	if l.now == nil || l.now.sum != next.sum {
		s.counts.Changes++
		l.now = next
		l.tell()
	} else {
		l.now.TTL, l.now.Public = next.TTL, next.Public
	}
	if l.again {
		l.again = false
		l.changed()
		return
	}
	l.schedule()
}

// keep makes ls what the catalogue has of it.
func (ls *listing) keep(c *Catalogue) {
	if c == nil {
		return
	}
	ls.items = [...][]Item{c.Tools, c.Prompts, c.Resources, c.Templates}[ls.kind]
}

// schedule makes the lists be read again, if that is the only way to notice changes or a list
// could not be read.
func (l *lister) schedule() {
	if l.conn == nil || l.run != nil {
		return
	}
	s := l.srv
	l.poll.stop()
	switch {
	case l.tries > 0:
		s.set(&l.poll, backoff(l.tries+2), l.start)
	case s.opts.Poll < 0 || !l.server.tools && !l.server.prompts && !l.server.resources:
	case l.server.announces() && s.subs.hears():
	case l.now != nil && l.now.TTL > 0:
		s.set(&l.poll, jitter(min(max(l.now.TTL, time.Second), time.Hour), 0.1), l.start)
	default:
		s.set(&l.poll, jitter(s.opts.Poll, 0.1), l.start)
	}
}

// tell calls Changed with the newest catalogue.
func (l *lister) tell() {
	s := l.srv
	if l.telling || s.opts.Changed == nil {
		return
	}
	l.telling = true
	s.do(effect{fn: func() {
		for {
			s.mu.Lock()
			if l.now == l.told {
				l.telling = false
				s.unlock()
				return
			}
			c := l.now
			l.told = c
			s.unlock()
			s.opts.Changed(c)
		}
	}})
}
