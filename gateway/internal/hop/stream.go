package hop

import (
	"context"
	"net/http"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/sse"
)

const (
	// streamGrace is how long the upstream has to end the stream of a session that was deleted.
	streamGrace = 2 * time.Second
	minBackoff  = time.Second
	maxBackoff  = time.Minute
)

// startEndless sends a request whose response stays open, on a connection and a goroutine of its
// own. Called with mu held.
func (u *Upstream) startEndless(j *job) {
	u.open++
	u.enter()
	j.phase = running
	u.arm(j, time.Time{})
	go func() {
		s := newSender(u, u.streams)
		s.run(j)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.fail(j, &link.Error{Reason: link.Lost, Err: errNoMessage}, true)
		u.over(j)
		u.closeStream()
	}()
}

// closeStream is the end of a stream's goroutine. Called with mu held.
func (u *Upstream) closeStream() {
	u.open--
	u.pump()
	u.leave()
}

// Stream implements [link.Streamer]. It has no effect on revisions without such a stream.
func (l *Link) Stream(changed func(link.StreamState)) {
	u := l.u
	u.mu.Lock()
	defer u.mu.Unlock()
	if l.over != nil || l.stopStream != nil || l.kind != Streamable {
		return
	}
	if u.open >= u.opts.MaxStreams || l.modern() {
		if u.open >= u.opts.MaxStreams {
			u.stats.busy.Add(1)
		}
		if changed != nil {
			go changed(link.StreamRefused)
		}
		return
	}
	if l.changed = changed; changed == nil {
		l.changed = func(link.StreamState) {}
	}
	var ctx context.Context
	ctx, l.stopStream = context.WithCancel(u.life)
	u.open++
	u.enter()
	go l.keepStream(ctx)
}

// keepStream holds the stream of the session.
func (l *Link) keepStream(ctx context.Context) {
	u := l.u
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if l.streamDelay != nil {
			l.streamDelay.Stop()
		}
		l.stopStream()
		u.closeStream()
	}()
	s := newSender(u, u.streams)
	d := &sse.Decoder{MaxEventSize: u.opts.MaxMessage}
	backoff, opened, down := minBackoff, false, false
	for {
		began, events := time.Now(), 0
		wait, ok, end := l.oneStream(ctx, s, d, opened, &events)
		if end || l.ending() {
			return
		}
		if ok || !down {
			l.changed(link.StreamDown)
			down = true
		}
		if opened = opened || ok; ok {
			if events > 0 || time.Since(began) > maxBackoff/2 {
				backoff = minBackoff
			}
		}
		if wait = jitter(min(max(wait, backoff), maxBackoff)); !sleep(ctx, min(wait, maxBackoff)) {
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// oneStream opens the stream, reads it until it ends and counts its events. It returns the least
// time to wait before the next try, whether there was a stream, and whether there must be no next
// try.
func (l *Link) oneStream(ctx context.Context, s *sender, d *sse.Decoder, before bool, events *int) (wait time.Duration, ok, end bool) {
	u := l.u
	defer s.release()
	j := &job{link: l, lastID: d.LastEventID(), settled: true}
	resp, err := s.exchange(ctx, j)
	if err != nil {
		return 0, false, false
	}
	defer s.finish(resp)
	switch status := resp.StatusCode; {
	case status == http.StatusNotFound && before:
		u.mu.Lock()
		l.expired = true
		u.lose(l, &link.Error{Reason: link.Expired, Status: status})
		u.mu.Unlock()
		return 0, false, true
	case status >= 500 && status != http.StatusNotImplemented, status == http.StatusTooManyRequests,
		status == http.StatusRequestTimeout, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return retryAfter(resp.Header, time.Now()), false, false
	case status >= 300 || !isEventStream(resp.Header):
		u.mu.Lock()
		over := l.over != nil
		u.mu.Unlock()
		if !over {
			l.changed(link.StreamRefused)
		}
		return 0, false, true
	}
	l.setStreaming(true)
	defer l.setStreaming(false)
	if j.lastID != "" {
		l.changed(link.StreamResumed)
	} else {
		l.changed(link.StreamOpen)
	}
	d.Reset()
	if err := s.events(d, resp.Body, nil, nil, func(e *sse.Event) {
		*events++
		if len(e.Data) > 0 && (e.Type == "" || e.Type == "message") {
			l.take(nil, e.Data)
		}
	}); err == sse.ErrTooLarge {
		u.log.Warn("a message on the stream of a session is too long", "url", u.url.Redacted())
		u.stats.hungUp.Add(1)
		_ = resp.Body.Close()
	}
	wait, _ = d.ReconnectionTime()
	return wait, true, false
}

func (l *Link) setStreaming(on bool) {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	l.streaming = on
}

// ending reports whether the session is over.
func (l *Link) ending() bool {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	return l.over != nil
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
