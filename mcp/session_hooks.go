package mcp

// maxHooks is the number of notifications whose handlers may wait.
const maxHooks = 256

// notified handles a notification of the client, as the leader. It takes c.
func (p *peer) notified(c *servedCall) {
	if id := c.call.Cancelled(); id != nil {
		p.cancel(id)
	}
	if c.call.Method() == MethodNotifyInitialized && !c.call.ClaimsModern() {
		params := new(InitializedParams)
		decodeParams(c.msg.Params, params)
		if !p.initialize(params) {
			c.drop()
			return
		}
	}
	if b := c.batch; b != nil {
		c.batch = nil // its answer does not wait for handlers
		b.leave(p, c.term)
	}
	if c.call.Inline() || !p.hook(c) {
		c.drop()
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
	p.begin()
	return true
}

// begin begins what a session does once its client is ready for notifications. It is called with
// p.mu held.
func (p *peer) begin() {
	p.watch()
	if every := p.s.opts.KeepAlive; every > 0 && !p.ended {
		go p.ping(every)
	}
}

// hook runs the notification c behind earlier ones, on one goroutine for them all. If too many
// wait, it returns false.
func (p *peer) hook(c *servedCall) bool {
	p.retain(c.term) // the message must outlive its turn
	ok, first := p.addHook(c)
	if first { // not under the lock: the Logger may write to this client
		p.s.opts.Logger.Warn("mcp: a notification was dropped, because its handler is slow")
	}
	return ok
}

// addHook puts c in line for its handler. If there is no room, it returns false, and whether c is
// the first that is dropped.
func (p *peer) addHook(c *servedCall) (ok, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return false, false
	case len(p.hooks) >= maxHooks:
		p.dropped++
		return false, p.dropped == 1
	}
	p.hooks = append(p.hooks, c)
	if !p.hooking {
		p.hooking = true
		p.running.Add(1)
		go p.runHooks()
	}
	return true, false
}

// runHooks runs the notifications that wait. A handler that ends its goroutine ends only itself.
func (p *peer) runHooks() {
	returned := false
	defer func() {
		if !returned {
			go p.runHooks()
		}
	}()
	for c := p.nextHook(); c != nil; c = p.nextHook() {
		c.call.Run(p.base, c)
		c.term = noTerm
		c.drop()
	}
	returned = true
	p.running.Done()
}

// nextHook takes the notification that has waited longest, or notes that none waits and returns
// nil.
func (p *peer) nextHook() *servedCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hooks) == 0 || p.ended {
		p.hooks, p.hooking = nil, false
		return nil
	}
	c := p.hooks[0]
	p.hooks = p.hooks[1:]
	return c
}
