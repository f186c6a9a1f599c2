package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/sse"
)

// An SSEClientTransport is a [Transport] for clients over HTTP+SSE of 2024-11-05.
type SSEClientTransport struct {
	Endpoint   string       // the URL of the event stream
	HTTPClient *http.Client // default http.DefaultClient

	// MaxEventSize is as in [StreamableClientTransport].
	MaxEventSize int
}

// Connect implements [Transport]. It opens the stream and waits for the URL of messages, which must
// have the origin of Endpoint.
func (t *SSEClientTransport) Connect(ctx context.Context) (Connection, error) {
	c := &sseConn{webConn: newWebConn(t.HTTPClient, t.MaxEventSize)}
	if err := c.connect(ctx, t.Endpoint); err != nil {
		c.stop(err)
		return nil, err
	}
	return c, nil
}

// An sseConn is the connection of a client over HTTP+SSE.
type sseConn struct {
	webConn
	messages string // the URL of messages
}

func (c *sseConn) connect(ctx context.Context, endpoint string) error {
	base, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, endpoint, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	until := context.AfterFunc(ctx, func() { c.stop(ctx.Err()) })
	defer until()
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		_ = res.Body.Close()
		return &refusedError{res.StatusCode, res.Status}
	}
	found := make(chan error, 1)
	go c.readStream(res, base, found)
	return <-found
}

// readStream reads the stream to its end, which is that of the connection. Found gets the outcome
// of the first event.
func (c *sseConn) readStream(res *http.Response, base *url.URL, found chan<- error) {
	defer res.Body.Close()
	first := true
	err := events(res.Body, &sse.Decoder{MaxEventSize: c.limit}, func(e *sse.Event) error {
		if first {
			first = false
			err := c.setMessages(base, e)
			found <- err
			return err
		}
		if e.Type != "" && e.Type != "message" {
			return nil
		}
		return c.deliver(c.ctx, e.Data)
	})
	if first {
		found <- fmt.Errorf("mcp: no endpoint: %w", err)
	}
	c.stop(err)
}

// setMessages sets the URL of messages from the first event.
func (c *sseConn) setMessages(base *url.URL, e *sse.Event) error {
	if e.Type != "endpoint" {
		return fmt.Errorf("mcp: the first event is %q, not the endpoint", e.Type)
	}
	u, err := base.Parse(string(e.Data))
	if err != nil {
		return err
	}
	if u.Scheme != base.Scheme || u.Host != base.Host {
		return errors.New("mcp: the endpoint has another origin")
	}
	c.messages = u.String()
	return nil
}

// Write implements [Connection].
func (c *sseConn) Write(ctx context.Context, m jsonrpc.Message) error {
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.messages, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &refusedError{res.StatusCode, res.Status}
	}
	return nil
}

// SessionID implements [Connection].
func (c *sseConn) SessionID() string { return "" }

// Close implements [Connection].
func (c *sseConn) Close() error {
	c.stop(io.EOF)
	return nil
}
