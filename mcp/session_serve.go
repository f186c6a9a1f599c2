package mcp

import (
	"context"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A servedCall is one message of a connection, from its bytes to its response. It is the Sink of
// its call.
type servedCall struct {
	p     *peer
	call  Call
	msg   jsonrpc.Envelope
	meta  RequestMeta
	batch *servedBatch // that it is a member of; nil for none
	ctx   context.Context
	stop  context.CancelCauseFunc
	term  int // of the leader whose goroutine runs it; noTerm for a goroutine of its own

	opened bool // it has opened the session

	// The peer's lock guards the rest.
	key       string   // under which it is in flight; "" if it is not
	running   bool     // a goroutine runs it
	silent    bool     // it was cancelled: nothing is sent any more
	upstream  *Forward // that answers it; nil if a handler does
	waiting   int      // questions without an answer
	responses []byte   // the answers so far: members of a JSON object
}

const noTerm = -1

var servedCalls = sync.Pool{New: func() any { return new(servedCall) }}

// release gives c back, whose call has ended.
func (c *servedCall) release() {
	if c.stop != nil {
		c.stop(context.Canceled)
	}
	c.call.Reset()
	c.p, c.msg, c.meta, c.batch, c.ctx, c.stop = nil, jsonrpc.Envelope{}, RequestMeta{}, nil, nil, nil
	c.opened = false
	c.key, c.running, c.silent, c.waiting, c.responses = "", false, false, 0, nil
	c.upstream = nil
	servedCalls.Put(c)
}

// handle handles a text as the leader of the term.
func (p *peer) handle(term int, text []byte) {
	if jsonrpc.IsBatch(text) {
		p.handleBatch(term, text)
		return
	}
	c := servedCalls.Get().(*servedCall)
	c.p = p
	if err := c.msg.Decode(text); err != nil {
		p.refuse(c.msg.ID, err.(*jsonrpc.Error))
		c.release()
		return
	}
	c.serve(term)
}

// serve handles the message that c has decoded.
func (c *servedCall) serve(term int) {
	p := c.p
	c.term = term
	p.join(c)
	if e := c.prepare(); e != nil {
		if c.msg.Kind == jsonrpc.KindRequest {
			c.refuse(e)
		}
		c.drop() // a response in a session that has none is ignored
		return
	}
	c.call.peer = p
	switch c.call.Kind() {
	case CallNotification:
		p.notified(c)
	case CallAnswer:
		p.answered(&c.msg)
		c.drop()
	case CallForward:
		c.forward()
	case CallListen:
		if !c.call.Inline() {
			c.start()
			return
		}
		c.serveListen()
	case CallInitialize:
		c.serveInitialize()
	case CallSession:
		if !c.call.Inline() {
			c.start()
			return
		}
		if e := p.apply(c.call.Op()); e != nil {
			c.refuse(e)
			c.drop()
			return
		}
		c.runNow()
	default:
		if c.call.Inline() {
			c.runNow()
			return
		}
		c.start()
	}
}

// prepare readies the call. A Visible that waits keeps no other message waiting.
func (c *servedCall) prepare() *jsonrpc.Error {
	o := &c.p.s.opts
	if o.Visible == nil || o.VisibleInline {
		return c.p.s.Prepare(&c.call, &c.msg, &c.meta)
	}
	c.p.beginBusy(c.term)
	defer c.p.endBusy(c.term)
	return c.p.s.Prepare(&c.call, &c.msg, &c.meta)
}

// join tells c what the session of its peer says.
func (p *peer) join(c *servedCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.meta.Session, c.meta.SessionID, c.meta.Context = p.info, p.session.id, p.base
	// "The client SHOULD NOT send requests other than pings before the server has responded to the
	// initialize request" (basic/lifecycle of 2025-11-25).
	if p.info == nil && string(c.msg.Method) == "ping" {
		c.meta.Session = new(SessionInfo)
	}
}

// runNow runs a call that does not wait, on the goroutine that reads.
func (c *servedCall) runNow() {
	if c.p.inFlight(c.call.ID()) {
		c.refuse(errInFlight)
		c.drop()
		return
	}
	c.p.beginBusy(c.term)
	c.call.Run(context.Background(), c)
	c.p.endBusy(c.term)
	c.drop()
}

// apply does what a CallSession asks of its session.
func (p *peer) apply(op SessionOp) *jsonrpc.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch op.Kind {
	case OpSetLevel:
		p.level = op.Level
		if p.info == nil {
			break // the session was taken back meanwhile
		}
		info := *p.info // calls in flight have the old one
		info.LogLevel = op.Level
		p.info = &info
	case OpSubscribe:
		return p.subscribe(op.URI)
	case OpUnsubscribe:
		p.unsubscribe(op.URI)
	}
	return nil
}

// start runs a call on a goroutine of its own, or on that of the leader if its tool is quick.
func (c *servedCall) start() {
	p := c.p
	c.ctx, c.stop = context.WithCancelCause(p.base)
	c.running = true
	if e := p.enter(c); e != nil {
		c.refuse(e)
		c.drop()
		return
	}
	p.retain(c.term) // the handler may keep its arguments
	if c.batch == nil && p.beginQuick(c.term, c.call.tool) {
		c.run(false)
		return
	}
	c.term = noTerm
	go c.run(false)
}

// enter puts c among the calls in flight and counts its goroutine.
func (p *peer) enter(c *servedCall) *jsonrpc.Error {
	key := idKey(c.call.ID())
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
	c.key = key
	p.calls[key] = c
	p.running.Add(1)
	return nil
}

// taken reports whether a request with the key is in flight. It is called with p.mu held.
func (p *peer) taken(key string) bool {
	if _, ok := p.calls[key]; ok {
		return true
	}
	_, ok := p.listens[key]
	return ok
}

// inFlight reports whether a request with the id is in flight.
func (p *peer) inFlight(id []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)+len(p.listens) > 0 && p.taken(idKey(id))
}

// idKey returns the key of a request with the id, which is valid. Ids that are equal have the same
// key.
func idKey(id []byte) string {
	for _, b := range id {
		if b == '\\' {
			s, _ := jsonrpc.StringValue(id)
			return string(jsonrpc.AppendString(nil, s))
		}
	}
	return string(id)
}

// run runs the handler of c, and again whenever its questions are answered.
func (c *servedCall) run(resume bool) {
	p := c.p
	defer p.running.Done()
	term, tool, began := c.term, c.call.tool, time.Now()
	returned := false
	defer func() {
		p.endCall(term, tool, time.Since(began))
		if !returned {
			c.drop() // the handler has ended its goroutine, and Run has answered
		}
	}()
	for {
		if resume {
			responses := append(c.responses, '}')
			c.responses = nil
			c.call.Resume(c.ctx, c, responses)
		} else {
			c.call.Run(c.ctx, c)
		}
		if !c.call.Asking() {
			returned = true
			c.drop()
			return
		}
		if term != noTerm {
			p.retain(term)
		}
		if resume = p.park(c); !resume {
			returned = true
			return
		}
	}
}

// park lets a call that has asked its client wait without a goroutine. It reports whether all its
// questions are answered already.
func (p *peer) park(c *servedCall) bool {
	p.mu.Lock()
	if c.waiting == 0 && !c.silent {
		p.mu.Unlock()
		return true
	}
	gone := c.silent || p.ended
	c.running = gone
	p.mu.Unlock()
	if gone {
		c.abandon("the request has ended")
	}
	return false
}

// abandon answers a parked call whose questions get no answer.
func (c *servedCall) abandon(reason string) {
	c.p.forgetQuestions(c)
	if c.upstream != nil {
		c.call.Abandon(c, reason) // which gives c back
		return
	}
	c.call.Abandon(c, reason)
	c.drop()
}

// leave takes c from the calls in flight, and reports whether its response is to be sent.
func (c *servedCall) leave() bool {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.key != "" && p.calls[c.key] == c {
		delete(p.calls, c.key)
	}
	c.key = ""
	return !c.silent
}

// drop gives c back after its end.
func (c *servedCall) drop() {
	if b := c.batch; b != nil {
		b.leave(c.p, c.term)
	}
	if c.call.Kind() == CallInitialize {
		c.p.mu.Lock()
		c.p.letPass()
		c.p.mu.Unlock()
	}
	c.release()
}

// cancel ends the request with the id because its client has cancelled it: its context ends, and
// nothing is sent for it any more.
func (p *peer) cancel(id []byte) {
	p.mu.Lock()
	key := idKey(id)
	if l := p.listens[key]; l != nil {
		p.unlisten(key)
		p.mu.Unlock()
		return
	}
	c := p.calls[key]
	if c == nil || c.call.Kind() == CallInitialize { // "The initialize request MUST NOT be cancelled"
		p.mu.Unlock()
		return
	}
	delete(p.calls, key)
	c.silent = true
	parked := !c.running
	c.running = true
	stop := c.stopFor()
	p.mu.Unlock()
	stop(errCancelled)
	if parked {
		c.abandon("the request was cancelled")
	}
}
