package mcptest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// maxUnread is how many bytes of a response wait for the client.
const maxUnread = 64 << 10

// A response is what a handler writes and a client reads: an http.ResponseWriter and the body of
// the http.Response.
type response struct {
	ctx     context.Context
	cancel  context.CancelFunc
	r       *http.Request
	header  http.Header
	started chan struct{} // closed once the status is known

	mu       sync.Mutex
	moved    sync.Cond // something below has changed
	status   int       // 0 until the handler begins
	sent     http.Header
	unread   []byte
	deadline time.Time // of writes
	timer    *time.Timer
	over     bool  // the handler has returned
	read     bool  // the client has read everything
	err      error // why it did not complete the response
}

func newResponse(ctx context.Context, cancel context.CancelFunc, r *http.Request) *response {
	w := &response{ctx: ctx, cancel: cancel, r: r, header: http.Header{}, started: make(chan struct{})}
	w.moved.L = &w.mu
	context.AfterFunc(ctx, w.wake)
	return w
}

// wake makes those that wait look again.
func (w *response) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved.Broadcast()
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(status)
}

// begin sets the status, once. Informational responses are dropped.
func (w *response) begin(status int) {
	if w.status != 0 || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	close(w.started)
}

// Write implements http.ResponseWriter. It waits while the client does not read.
func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 {
		if w.header.Get("Content-Type") == "" && len(p) > 0 {
			w.header.Set("Content-Type", http.DetectContentType(p))
		}
		w.begin(http.StatusOK)
	}
	if w.r.Method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return len(p), nil
	}
	n := 0
	for n < len(p) {
		switch {
		case w.ctx.Err() != nil:
			return n, context.Cause(w.ctx)
		case !w.deadline.IsZero() && !time.Now().Before(w.deadline):
			return n, os.ErrDeadlineExceeded
		case len(w.unread) >= maxUnread:
			w.moved.Wait()
			continue
		}
		k := min(len(p)-n, maxUnread-len(w.unread))
		w.unread = append(w.unread, p[n:n+k]...)
		n += k
		w.moved.Broadcast()
	}
	return n, nil
}

// Flush implements http.Flusher. Everything that is written can be read.
func (w *response) Flush() { w.WriteHeader(http.StatusOK) }

// SetReadDeadline is for http.ResponseController. The body of a request is the client's, and does
// not have deadlines.
func (w *response) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is for http.ResponseController.
func (w *response) SetWriteDeadline(deadline time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.deadline, w.timer = deadline, nil
	if !deadline.IsZero() {
		w.timer = time.AfterFunc(time.Until(deadline), w.wake)
	}
	return nil
}

// finish ends the response, with err if the handler did not complete it.
func (w *response) finish(err error) {
	_ = w.SetWriteDeadline(time.Time{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over, w.err = true, err
	if err == nil {
		w.begin(http.StatusOK)
	} else if w.status == 0 {
		close(w.started)
	}
	w.moved.Broadcast()
}

// response returns what the client gets, once the handler has begun.
func (w *response) response() (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 {
		w.cancel()
		return nil, w.err
	}
	res := &http.Response{
		Status:     strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        maps.Clone(w.sent),
		Body:          body{w},
		ContentLength: -1,
		Request:       w.r,
	}
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		res.ContentLength = n
	}
	return res, nil
}

// body is the client's end of a response.
type body struct{ w *response }

// Read implements io.Reader.
func (b body) Read(p []byte) (int, error) {
	w := b.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for len(w.unread) == 0 {
		switch {
		case !w.read && w.r.Context().Err() != nil: // however far the handler has come
			return 0, context.Cause(w.r.Context())
		case w.over && w.err != nil:
			return 0, w.err
		case w.over:
			w.read = true
			w.cancel()
			return 0, io.EOF
		case w.ctx.Err() != nil:
			return 0, context.Cause(w.ctx)
		}
		w.moved.Wait()
	}
	n := copy(p, w.unread)
	w.unread = w.unread[n:]
	w.moved.Broadcast()
	return n, nil
}

// Close implements io.Closer. It ends the request for the handler.
func (b body) Close() error {
	b.w.cancel()
	return nil
}
