package hop

import (
	"context"
	"errors"
	"net/http"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/sse"
)

// maxEndpoint is the maximum length of the URL that an endpoint event has.
const maxEndpoint = 4 << 10

var errEndpoint = errors.New("hop: the stream names no endpoint of its own origin")

// openSSE opens the stream that is the session of HTTP+SSE. Messages wait until it has named the
// endpoint they go to. Called with mu held.
func (u *Upstream) openSSE(l *Link) {
	if u.open >= u.opts.MaxStreams {
		u.lose(l, u.busy(errStreams))
		return
	}
	var ctx context.Context
	ctx, l.stopStream = context.WithCancel(u.life)
	u.open++
	u.enter()
	go func() {
		err := l.readSSE(ctx)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.lose(l, err)
		l.stopStream()
		u.closeStream()
	}()
}

// readSSE reads the stream and returns why it has ended.
func (l *Link) readSSE(ctx context.Context) *link.Error {
	u := l.u
	s := newSender(u, u.streams)
	defer s.release()
	resp, fault := s.exchange(ctx, &job{link: l, settled: true})
	if fault != nil {
		return fault
	}
	if resp.StatusCode != http.StatusOK || !isEventStream(resp.Header) {
		buf := getBuffer()
		defer putBuffer(buf)
		_ = readAll(resp.Body, buf, maxDetail, nil)
		s.finish(resp)
		err := &link.Error{Reason: link.Status, Status: resp.StatusCode, Detail: detail(*buf)}
		if resp.StatusCode == http.StatusOK {
			err.Reason, err.Err = link.Malformed, errNotMCP
		}
		return err
	}
	defer resp.Body.Close()
	from := resp.Request.URL
	var wrong error
	err := s.events(&sse.Decoder{MaxEventSize: u.opts.MaxMessage}, resp.Body, nil, nil, func(e *sse.Event) {
		switch {
		case wrong != nil:
		case e.Type == "endpoint":
			if len(e.Data) > maxEndpoint {
				wrong = errEndpoint
				break
			}
			to, err := from.Parse(string(e.Data))
			if err != nil || !sameOrigin(from, to) || to.User != nil {
				wrong = errEndpoint
				break
			}
			u.mu.Lock()
			if l.target == nil && l.over == nil {
				to.Fragment = ""
				l.target = to
				u.release(l)
			}
			u.mu.Unlock()
		case len(e.Data) > 0 && (e.Type == "" || e.Type == "message"):
			l.take(nil, e.Data)
		}
		if wrong != nil {
			l.stopStream() // the session cannot be used
		}
	})
	switch {
	case wrong != nil:
		return &link.Error{Reason: link.Malformed, Err: wrong}
	case errors.Is(err, sse.ErrTooLarge):
		return &link.Error{Reason: link.TooLong, Err: err}
	}
	return &link.Error{Reason: link.Lost, Err: err}
}
