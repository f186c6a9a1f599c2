package hop

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A Kind is a kind of transport.
type Kind uint8

const (
	Streamable Kind = iota // Streamable HTTP, 2025-03-26 and later
	SSE2024                // HTTP+SSE of 2024-11-05
)

// OpenOptions say what a link is for.
type OpenOptions struct {
	Kind Kind
	// Principal is whom Options.Credential gives access tokens to.
	Principal string
	// Token, if not nil, returns the token that the principal has authenticated itself with, which
	// may change in the life of a link. It must not block.
	Token func() string
}

// A Link is one session at an upstream. It implements [link.Link] and [link.Streamer].
//
// A link has the session that the response to an initialize request gives it: sent again,
// initialize begins another. When a request fails with Expired, the session is over, and nothing
// but initialize or another link helps. Requests wait until notifications/initialized has been
// answered.
//
// The upstream's revision decides about header fields, so a client that begins with server/discover
// must call Negotiated before, and again with an empty version if it falls back to initialize.
//
// A response with a status of 400 or more and a JSON-RPC response in it is received like any other.
// Without an id, or without JSON-RPC, it fails the request with Status, and Detail has the content.
type Link struct {
	u     *Upstream
	r     link.Receiver
	kind  Kind
	who   string
	token func() string

	// Guarded by Upstream.mu.
	pending map[int64]*job // requests that are not settled
	held    list           // requests that wait for gate, or for the endpoint
	gate    *job           // notifications/initialized
	version string
	session string
	expired bool
	auth    string      // the Authorization in header
	header  http.Header // of all requests, immutable; nil if it must be built
	target  *url.URL    // nil until HTTP+SSE has said it
	over    error       // why no more messages can be sent

	changed     func(link.StreamState)
	streaming   bool // the stream of the session is open
	stopStream  context.CancelFunc
	streamDelay *time.Timer
}

var (
	_ link.Link      = (*Link)(nil)
	_ link.Streamer  = (*Link)(nil)
	_ link.Sessioned = (*Link)(nil)
)

var errClosed = errors.New("hop: the link is closed")

// Open returns a link whose messages go to r. It does not block. A link of HTTP+SSE opens its
// stream at once; others open nothing until a message is sent.
func (u *Upstream) Open(r link.Receiver, o OpenOptions) *Link {
	l := &Link{u: u, r: r, kind: o.Kind, who: o.Principal, token: o.Token, pending: map[int64]*job{}}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		l.over = errClosed
		return l
	}
	u.links[l] = struct{}{}
	if l.kind == SSE2024 {
		u.openSSE(l)
	} else {
		l.target = u.url
	}
	return l
}

// modern reports whether the revision has no sessions. Called with mu held.
func (l *Link) modern() bool { return l.version >= modernVersion }

// Send implements [link.Link].
func (l *Link) Send(m *link.Message) {
	j := newJob(l, m)
	u := l.u
	u.mu.Lock()
	defer u.mu.Unlock()
	if l.over != nil {
		if j.verb == request {
			u.fail(j, &link.Error{Reason: link.Closed, Unsent: true, Err: l.over}, false)
		}
		return
	}
	if j.verb != request {
		if m.Kind == link.Notification && m.Method == "notifications/initialized" && l.gate == nil {
			l.gate = j
		}
		if l.target == nil {
			l.hold(j)
			return
		}
		u.enqueueControl(j)
		return
	}
	l.pending[j.id] = j
	now := time.Now()
	if err := u.admit(j, now); err != nil {
		u.fail(j, err, false)
		return
	}
	if l.gate != nil || l.target == nil {
		l.hold(j)
		return
	}
	u.dispatch(j, now)
}

// dispatch sends a request as soon as there is a place. Called with mu held.
func (u *Upstream) dispatch(j *job, now time.Time) {
	if !j.endless {
		u.enqueue(j, now)
		return
	}
	if u.open >= u.opts.MaxStreams {
		u.fail(j, u.busy(errStreams), false)
		return
	}
	u.startEndless(j)
}

// hold keeps a job until the session has begun. Called with mu held.
func (l *Link) hold(j *job) {
	switch {
	case l.held.len < l.u.opts.Queue:
		l.held.push(j)
		l.u.arm(j, earlier(time.Now().Add(l.u.opts.QueueTimeout), j.deadline))
	case j.verb == request:
		l.u.fail(j, l.u.busy(errQueueFull), false)
	default:
		l.u.drop(j, "the queue is full")
	}
}

// openGate lets go what waited for j, if j was the gate. Called with mu held.
func (u *Upstream) openGate(j *job) {
	l := j.link
	if l.gate != j {
		return
	}
	l.gate = nil
	if l.target != nil {
		u.release(l)
	}
}

// release sends what was held. Called with mu held.
func (u *Upstream) release(l *Link) {
	now := time.Now()
	var later list
	for j := l.held.pop(); j != nil; j = l.held.pop() {
		switch {
		case j.verb != request:
			u.enqueueControl(j)
		case l.gate != nil:
			later.push(j)
		default:
			u.dispatch(j, now)
		}
	}
	for j := later.pop(); j != nil; j = later.pop() {
		l.held.push(j)
	}
}

// Cancel implements [link.Link]. On 2026-07-28 it closes the response, which is how a request is
// cancelled there.
func (l *Link) Cancel(id int64) {
	u := l.u
	u.mu.Lock()
	defer u.mu.Unlock()
	if j := l.pending[id]; j != nil {
		u.giveUp(j)
	}
}

// giveUp settles j, whose response nobody wants. Called with mu held.
func (u *Upstream) giveUp(j *job) {
	close := j.phase == running && (j.endless || j.link.modern())
	u.settle(j, close)
	if close {
		u.hangUp(j)
	}
}

// Negotiated implements [link.Link].
func (l *Link) Negotiated(version string) {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	if !validField("MCP-Protocol-Version", version) {
		version = ""
	}
	l.version, l.header = version, nil
}

// HasSession implements link.Sessioned.
func (l *Link) HasSession() bool {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	return l.kind == SSE2024 || l.session != ""
}

// Close implements [link.Link].
func (l *Link) Close() {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	l.u.closeLink(l)
}

// closeLink ends a session. Called with mu held.
func (u *Upstream) closeLink(l *Link) {
	if l.over != nil {
		return
	}
	l.over = errClosed
	delete(u.links, l)
	u.failAll(l, &link.Error{Reason: link.Closed, Err: errClosed})
	if l.kind == Streamable && l.session != "" && !l.expired && !l.modern() {
		u.enqueueControl(&job{link: l, verb: deletion, method: http.MethodDelete, deadline: time.Now().Add(controlTimeout)})
	}
	if l.stopStream == nil {
		return
	}
	if l.kind == SSE2024 {
		l.stopStream()
		return
	}
	// The upstream ends the stream of a session that it deletes.
	l.streamDelay = time.AfterFunc(streamGrace, func() {
		u.stats.hungUp.Add(1)
		l.stopStream()
	})
}

// failAll fails what is pending at the end of a session. Called with mu held.
func (u *Upstream) failAll(l *Link, err *link.Error) {
	for _, j := range l.pending {
		e := *err
		e.Unsent = j.phase == queued && j.lastID == ""
		if j.phase == running && (j.endless || l.modern()) {
			u.fail(j, &e, true)
			u.hangUp(j)
			continue
		}
		u.fail(j, &e, false)
	}
	for j := l.held.pop(); j != nil; j = l.held.pop() {
		u.drop(j, "the session is over")
	}
}

// lose ends a session that the upstream has ended. Called with mu held.
func (u *Upstream) lose(l *Link, err *link.Error) {
	if l.over != nil {
		return
	}
	l.over = err
	delete(u.links, l)
	u.failAll(l, err)
	u.notify(notice{r: l.r, err: err})
	if l.stopStream != nil {
		l.stopStream()
	}
}

// answered finds the request that a response with the id is for, settles it, and reports whether it
// was pending. J is the request on whose stream the response came, or nil if that is the session's.
func (l *Link) answered(j *job, id int64) bool {
	u := l.u
	u.mu.Lock()
	defer u.mu.Unlock()
	k := l.pending[id]
	if k == nil || j != nil && k != j || k.phase == queued && k.lastID == "" {
		return false
	}
	u.settle(k, true)
	u.report(k, true)
	return true
}

// listening reports whether j's Receiver is still to get messages that come before the response.
func (l *Link) listening(j *job) bool {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	if j == nil {
		return l.over == nil
	}
	return !j.settled
}
