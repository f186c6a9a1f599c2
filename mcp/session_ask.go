package mcp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A question is a request to the client that has no answer yet.
type question struct {
	call   *servedCall // that asked and has returned, with key; nil if somebody waits
	key    string
	answer chan reply // has room for one
}

// A reply is a client's answer, or why there is none.
type reply struct {
	result []byte
	err    error
}

func (q *question) fail(err error) {
	if q.call == nil {
		q.answer <- reply{err: err}
	}
}

var (
	errManyAsks = errors.New("mcp: too many requests wait for the client's answer")
	errNoPong   = errors.New("mcp: the client does not answer pings")
	errNoAsking = errors.New("mcp: the client has no session and cannot be asked")
)

// An askError says why a request to the client has no answer. A refusal of the client is not one
// for the request that is being served, so that it is not passed on as an error response.
type askError struct {
	method string
	err    error
}

func (e *askError) Error() string { return fmt.Sprintf("mcp: calling %q: %v", e.method, e.err) }

func (e *askError) Unwrap() error { return e.err }

func isAskError(err error) bool { return errors.As(err, new(*askError)) }

// newQuestion gives q an id. It is called with p.mu held.
func (p *peer) newQuestion(q *question) (id int64) {
	if p.asks == nil {
		p.asks = make(map[int64]*question)
	}
	p.nextAsk++
	p.asks[p.nextAsk] = q
	return p.nextAsk
}

// request sends a request to the client and waits for its answer, which is JSON. If ctx ends
// first, it sends a cancellation. It may be called from any goroutine.
func (p *peer) request(ctx context.Context, method string, params []byte) ([]byte, error) {
	return p.requestAmong(ctx, maxAsks, method, params)
}

// requestAmong is like request, and fails if as many requests as limit wait for their answers.
func (p *peer) requestAmong(ctx context.Context, limit int, method string, params []byte) ([]byte, error) {
	q := &question{answer: make(chan reply, 1)}
	p.mu.Lock()
	var err error
	switch {
	case p.ended:
		err = ErrConnectionClosed
	case p.info == nil:
		err = errNoAsking
	case len(p.asks) >= limit:
		err = errManyAsks
	}
	if err != nil {
		p.mu.Unlock()
		return nil, &askError{method, err}
	}
	id := p.newQuestion(q)
	p.letPass()
	p.mu.Unlock()
	p.handOver()
	text := strconv.AppendInt(nil, id, 10)
	p.out.put(jsonrpc.AppendRequest(nil, text, method, params))
	p.out.flush()
	select {
	case a := <-q.answer:
		if a.err != nil {
			return nil, &askError{method, a.err}
		}
		return a.result, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	delete(p.asks, id)
	ended := p.ended
	p.mu.Unlock()
	if ended {
		return nil, ctx.Err()
	}
	cancel := append(append([]byte(`{"requestId":`), text...), `,"reason":`...)
	cancel = append(jsonrpc.AppendString(cancel, ctx.Err().Error()), '}')
	p.out.put(jsonrpc.AppendNotification(nil, MethodNotifyCancelled.String(), cancel))
	p.out.flush()
	return nil, ctx.Err()
}

// answered takes a response of the client, as the leader. An answer to no question is ignored.
func (p *peer) answered(m *jsonrpc.Envelope) {
	id, ok := jsonrpc.IntValue(m.ID)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.asks[id]
	if q == nil {
		return
	}
	delete(p.asks, id)
	if q.call == nil {
		var a reply
		if e := m.ErrorObject(); e != nil {
			a.err = e
		} else {
			a.result = append(a.result, m.Result...)
		}
		q.answer <- a
		return
	}
	c := q.call
	c.responses = AppendAskAnswer(c.responses, q.key, m)
	if c.waiting--; c.waiting == 0 && !c.running && !p.ended {
		c.running = true
		if c.upstream != nil {
			go c.resumeForward()
			return
		}
		p.running.Add(1)
		c.term = noTerm
		go c.run(true)
	}
}

// forgetQuestions drops the questions of c.
func (p *peer) forgetQuestions(c *servedCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, q := range p.asks {
		if q.call == c {
			delete(p.asks, id)
		}
	}
}

// Request implements Requester.
func (c *servedCall) Request(asks []Ask) bool {
	p := c.p
	p.mu.Lock()
	if p.ended || c.silent || len(p.asks)+len(asks) > maxAsks {
		p.mu.Unlock()
		return false
	}
	c.waiting, c.responses = len(asks), []byte{'{'}
	for i := range asks {
		id := p.newQuestion(&question{call: c, key: asks[i].Key})
		p.out.put(AppendAsk(nil, strconv.AppendInt(nil, id, 10), &asks[i]))
	}
	if c.upstream != nil {
		c.running = false // the last that is done to c
	}
	p.mu.Unlock()
	p.out.flush()
	return true
}

// ping pings the client until the session ends, and ends it if too many pings in a row fail.
func (p *peer) ping(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failed := 0
	for {
		select {
		case <-p.base.Done():
			return
		case <-tick.C:
		}
		ctx, stop := context.WithTimeout(p.base, every/2)
		// There is always room for it: a client that has not answered other requests may be alive.
		_, err := p.requestAmong(ctx, maxAsks+1, MethodPing.String(), nil)
		stop()
		var e *jsonrpc.Error
		switch {
		case err == nil:
			failed = 0
			continue
		case errors.As(err, &e) && e.Code == jsonrpc.CodeMethodNotFound:
			return // the client does not have pings
		}
		if failed++; failed >= max(p.s.opts.KeepAliveFailureThreshold, 1) {
			p.s.opts.Logger.Error("mcp: the client does not answer pings; its session ends", "error", err, "failures", failed)
			p.end(errNoPong)
			return
		}
		p.s.opts.Logger.Warn("mcp: the client has not answered a ping", "error", err, "failures", failed)
	}
}
