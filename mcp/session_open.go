package mcp

import (
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// This file is what a connection does for initialize.

// serveInitialize opens the session.
func (c *servedCall) serveInitialize() {
	if c.batch != nil {
		c.refuse(errInBatch)
		c.drop()
		return
	}
	if !c.call.Inline() {
		p, term := c.p, c.term
		answered := p.holdBack()
		c.start()
		p.waitOpening(term, answered)
		return
	}
	if e := c.p.open(c.call.NewSession(), c.msg.Params); e != nil {
		c.refuse(e)
		c.drop()
		return
	}
	c.runNow()
}

// openingPatience is how long the messages behind an initialize wait for its middleware.
const openingPatience = time.Second

// holdBack says that an initialize is about to run on a goroutine of its own. The result is closed
// when its session is there or refused.
func (p *peer) holdBack() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening = make(chan struct{})
	return p.opening
}

// letPass ends what holdBack has begun. It is called with p.mu held.
func (p *peer) letPass() {
	if p.opening != nil {
		close(p.opening)
		p.opening = nil
	}
}

// waitOpening makes the leader of the term wait for an initialize, because a client may send what
// belongs to the session without waiting for the answer. It goes on without if the initialize takes
// long or itself waits for a message.
func (p *peer) waitOpening(term int, answered <-chan struct{}) {
	if !p.write(term) {
		return
	}
	patience := time.NewTimer(openingPatience)
	defer patience.Stop()
	select {
	case <-answered:
	case <-p.base.Done():
	case <-patience.C:
	}
}

// maxKeptParams is the length of the longest params of initialize that are kept.
const maxKeptParams = 64 << 10

// open opens the session that an initialize with the params asks for.
func (p *peer) open(info *SessionInfo, params []byte) *jsonrpc.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info != nil {
		return errInitialized
	}
	own := *info
	own.LogLevel = p.level
	p.info, p.rev = &own, legacyNamed([]byte(info.Revision))
	if len(params) <= maxKeptParams {
		p.params = append([]byte(nil), params...)
	}
	return nil
}

// unopen takes back the session of an initialize that was refused nevertheless.
func (p *peer) unopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info, p.rev, p.params, p.opened = nil, nil, nil, nil
}
