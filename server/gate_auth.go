package server

import (
	"context"
	"net/http"
	"time"

	"github.com/mooring-mcp/mooring/httpparse"
)

// This file finds out on the goroutine of net/http who sends a request, before its content is read.
// The loop refuses the request if need be.

// authenticate sets q.who and q.judged.
func (s *Server) authenticate(r *http.Request, q *httpRequest) {
	if s.auth == nil || q.who != nil {
		return
	}
	q.judged = authError // unless something else is found out
	b := takeBuffer(1 << 10)
	defer func() { release(b) }()
	var err error
	if b.B, err = q.mount.appendRequest(b.B, r, max(r.ContentLength, 0)); err != nil {
		return
	}
	req := parsers.Get().(*httpparse.Request)
	defer parsers.Put(req)
	defer req.Reset()
	if _, err := httpparse.ParseRequest(req, b.B, 0, &s.limits); err != nil {
		return
	}
	if !s.policyOf(q.mount).Check(req, q.trust).Protected {
		return
	}
	if s.quotas != nil {
		if q.excess = s.quotas.empty(account{byAddress: s.addressOf(req, q)}); q.excess.exceeds() {
			return
		}
	}
	v := s.auth.judge(r, req, q)
	q.who, q.judged = v.who, v.outcome
}

// addressOf returns the key of the address that a request comes from.
func (s *Server) addressOf(req *httpparse.Request, q *httpRequest) uint64 {
	at := q.peer
	if s.trustsProxy(at.Addr()) {
		at = originOf(req, at, s.trustsProxy).Client
	}
	return s.quotas.addressKey(at.Addr())
}

// judge finds out who sends a request. It waits if need be.
func (a *authenticator) judge(r *http.Request, req *httpparse.Request, q *httpRequest) verdict {
	now := a.srv.tick()
	var p proof
	if a.opts.UserHeader != "" {
		if p = a.claim(req, a.believes(q.peer.Addr(), q.trust), now); p.decided {
			return a.counted(p.verdict)
		}
	}
	credential, isKey, o := a.credential(req)
	if o == authNone && a.opts.Certificate != nil && !a.opts.RequireCertificate && !p.proxy {
		if v, ok := a.certified(r); ok {
			return a.counted(v)
		}
	}
	if o = p.without(o); o == authNone && a.opts.Optional {
		a.counts[authNone].Add(1)
		return verdict{}
	}
	if o != authOK {
		return verdict{outcome: o}
	}
	k := authKeyOf(credential, q.path(), isKey)
	v, ok := a.known(&k, credential, now)
	if !ok {
		var f *authFlight
		var first bool
		if v, f, first = a.cache.join(&k, now, authWaiter{}); first {
			f.token, f.req = string(credential), r.Clone(context.Background())
			f.req.Body = http.NoBody
			a.start(f)
		}
		if f != nil {
			v = a.await(r.Context(), f)
		}
	}
	return a.counted(a.proved(v, r))
}

// counted counts a verdict that lets a request pass. The loop counts refusals.
func (a *authenticator) counted(v verdict) verdict {
	if v.outcome == authOK {
		a.counts[authOK].Add(1)
	}
	return v
}

// await waits for a flight.
func (a *authenticator) await(ctx context.Context, f *authFlight) verdict {
	late := time.NewTimer(a.opts.VerifyTimeout)
	defer late.Stop()
	select {
	case <-f.done:
		return f.found
	case <-late.C:
	case <-ctx.Done():
	}
	return verdict{outcome: authUnavailable}
}

// path returns the path of the endpoint that the request is for.
func (q *httpRequest) path() string {
	if q.svc != nil {
		return q.svc.path
	}
	return q.r.URL.EscapedPath()
}
