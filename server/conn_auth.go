package server

import (
	"bytes"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// This file finds out who sends a request. Its methods run on the loop.
//
// A verdict that is kept, in the loop's memo or in the cache, is used at once. Otherwise a flight
// finds it out while the content goes on arriving; a request that is complete before the flight has
// ended waits in connStateAuth.

// authenticate decides whether the request in loop.req, which is protected, may be served. If that
// is not known yet, x.flight is set.
func (c *conn) authenticate(now tick, head []byte) {
	x, l := c.x, c.loop
	a := l.srv.auth
	if g := c.gate(); g != nil {
		if g.who == nil && g.judged != authOK {
			c.refuseCaller(g.judged)
		}
		return
	}
	var p proof
	if a.opts.UserHeader != "" {
		p = a.claim(&l.req, c.fromProxy(), now)
		if p.decided {
			c.accept(p.verdict)
			return
		}
	}
	credential, isKey, o := a.credential(&l.req)
	if o = p.without(o); o != authOK {
		if o == authNone && a.opts.Optional {
			a.counts[o].Add(1)
		} else {
			c.refuseCaller(o)
		}
		return
	}
	if l.memo == nil {
		l.memo = newAuthMemo()
	}
	path, epoch := c.authPath(), a.cache.epoch.Load()
	if who := l.memo.find(credential, isKey, path, epoch, now); who != nil {
		c.recognize(who)
		return
	}
	k := authKeyOf(credential, path, isKey)
	if v, ok := a.known(&k, credential, now); ok {
		l.memo.keep(&v, isKey, path, epoch)
		c.learn(v)
		return
	}
	v, f, first := a.cache.join(&k, now, authWaiter{l, c.handle()})
	if f == nil {
		c.learn(v)
		return
	}
	x.flight = f
	if first {
		f.token, f.head, f.limits = string(credential), bytes.Clone(head), &l.srv.limits
		if peer := c.origin().Client; peer.IsValid() {
			f.peer = peer.String()
		}
		a.start(f)
	}
}

// authPath returns the path of the endpoint that the request is for.
func (c *conn) authPath() string {
	path := c.loop.req.Path
	switch p := c.policy(); {
	case c.has(flagGate):
		return c.sk.(*gate).path()
	case p.SSE != "" && (string(path) == p.SSE || string(path) == p.Messages):
		return p.SSE
	}
	return c.svc.path
}

// learn applies the verdict on a token to the request that has brought it.
func (c *conn) learn(v verdict) { c.accept(c.loop.srv.auth.proved(v, nil)) }

// accept applies a verdict on the caller to the request.
func (c *conn) accept(v verdict) {
	if v.outcome != authOK {
		c.refuseCaller(v.outcome)
		return
	}
	c.recognize(v.who)
}

// recognize lets the request be served for who, as far as its limits allow.
func (c *conn) recognize(who *identity) {
	c.loop.m.authenticated.Add(1)
	c.x.who = who
	if c.loop.places != nil {
		c.passesPrincipal(who)
	}
}

// refuseCaller refuses the request, with a challenge if it is for want of a valid token.
func (c *conn) refuseCaller(o authOutcome) {
	a := c.loop.srv.auth
	a.counts[o].Add(1)
	r := a.refusal(o)
	c.x.verdict = endpoint.Refuse(r.status, r.text)
	if c.loop.places != nil {
		c.spendRefused()
	}
	if r.challenges() {
		a.srv.refused(classOf(o))
		c.challenge(r, a.opts.Scopes)
	}
}

// challenge adds a challenge to the head of the response. The text and the scopes are those of the
// challenge; scopes may be nil. The request in loop.req is that of c.
func (c *conn) challenge(r *authRefusal, scopes []string) {
	c.x.challenge = c.loop.srv.auth.appendChallenge(c.x.challenge[:0], c.authPath(), r, scopes)
}

// arrived answers a request that needs nothing more from its client, as soon as it is known who has
// sent it. Head is that of the request if it has not been kept.
func (c *conn) arrived(now tick, head []byte) {
	x := c.x
	if x.requestState == nil || x.flight == nil {
		c.answer(now)
		return
	}
	if x.head == nil {
		x.head = bufferOf(head)
	}
	c.setState(now, connStateAuth)
}

// serveVerified continues a request whose caller has been found out.
func (l *loop) serveVerified(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateBody && c.state != connStateAuth || c.x.flight != it.flight {
		return // the request has been answered, or its client has disconnected
	}
	l.serving = c
	c.endFlight(l.now, it.flight.found)
}

// endFlight ends the wait of a request for the verdict on its caller.
func (c *conn) endFlight(now tick, v verdict) {
	x := c.x
	x.flight = nil
	c.recallHead()
	c.learn(v)
	if c.state == connStateBody {
		if x.verdict.Route.TakesMessage() { // it has not been refused
			if len(x.content.B) == 0 {
				c.proceed()
				c.flush()
			}
			return // the content is still arriving
		}
		c.flags |= flagClose | flagUnread
	}
	c.answer(now)
	c.resume(now)
}

// expireAuth refuses a request whose caller is not found out in time.
func (c *conn) expireAuth(now tick) { c.endFlight(now, verdict{outcome: authUnavailable}) }
