package hop

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// An Upstream is an MCP server at one URL. Its methods may be called from any goroutine.
type Upstream struct {
	opts    Options
	url     *url.URL
	pool    transport
	streams *http.Transport
	log     *slog.Logger
	life    context.Context // ends when Close stops waiting
	end     context.CancelFunc
	stats   counters

	// mu guards what follows, and the fields of links and jobs that say so. No other lock is taken
	// under it, and no Receiver is called.
	mu        sync.Mutex
	waiting   list // requests
	control   list // what no request may hold up
	active    int  // jobs that occupy one of the Concurrency places
	lane      bool // the place of control is occupied
	open      int  // streams
	abandoned int
	parked    int
	running   int // goroutines
	breaker   breaker
	links     map[*Link]struct{}
	notices   []notice
	notifying bool
	told      time.Time // when the log last said that messages are dropped
	closed    bool
	drained   chan struct{} // closed when nothing runs any more after closed is set
}

// A transport has connections of its own: a plain, or an http.Transport.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// A notice is what a Receiver must be told about a request, or about the session if id is 0, or an
// entry for the log if r is nil.
type notice struct {
	r   link.Receiver
	id  int64
	err *link.Error

	level slog.Level
	text  string
	args  []any
}

// New returns an Upstream. It opens no connection.
func New(o Options) (*Upstream, error) {
	o, target, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	u := &Upstream{
		opts: o, url: target, log: o.Logger,
		breaker: breaker{after: o.BreakerAfter, wait: o.BreakerWait, max: max(o.BreakerWait, o.BreakerMaxWait)},
		links:   map[*Link]struct{}{},
		drained: make(chan struct{}),
	}
	u.life, u.end = context.WithCancel(context.Background())
	if p := u.newPlain(); p != nil {
		u.pool = p
	} else {
		u.pool = u.newTransport(o.Concurrency + 1)
	}
	u.streams = u.newTransport(0)
	return u, nil
}

// Close closes all links and waits until what they have in flight has ended. When ctx is done, it
// closes what is left.
func (u *Upstream) Close(ctx context.Context) error {
	u.mu.Lock()
	if !u.closed {
		u.closed = true
		for l := range u.links {
			u.closeLink(l)
		}
		u.checkDrained()
	}
	u.mu.Unlock()
	var err error
	select {
	case <-u.drained:
	case <-ctx.Done():
		err = ctx.Err()
		u.end()
		<-u.drained
	}
	u.end()
	u.pool.CloseIdleConnections()
	u.streams.CloseIdleConnections()
	return err
}

// checkDrained closes drained if nothing is left to wait for. Called with mu held.
func (u *Upstream) checkDrained() {
	if u.closed && u.running == 0 && u.control.len == 0 && !u.notifying {
		select {
		case <-u.drained:
		default:
			close(u.drained)
		}
	}
}

// notify queues a notice. Called with mu held.
func (u *Upstream) notify(n notice) {
	u.notices = append(u.notices, n)
	if !u.notifying {
		u.notifying = true
		go u.deliver() // Close waits for it
	}
}

// tell logs something, but not here, because a log may block. Called with mu held.
func (u *Upstream) tell(level slog.Level, text string, args ...any) {
	u.notify(notice{level: level, text: text, args: append(args, "url", u.url.Redacted())})
}

// tellDropped logs that messages are dropped, once a minute. Called with mu held.
func (u *Upstream) tellDropped(method string, why any) {
	u.stats.dropped.Add(1)
	if now := time.Now(); now.Sub(u.told) >= time.Minute {
		u.told = now
		u.tell(slog.LevelWarn, "messages to the upstream are dropped", "method", method, "reason", why)
	}
}

// deliver tells Receivers what is queued, in order, until nothing is left.
func (u *Upstream) deliver() {
	u.mu.Lock()
	for len(u.notices) > 0 {
		batch := u.notices
		u.notices = nil
		u.mu.Unlock()
		for _, n := range batch {
			switch {
			case n.r == nil:
				u.log.Log(u.life, n.level, n.text, n.args...)
			case n.id == 0:
				n.r.Lost(n.err)
			default:
				n.r.Failed(n.id, n.err)
			}
		}
		u.mu.Lock()
	}
	u.notifying = false
	u.checkDrained()
	u.mu.Unlock()
}

// enter counts a goroutine that Close waits for. Called with mu held.
func (u *Upstream) enter() { u.running++ }

// leave is called by such a goroutine as the last thing. Called with mu held.
func (u *Upstream) leave() {
	u.running--
	u.checkDrained()
}

// jitter returns a duration between d and 2 d, so that those that are refused together do not come
// back together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)+1))
}
