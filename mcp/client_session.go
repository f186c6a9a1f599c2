package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A ClientSession is the connection of a [Client] to one server. Its methods may be called from any
// goroutine. The errors of its requests are the *[jsonrpc.Error] of an error response, the error of
// the context, or wrap [ErrConnectionClosed].
type ClientSession struct {
	client *Client
	conn   Connection
	ctx    context.Context // ends with the session
	stop   context.CancelFunc
	result *InitializeResult // set by Connect
	rev    *revision         // likewise
	asked  chan struct{}     // has a place for each question that is answered

	mu       sync.Mutex // guards the rest
	next     int64
	calls    map[jsonrpc.ID]chan *jsonrpc.Response
	acks     map[string]chan struct{} // subscriptions that are not acknowledged yet, by id
	watched  map[string]context.CancelFunc
	headers  map[string][]headerParam // of tools that were listed
	notes    []*jsonrpc.Request       // notifications that wait for their handlers
	noting   bool                     // a goroutine runs them
	dropped  int                      // those that found too many waiting
	err      error                    // why the session has ended
	finished chan struct{}            // closed at the end
}

const (
	// maxAsked is how many questions of a server a client answers at a time.
	maxAsked = 32

	// maxNotes is how many notifications may wait for their handlers. More are dropped.
	maxNotes = 4096

	// cancelGrace is how long a client tries to tell the server that a request is cancelled.
	cancelGrace = 5 * time.Second
)

func newClientSession(c *Client, conn Connection) *ClientSession {
	cs := &ClientSession{
		client:   c,
		conn:     conn,
		asked:    make(chan struct{}, maxAsked),
		calls:    make(map[jsonrpc.ID]chan *jsonrpc.Response),
		acks:     make(map[string]chan struct{}),
		watched:  make(map[string]context.CancelFunc),
		headers:  make(map[string][]headerParam),
		finished: make(chan struct{}),
	}
	cs.ctx, cs.stop = context.WithCancel(context.Background())
	go cs.read()
	return cs
}

// ID returns the ID of the session, or "" if there is none.
func (cs *ClientSession) ID() string { return cs.conn.SessionID() }

func (*ClientSession) isSession() {}

// InitializeResult returns what the server has said of itself, in the form of the revisions with
// sessions.
func (cs *ClientSession) InitializeResult() *InitializeResult { return cs.result }

// modern reports whether the session is at a revision without sessions.
func (cs *ClientSession) modern() bool { return cs.rev != nil && cs.rev.requestMeta }

// Close ends the session. Requests in flight fail.
func (cs *ClientSession) Close() error {
	cs.end(ErrConnectionClosed)
	return cs.conn.Close()
}

// Wait waits for the end of the session, and returns why the connection has failed, or nil if
// either side has closed it.
func (cs *ClientSession) Wait() error {
	<-cs.finished
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.err == io.EOF || cs.err == ErrConnectionClosed {
		return nil
	}
	return cs.err
}

// end ends the session because of err. The first error counts.
func (cs *ClientSession) end(err error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.err != nil {
		return
	}
	cs.err = err
	cs.stop()
	close(cs.finished)
	go cs.client.remove(cs)
}

// read reads messages until the connection ends.
func (cs *ClientSession) read() {
	for {
		m, err := cs.conn.Read(cs.ctx)
		if err != nil {
			if cs.ctx.Err() == nil {
				cs.end(err)
				_ = cs.conn.Close() // the reason is known
			}
			return
		}
		switch m := m.(type) {
		case *jsonrpc.Response:
			cs.mu.Lock()
			ch := cs.calls[m.ID]
			delete(cs.calls, m.ID)
			cs.mu.Unlock()
			if ch != nil {
				ch <- m
			}
		case *jsonrpc.Request:
			if m.IsCall() {
				cs.takeQuestion(m)
			} else {
				cs.takeNotification(m)
			}
		}
	}
}

// roundTrip sends a request and returns the JSON of its result.
func (cs *ClientSession) roundTrip(ctx context.Context, method string, params []byte) ([]byte, error) {
	id, ch, err := cs.begin()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return cs.await(ctx, id, ch, method, params)
}

// begin reserves an id.
func (cs *ClientSession) begin() (jsonrpc.ID, chan *jsonrpc.Response, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.err != nil {
		return jsonrpc.ID{}, nil, ErrConnectionClosed
	}
	cs.next++
	id, err := jsonrpc.MakeID(cs.next)
	ch := make(chan *jsonrpc.Response, 1)
	cs.calls[id] = ch
	return id, ch, err
}

// await sends a request under an id of begin, and waits for its response.
func (cs *ClientSession) await(ctx context.Context, id jsonrpc.ID, ch chan *jsonrpc.Response, method string, params []byte) ([]byte, error) {
	err := cs.conn.Write(ctx, &jsonrpc.Request{ID: id, Method: method, Params: params})
	if err == nil {
		select {
		case res := <-ch:
			if res.Error != nil {
				return nil, res.Error
			}
			return res.Result, nil
		case <-cs.finished:
			err = ErrConnectionClosed
			if cause := cs.Wait(); cause != nil {
				err = errors.Join(ErrConnectionClosed, cause)
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	cs.mu.Lock()
	_, pending := cs.calls[id]
	delete(cs.calls, id)
	cs.mu.Unlock()
	if ctx.Err() != nil && pending && method != MethodInitialize.String() {
		cs.cancel(id, ctx.Err())
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%s: %w", method, err)
}

// cancel tells the server, in the background, that nobody waits for a response any more.
func (cs *ClientSession) cancel(id jsonrpc.ID, reason error) {
	params, err := marshal(&CancelledParams{RequestID: id.Raw(), Reason: reason.Error()})
	if err != nil {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(cs.ctx, cancelGrace)
		defer cancel()
		_ = cs.conn.Write(ctx, &jsonrpc.Request{Method: MethodNotifyCancelled.String(), Params: params})
	}()
}

// notify sends a notification.
func (cs *ClientSession) notify(ctx context.Context, method string, params []byte) error {
	if cs.ctx.Err() != nil {
		return fmt.Errorf("%s: %w", method, ErrConnectionClosed)
	}
	return cs.conn.Write(ctx, &jsonrpc.Request{Method: method, Params: params})
}
