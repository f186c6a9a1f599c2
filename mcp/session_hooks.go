package mcp

import (
	"runtime/debug"
)

// maxHooks is the number of notifications whose handlers may wait.
const maxHooks = 256

// notified handles a notification of the client, as the leader.
func (p *peer) notified(c *servedCall) {
	if id := c.call.Cancelled(); id != nil {
		p.cancel(id)
		return
	}
	if c.call.ClaimsModern() {
		return // 2026-07-28 has no other
	}
	o := &p.s.opts
	switch c.call.Method() {
	case MethodNotifyInitialized:
		params := new(InitializedParams)
		decodeParams(c.msg.Params, params)
		if !p.initialize(params) || o.InitializedHandler == nil {
			return
		}
		req := &InitializedRequest{Session: &p.session, Params: params, Extra: new(RequestExtra)}
		p.hook(func() { o.InitializedHandler(p.base, req) })
	case MethodNotifyRootsListChanged:
		if o.RootsListChangedHandler == nil || !p.hasSession() {
			return
		}
		params := new(RootsListChangedParams)
		decodeParams(c.msg.Params, params)
		req := &RootsListChangedRequest{Session: &p.session, Params: params, Extra: new(RequestExtra)}
		p.hook(func() { o.RootsListChangedHandler(p.base, req) })
	case MethodNotifyProgress:
		params := new(ProgressNotificationParams)
		if o.ProgressNotificationHandler == nil || !p.hasSession() || !decodeParams(c.msg.Params, params) {
			return
		}
		req := &ProgressNotificationServerRequest{Session: &p.session, Params: params, Extra: new(RequestExtra)}
		p.hook(func() { o.ProgressNotificationHandler(p.base, req) })
	}
}

// decodeParams decodes the params of a notification, which may have none. What cannot be decoded
// is left out; it returns false then.
func decodeParams[P any](raw []byte, params *P) bool {
	if raw == nil {
		return true
	}
	if decodeExact(raw, params) != nil {
		*params = *new(P)
		return false
	}
	return true
}

// initialize notes that the client is ready for notifications. It returns false if it has said so
// before, or has no session.
func (p *peer) initialize(params *InitializedParams) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil || p.initialized != nil {
		return false
	}
	p.initialized = params
	p.watch()
	if every := p.s.opts.KeepAlive; every > 0 && !p.ended {
		go p.ping(every)
	}
	return true
}

// hasSession reports whether there is a session of an earlier revision.
func (p *peer) hasSession() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.info != nil
}

// hook runs f behind the handlers of earlier notifications, on one goroutine for them all. If too
// many wait, f is not run.
func (p *peer) hook(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return
	case len(p.hooks) >= maxHooks:
		p.s.opts.Logger.Warn("mcp: a notification was dropped, because its handler is slow")
		return
	}
	p.hooks = append(p.hooks, f)
	if !p.hooking {
		p.hooking = true
		p.running.Add(1)
		go p.runHooks()
	}
}

// runHooks runs the handlers that wait. One that panics or ends its goroutine ends only itself.
func (p *peer) runHooks() {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				p.s.opts.Logger.Error("mcp: handler panicked", "panic", v, "stack", string(debug.Stack()))
			}
			go p.runHooks()
		}
	}()
	for f := p.nextHook(); f != nil; f = p.nextHook() {
		f()
	}
	returned = true
	p.running.Done()
}

// nextHook takes the handler that has waited longest, or notes that none waits and returns nil.
func (p *peer) nextHook() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hooks) == 0 || p.ended {
		p.hooks, p.hooking = nil, false
		return nil
	}
	f := p.hooks[0]
	p.hooks = p.hooks[1:]
	return f
}
