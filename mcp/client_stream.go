package mcp

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/sse"
)

// errAnswered ends the reading of a stream whose request is answered.
var errAnswered = errors.New("answered")

// events calls each for the events of a stream until it ends, each returns an error, or the
// stream is not valid. The end of the stream is io.EOF or the error of its connection.
func events(r io.Reader, d *sse.Decoder, each func(*sse.Event) error) error {
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Read(buf)
		for e, invalid := range d.Decode(buf[:n]) {
			if invalid != nil {
				return invalid
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// follow reads the stream that answers a request. If it breaks off before the response, and has
// event ids, it is taken up again.
func (c *httpConn) follow(life context.Context, res *http.Response, id jsonrpc.ID) {
	defer c.done(id.String())
	d := &sse.Decoder{MaxEventSize: c.limit}
	err := c.readStream(life, res, d, id)
	for tries := 0; tries < c.retries && err != errAnswered && life.Err() == nil && d.LastEventID() != ""; {
		before := d.LastEventID()
		if err = c.resume(life, d, id); d.LastEventID() == before {
			tries++
		} else {
			tries = 0
		}
	}
	if err != errAnswered {
		c.fail(life, id, err)
	}
}

// readStream delivers the messages of a stream, until the response with the id, which may be zero.
func (c *httpConn) readStream(ctx context.Context, res *http.Response, d *sse.Decoder, id jsonrpc.ID) error {
	defer res.Body.Close()
	return events(res.Body, d, func(e *sse.Event) error {
		if len(e.Data) == 0 || e.Type != "" && e.Type != "message" {
			return nil
		}
		if err := c.deliver(ctx, e.Data); err != nil {
			return err
		}
		var m jsonrpc.Envelope
		if id.IsValid() && m.Decode(e.Data) == nil && string(m.ID) == id.String() && m.Method == nil {
			return errAnswered
		}
		return nil
	})
}

// resume asks for the rest of a stream.
func (c *httpConn) resume(ctx context.Context, d *sse.Decoder, id jsonrpc.ID) error {
	wait := retryWait
	if t, ok := d.ReconnectionTime(); ok {
		wait = min(t, time.Minute)
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	d.Reset()
	res, err := c.get(ctx, d.LastEventID())
	if err != nil {
		return err
	}
	return c.readStream(ctx, res, d, id)
}

// get opens a stream of the session.
func (c *httpConn) get(ctx context.Context, last string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	c.address(ctx, req.Header, nil)
	res, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		_ = res.Body.Close()
		return nil, &refusedError{res.StatusCode, res.Status}
	}
	return res, nil
}

// stand keeps the stream of the session for messages that belong to no request.
func (c *httpConn) stand() {
	d := &sse.Decoder{MaxEventSize: c.limit}
	for tries := 0; tries <= max(c.retries, 0) && c.ctx.Err() == nil; tries++ {
		res, err := c.get(c.ctx, d.LastEventID())
		var refused *refusedError
		if errors.As(err, &refused) && refused.status < 500 {
			return // the server has no such stream, or no such session
		}
		if err == nil {
			tries = 0
			if errors.Is(c.readStream(c.ctx, res, d, jsonrpc.ID{}), sse.ErrTooLarge) {
				return
			}
		}
		wait := retryWait
		if t, ok := d.ReconnectionTime(); ok {
			wait = min(t, time.Minute)
		}
		d.Reset()
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
		}
	}
}
