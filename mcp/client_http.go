package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A StreamableClientTransport is a [Transport] for clients over Streamable HTTP.
type StreamableClientTransport struct {
	Endpoint   string       // the URL of the MCP endpoint
	HTTPClient *http.Client // default http.DefaultClient

	// MaxRetries is how often a stream that broke off is taken up again before its request fails.
	// Default 5; negative means never.
	MaxRetries int

	// DisableStandaloneSSE leaves out the stream of a session for messages that belong to no
	// request.
	DisableStandaloneSSE bool

	// MaxEventSize is the maximum length in bytes of a message of the server. Default
	// [DefaultMaxEventSize]; negative means no limit.
	MaxEventSize int
}

// DefaultMaxEventSize is the default maximum length of a server's message in bytes.
const DefaultMaxEventSize = 16 << 20

// ErrSessionMissing is in the error of a request in a session that the server does not know any
// more.
var ErrSessionMissing = errors.New("mcp: the server does not know the session")

// A refusedError is an HTTP status in place of a response.
type refusedError struct {
	status int
	reason string
}

func (e *refusedError) Error() string { return fmt.Sprintf("mcp: the server answered %s", e.reason) }

// Connect implements [Transport]. It sends nothing.
func (t *StreamableClientTransport) Connect(context.Context) (Connection, error) {
	c := &httpConn{webConn: newWebConn(t.HTTPClient, t.MaxEventSize), endpoint: t.Endpoint, standalone: !t.DisableStandaloneSSE}
	if c.retries = t.MaxRetries; c.retries == 0 {
		c.retries = 5
	}
	c.open = make(map[string]context.CancelFunc)
	return c, nil
}

// A webConn is what the connections of clients over HTTP have in common.
type webConn struct {
	client *http.Client
	limit  int
	ctx    context.Context // ends with the connection
	stop   context.CancelCauseFunc
	in     chan jsonrpc.Message
}

func newWebConn(client *http.Client, limit int) webConn {
	w := webConn{client: client, limit: limit, in: make(chan jsonrpc.Message)}
	if w.client == nil {
		w.client = http.DefaultClient
	}
	if w.limit == 0 {
		w.limit = DefaultMaxEventSize
	}
	w.ctx, w.stop = context.WithCancelCause(context.Background())
	return w
}

// Read implements [Connection].
func (w *webConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m := <-w.in:
		return m, nil
	case <-w.ctx.Done():
		return nil, context.Cause(w.ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// deliver decodes a message, or a batch of messages, for Read.
func (w *webConn) deliver(ctx context.Context, text []byte) error {
	if jsonrpc.IsBatch(text) {
		batch, err := jsonrpc.DecodeBatch(text)
		if err != nil {
			return err
		}
		var m jsonrpc.Envelope
		for err := range batch.Messages(&m) {
			if err != nil {
				return err
			}
		}
		for element := range jsonrpc.Elements(text) {
			if err := w.deliver(ctx, element); err != nil {
				return err
			}
		}
		return nil
	}
	m, err := jsonrpc.DecodeMessage(text)
	if err != nil {
		return err
	}
	return w.pass(ctx, m)
}

// pass gives m to Read.
func (w *webConn) pass(ctx context.Context, m jsonrpc.Message) error {
	select {
	case w.in <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
}

// read reads a body of at most the limit.
func (w *webConn) read(r io.Reader) ([]byte, error) {
	if w.limit < 0 {
		return io.ReadAll(r)
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(w.limit)+1))
	if err == nil && len(text) > w.limit {
		err = fmt.Errorf("mcp: a response of more than %d bytes", w.limit)
	}
	return text, err
}

// An httpConn is the connection of a client over Streamable HTTP: a POST for each message.
type httpConn struct {
	webConn
	endpoint   string
	retries    int
	standalone bool

	mu      sync.Mutex // guards the rest
	session string
	rev     *revision                     // as agreed, nil before
	open    map[string]context.CancelFunc // ends the exchange of a request, by id
}

// SessionID implements [Connection].
func (c *httpConn) SessionID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// agreed implements versionedConn.
func (c *httpConn) agreed(_ context.Context, rev *revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rev = rev
}

// Write implements [Connection]. It returns when the response has arrived or, if that is a stream,
// its head. Ctx ends the exchange until then.
func (c *httpConn) Write(ctx context.Context, m jsonrpc.Message) error {
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	life, cancel := context.WithCancel(c.ctx)
	until := context.AfterFunc(ctx, cancel)
	req, err := http.NewRequestWithContext(life, http.MethodPost, c.endpoint, bytes.NewReader(text))
	if err != nil {
		cancel()
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	call, _ := m.(*jsonrpc.Request)
	if call != nil && call.Method == MethodNotifyCancelled.String() && c.abandon(call.Params) {
		cancel()
		return nil // the end of the exchange says it all
	}
	c.address(ctx, req.Header, call)
	var id jsonrpc.ID
	if call != nil && call.IsCall() {
		id = call.ID
		c.mu.Lock()
		c.open[id.String()] = cancel
		c.mu.Unlock()
	}
	res, err := c.client.Do(req)
	if err == nil {
		c.learnSession(call, res)
		err = c.take(life, res, id)
	}
	if until(); ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		c.closed(id, cancel)
		return err
	}
	if id.IsValid() {
		return nil
	}
	cancel()
	switch {
	case call == nil:
	case call.Method == MethodNotifyCancelled.String():
		c.done(string(member(call.Params, "requestId")))
	case call.Method == "notifications/initialized" && c.standalone:
		go c.stand()
	}
	return nil
}

// learnSession notes the ID of the session that an initialize has opened.
func (c *httpConn) learnSession(call *jsonrpc.Request, res *http.Response) {
	if s := res.Header.Get("Mcp-Session-Id"); s != "" && call != nil && call.Method == MethodInitialize.String() {
		c.mu.Lock()
		c.session = s
		c.mu.Unlock()
	}
}

// address sets the header fields that say where a message belongs.
func (c *httpConn) address(ctx context.Context, h http.Header, call *jsonrpc.Request) {
	if call != nil && requestFields(h, call.Method, call.Params) {
		if params, ok := ctx.Value(paramHeadersKey{}).(http.Header); ok {
			for name, values := range params {
				h[name] = values
			}
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != "" {
		h.Set("Mcp-Session-Id", c.session)
	}
	if c.rev != nil {
		h.Set("MCP-Protocol-Version", c.rev.name)
	}
}

// abandon ends the exchange of the request that a cancellation names. It reports whether the server
// needs no message for that, as in revisions without sessions.
func (c *httpConn) abandon(params []byte) bool {
	id := member(params, "requestId")
	c.mu.Lock()
	defer c.mu.Unlock()
	cancel := c.open[string(id)]
	if c.rev == nil || !c.rev.requestMeta {
		return false
	}
	if cancel != nil {
		cancel()
	}
	return true
}

// closed ends the exchange of a request.
func (c *httpConn) closed(id jsonrpc.ID, cancel context.CancelFunc) {
	cancel()
	if id.IsValid() {
		c.mu.Lock()
		delete(c.open, id.String())
		c.mu.Unlock()
	}
}

// take takes the response to a message. Id is that of a request, or zero.
func (c *httpConn) take(life context.Context, res *http.Response, id jsonrpc.ID) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if id.IsValid() && res.StatusCode == http.StatusOK && kind == "text/event-stream" {
		go c.follow(life, res, id)
		return nil
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusAccepted {
		if !id.IsValid() {
			return nil
		}
		text, err := c.read(res.Body)
		if err != nil {
			return err
		}
		go func() {
			// The session reads while Write returns.
			if err := c.deliver(life, text); err != nil {
				c.fail(life, id, err)
			}
			c.done(id.String())
		}()
		return nil
	}
	text, _ := c.read(res.Body) // the status is what counts
	if id.IsValid() {
		var m jsonrpc.Envelope
		if m.Decode(text) == nil && m.Kind == jsonrpc.KindErrorResponse {
			wire := m.ErrorObject()
			go func() {
				_ = c.pass(life, &jsonrpc.Response{ID: id, Error: wire}) // fails at the end of the session only
				c.done(id.String())
			}()
			return nil
		}
	}
	err := error(&refusedError{res.StatusCode, res.Status})
	if res.StatusCode == http.StatusNotFound && c.SessionID() != "" {
		err = errors.Join(ErrSessionMissing, err)
	}
	return err
}

// done ends the exchange of a request that is answered.
func (c *httpConn) done(id string) {
	c.mu.Lock()
	cancel := c.open[id]
	delete(c.open, id)
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// fail answers a request in place of the server.
func (c *httpConn) fail(life context.Context, id jsonrpc.ID, err error) {
	e := &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the response did not arrive: " + err.Error()}
	_ = c.pass(life, &jsonrpc.Response{ID: id, Error: e}) // fails at the end of the session only
}

// Close implements [Connection]. It ends the session with a DELETE.
func (c *httpConn) Close() error {
	if c.ctx.Err() != nil {
		return nil
	}
	c.stop(io.EOF)
	c.mu.Lock()
	session, rev := c.session, c.rev
	c.mu.Unlock()
	if session == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.endpoint, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Mcp-Session-Id", session)
	if rev != nil {
		req.Header.Set("MCP-Protocol-Version", rev.name)
	}
	if res, err := c.client.Do(req); err == nil { // a server that does not answer has no session
		_ = res.Body.Close()
	}
	return nil
}

// retryWait is how long to wait before a stream is taken up again if the server does not say.
const retryWait = time.Second
