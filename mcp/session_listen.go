package mcp

import (
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// subscriptions are what a peer wants to be notified of. Its lock guards them.
type subscriptions struct {
	listens map[string]*Listen  // of subscriptions/listen, by the text of their id
	uris    map[string]struct{} // of resources/subscribe
	unwatch func()              // ends the reports of changes; nil before the first is wanted
	changed Topic               // lists that have changed since the last notices
	updated map[string]struct{} // resources that have
	notices *time.Timer         // sends the notices; nil before the first
	waiting bool                // it is set
}

const (
	// noticeDelay is how long changes are collected before their notices are sent.
	noticeDelay = 5 * time.Millisecond
	// noticeRetry is the same for a client that has not read earlier messages.
	noticeRetry = 200 * time.Millisecond
)

// serveListen begins a subscription.
func (c *servedCall) serveListen() {
	p := c.p
	if e := p.listen(c.call.Listen(), idKey(c.call.ID())); e != nil {
		c.refuse(e)
	}
	c.drop()
}

// listen registers l and acknowledges it.
func (p *peer) listen(l *Listen, key string) *jsonrpc.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return errManyCalls
	case p.taken(key):
		return errInFlight
	case p.opts.MaxCalls >= 0 && len(p.calls)+len(p.listens) >= p.opts.MaxCalls:
		return errManyCalls
	}
	if p.listens == nil {
		p.listens = make(map[string]*Listen)
	}
	p.listens[key] = l
	for _, uri := range l.URIs {
		p.s.Subscribe(uri)
	}
	p.watch()
	p.out.put(p.s.AppendAcknowledged(nil, l)) // before any notice, which needs p.mu
	return nil
}

// unlisten ends the subscription with the key. It is called with p.mu held.
func (p *peer) unlisten(key string) {
	for _, uri := range p.listens[key].URIs {
		p.s.Unsubscribe(uri)
	}
	delete(p.listens, key)
}

// subscribe adds the URI of a resources/subscribe. It is called with p.mu held.
func (p *peer) subscribe(uri string) *jsonrpc.Error {
	if _, ok := p.uris[uri]; ok {
		return nil
	}
	if p.ended || len(p.uris) >= p.s.opts.MaxListenURIs {
		return errManyURIs
	}
	if p.uris == nil {
		p.uris = make(map[string]struct{})
	}
	p.uris[uri] = struct{}{}
	p.s.Subscribe(uri)
	p.watch()
	return nil
}

// unsubscribe takes a URI back. It is called with p.mu held.
func (p *peer) unsubscribe(uri string) {
	if _, ok := p.uris[uri]; ok {
		delete(p.uris, uri)
		p.s.Unsubscribe(uri)
	}
}

// unsubscribeAll ends everything. If gracefully, the subscriptions get their results. It is called
// with p.mu held, once.
func (p *peer) unsubscribeAll(gracefully bool) {
	for key, l := range p.listens {
		p.unlisten(key)
		if gracefully {
			p.out.put(p.s.AppendListenResult(nil, l.ID))
		}
	}
	for uri := range p.uris {
		p.unsubscribe(uri)
	}
	if p.unwatch != nil {
		p.unwatch()
	}
	if p.notices != nil {
		p.notices.Stop()
	}
}

// watch makes the server report its changes. It is called with p.mu held.
func (p *peer) watch() {
	if p.unwatch == nil && !p.ended {
		p.unwatch = p.s.OnChange(p.change)
	}
}

// change notes a change of the server.
func (p *peer) change(ch Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || !p.wants(ch) {
		return
	}
	if ch.Topic == TopicResource {
		if p.updated == nil {
			p.updated = make(map[string]struct{})
		}
		p.updated[ch.URI] = struct{}{}
	} else {
		p.changed |= ch.Topic
	}
	p.schedule(noticeDelay)
}

// wants reports whether a notice of ch goes to the client, as a session or to a subscription.
func (p *peer) wants(ch Change) bool {
	if p.sessionWants(ch) {
		return true
	}
	for _, l := range p.listens {
		if l.wants(ch) {
			return true
		}
	}
	return false
}

func (p *peer) sessionWants(ch Change) bool {
	if ch.Topic == TopicResource {
		_, ok := p.uris[ch.URI]
		return ok
	}
	return p.info != nil && p.initialized != nil
}

// wants reports whether the subscription has the change.
func (l *Listen) wants(ch Change) bool {
	if l.Topics&ch.Topic == 0 {
		return false
	}
	if ch.Topic != TopicResource {
		return true
	}
	_, ok := slices.BinarySearch(l.URIs, ch.URI)
	return ok
}

// schedule sets the time of the next notices. It is called with p.mu held.
func (p *peer) schedule(in time.Duration) {
	if p.waiting || p.ended {
		return
	}
	p.waiting = true
	if p.notices == nil {
		p.notices = time.AfterFunc(in, p.sendNotices)
	} else {
		p.notices.Reset(in)
	}
}

// sendNotices sends a notice of everything that has changed, to each who wants it.
func (p *peer) sendNotices() {
	for {
		all := p.putNotices()
		p.out.flush()
		if all || !p.roomForNotices() {
			return
		}
	}
}

// putNotices puts notices until there is no room for more, and reports whether those are all.
func (p *peer) putNotices() (all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return true
	}
	room := func() bool { return p.out.room(p.opts.MaxUnsent / 2) }
	for _, topic := range []Topic{TopicTools, TopicPrompts, TopicResources} {
		if p.changed&topic != 0 {
			if !room() {
				return false
			}
			p.putNotice(Change{Topic: topic})
			p.changed &^= topic
		}
	}
	for uri := range p.updated {
		if !room() {
			return false
		}
		p.putNotice(Change{Topic: TopicResource, URI: uri})
		delete(p.updated, uri)
	}
	p.updated, p.waiting = nil, false // a burst may have grown it
	return true
}

// roomForNotices reports whether there is room for more notices. If there is not, they are sent
// later.
func (p *peer) roomForNotices() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out.room(p.opts.MaxUnsent / 2) {
		return true
	}
	p.waiting = false
	p.schedule(noticeRetry)
	return false
}

// putNotice sends the notices of a change.
func (p *peer) putNotice(ch Change) {
	if p.sessionWants(ch) {
		if msg := p.s.SessionChangeMessage(ch); msg != nil {
			p.out.put(msg)
		}
	}
	var prefix, suffix []byte
	for _, l := range p.listens {
		if l.wants(ch) {
			if prefix == nil {
				prefix, suffix = p.s.ChangeMessage(ch)
			}
			p.out.put(prefix, []byte(l.ID), suffix)
		}
	}
}
