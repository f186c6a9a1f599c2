package session

import (
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// This file has what a client sets in its session: what initialize agrees on over HTTP+SSE, the
// log level, and subscriptions.

// maxURIs is the maximum number of resources that a session subscribes to.
const maxURIs = 1024

// Subscriptions are the resources to which a session subscribes. They all belong to one of the
// servers that share the table: Owner, whose type is the host's and comparable. Without URIs there
// is no owner.
type Subscriptions struct {
	Owner any
	URIs  map[string]struct{}
}

// of returns the resources of owner.
func (s *Subscriptions) of(owner any) map[string]struct{} {
	if s.Owner != owner {
		return nil
	}
	return s.URIs
}

// Disown forgets all subscriptions of owner.
func (t *Table[J]) Disown(owner any) {
	for i := range t.shards {
		for _, subs := range t.disownLocked(&t.shards[i], owner) {
			t.forgot(subs)
		}
	}
}

func (t *Table[J]) disownLocked(sh *shard[J], owner any) (forgot []Subscriptions) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, s := range sh.m {
		if s.details == nil || len(s.subs.of(owner)) == 0 {
			continue
		}
		forgot = append(forgot, s.subs)
		s.subs = Subscriptions{}
		sh.takeBack(s)
		if s.empty() {
			t.drop(sh, s)
		}
	}
	return forgot
}

// Level returns the log level of session k; empty if it has none.
func (t *Table[J]) Level(k Key, now wheel.Tick) (level mcp.LoggingLevel) {
	if t.count.Load() > 0 {
		t.look(k, now, func(s *entry[J]) { level = s.level })
	}
	return level
}

// SetLevel sets the log level of session k. If needsStream, it does nothing unless the session has
// an open stream. The error is ErrGone, ErrFull or nil.
func (t *Table[J]) SetLevel(k Key, level mcp.LoggingLevel, needsStream bool, now wheel.Tick) error {
	return t.with(k, !needsStream, now, func(s *entry[J]) {
		if !needsStream || !s.stream.IsZero() {
			s.level = level
		}
	})
}

// Subscribe subscribes session k to a resource of owner. It returns the session's stream, and
// whether the subscription is new. If needsStream, it does nothing unless the session has an open
// stream. The error is ErrGone, ErrFull, ErrManyURIs, ErrOtherOwner or nil.
func (t *Table[J]) Subscribe(k Key, owner any, uri string, needsStream bool, now wheel.Tick) (stream Place, added bool, err error) {
	refused := t.with(k, !needsStream, now, func(s *entry[J]) {
		if needsStream && s.stream.IsZero() {
			return
		}
		if len(s.subs.URIs) == 0 {
			s.subs = Subscriptions{Owner: owner}
		}
		if s.subs.Owner != owner {
			err = ErrOtherOwner
			return
		}
		if _, has := s.subs.URIs[uri]; has {
			return
		}
		if len(s.subs.URIs) >= maxURIs {
			err = ErrManyURIs
			return
		}
		if s.subs.URIs == nil {
			s.subs.URIs = make(map[string]struct{})
		}
		s.subs.URIs[uri] = struct{}{}
		stream, added = s.stream, true
	})
	if refused != nil {
		err = refused
	}
	return stream, added, err
}

// Unsubscribe ends a subscription of session k to a resource of owner. It returns the session's
// stream, and whether there was such a subscription.
func (t *Table[J]) Unsubscribe(k Key, owner any, uri string, now wheel.Tick) (stream Place, removed bool) {
	t.look(k, now, func(s *entry[J]) {
		if _, removed = s.subs.of(owner)[uri]; removed {
			if delete(s.subs.URIs, uri); len(s.subs.URIs) == 0 {
				s.subs = Subscriptions{}
			}
			stream = s.stream
		}
	})
	return stream, removed
}

// Subscribed reports whether session k subscribes to a resource of owner.
func (t *Table[J]) Subscribed(k Key, owner any, uri string, now wheel.Tick) (ok bool) {
	t.look(k, now, func(s *entry[J]) { _, ok = s.subs.of(owner)[uri] })
	return ok
}

// Agree keeps what initialize agreed on in session k, if it has an open stream: over HTTP+SSE,
// the ID is issued before.
func (t *Table[J]) Agree(k Key, info mcp.SessionInfo, now wheel.Tick) {
	t.look(k, now, func(s *entry[J]) {
		if !s.stream.IsZero() {
			s.info = info
		}
	})
}

// Agreed returns the open stream of session k, what was given to Agree, and with it the log level.
// Without a stream it returns zero values.
func (t *Table[J]) Agreed(k Key, now wheel.Tick) (info mcp.SessionInfo, stream Place) {
	t.look(k, now, func(s *entry[J]) {
		if stream = s.stream; !stream.IsZero() {
			info = s.info
			info.LogLevel = s.level
		}
	})
	return info, stream
}
