package mcptest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// RoundTripper returns a client's side of s over Streamable HTTP, without sockets: an http.Client
// with this Transport reaches s at every URL. Everything of a [server.StreamableHTTPHandler] with
// opts is there: sessions, streams and limits. Only the protection of localhost is turned off. Nil
// opts are the defaults. When the test ends, the handler is shut down.
func RoundTripper(t testing.TB, s *mcp.Server, opts *server.StreamableHTTPOptions) http.RoundTripper {
	var o server.StreamableHTTPOptions
	if opts != nil {
		o = *opts
	}
	o.DisableLocalhostProtection = true
	h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("mcptest: shutting the handler down: %v", err)
		}
	})
	return HandlerTransport(h)
}

// patience is how long calls may still take when a test ends.
const patience = 5 * time.Second

// HandlerTransport returns an http.RoundTripper that gives requests to h, without sockets, so that
// a test sees a mux and its middleware as a client does. Each request has a goroutine. A response
// arrives as h writes it, and h waits when 64 KiB are unread. The request's context ends for h when
// it ends for the client, or when the client closes the response's body.
func HandlerTransport(h http.Handler) http.RoundTripper { return handlerTransport{h} }

type handlerTransport struct{ h http.Handler }

// RoundTrip implements http.RoundTripper.
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL == nil {
		return nil, errors.New("mcptest: a request without a URL")
	}
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RemoteAddr = "192.0.2.1:1234" // as httptest.NewRequest
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Header == nil {
		in.Header = http.Header{}
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := newResponse(ctx, cancel, r)
	go func() {
		defer func() {
			_ = in.Body.Close()
			var failure error
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				failure = errors.New("mcptest: the handler cut the response")
			default:
				failure = fmt.Errorf("mcptest: the handler panicked: %v", v)
			}
			w.finish(failure)
		}()
		t.h.ServeHTTP(w, in)
	}()
	select {
	case <-w.started:
	case <-ctx.Done():
		// The handler may have begun at the same moment; the client does not wait either way.
		return nil, context.Cause(ctx)
	}
	return w.response()
}
