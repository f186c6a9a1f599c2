package upstream

import (
	"bytes"
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A listener holds a subscriptions/listen of a modern upstream. Its filter cannot change, so that
// another is opened when the subscriptions do, and the old one closed after that is acknowledged.
//
// Over HTTP one listener serves all. Over stdio each resource has one of its own, because the
// official Go SDK ends the subscriptions of a session that two requests have in common with the
// first of them. Its fields are guarded by the lock of subs.srv.
type listener struct {
	subs *subscriptions
	conn *conn
	uri  string    // what it is for; "" for changes of lists, and over HTTP for all
	now  listening // acknowledged; no id if there is none
	next listening // not yet acknowledged
	wait timer     // for subscriptions that follow each other, or a failure
	ack  timer
	fail int // failures in a row
	// most is how many resources may be added at a time, 0 for any number. An upstream that
	// refuses one resource refuses the whole request.
	most int
	off  bool // the upstream does not want it
}

// A listening is one request subscriptions/listen.
type listening struct {
	id     int64
	filter []byte
	uris   []string // in order
	acked  bool
}

const (
	listenWait = 50 * time.Millisecond // so that many subscriptions make one request
	ackWait    = 10 * time.Second
	renewWait  = 250 * time.Millisecond
)

// wanted returns the SubscriptionFilter for what is wanted, nil for nothing, and its resources.
func (l *listener) wanted() (filter []byte, uris []string) {
	v := &l.conn.server
	b := []byte{'{'}
	add := func(text string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, text...)
	}
	if l.uri == "" {
		for _, flag := range [...]struct {
			on   bool
			text string
		}{
			{v.toolsChanged, `"toolsListChanged":true`},
			{v.promptsChanged, `"promptsListChanged":true`},
			{v.resourcesChanged, `"resourcesListChanged":true`},
		} {
			if flag.on {
				add(flag.text)
			}
		}
	}
	if uris = l.resources(); len(uris) > 0 {
		add(`"resourceSubscriptions":[`)
		for i, uri := range uris {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsonrpc.AppendString(b, uri)
		}
		b = append(b, ']')
	}
	if len(b) == 1 {
		return nil, nil
	}
	return append(b, '}'), uris
}

// resources returns the URIs that l is for, in order.
func (l *listener) resources() []string {
	switch {
	case !l.conn.server.subscribe:
		return nil
	case l.uri != "":
		return []string{l.uri}
	case l.subs.srv.opts.Stdio:
		return nil
	}
	var uris []string
	added := 0
	for _, uri := range l.subs.sorted() {
		if _, old := slices.BinarySearch(l.now.uris, uri); !old {
			if l.subs.byURI[uri].refused || l.most > 0 && added >= l.most {
				continue
			}
			added++
		}
		uris = append(uris, uri)
	}
	return uris
}

// settle makes the upstream tell what is wanted, soon.
func (l *listener) settle() {
	if !l.off && !l.wait.running() {
		l.subs.srv.set(&l.wait, listenWait, l.open)
	}
}

// open opens a listen if the filter of the newest one is not what is wanted.
func (l *listener) open() {
	if l.off || l.next.id != 0 {
		return // acknowledged calls it again
	}
	filter, uris := l.wanted()
	if bytes.Equal(filter, l.now.filter) {
		return
	}
	if filter == nil {
		l.drop(&l.now)
		return
	}
	params := append(append([]byte(`{"notifications":`), filter...), '}')
	var id int64
	in := &inner{done: func(env *jsonrpc.Envelope, err *link.Error) { l.ended(id, env, err) }}
	id = l.conn.request(link.Message{Method: "subscriptions/listen", Endless: true}, params, in)
	l.next = listening{id: id, filter: filter, uris: uris}
	l.subs.listens[id] = l
	l.subs.srv.set(&l.ack, ackWait, func() {
		l.drop(&l.next)
		l.retry()
	})
}

// drop closes a listen.
func (l *listener) drop(g *listening) {
	if g.id == 0 {
		return
	}
	k := l.conn
	delete(k.pending, g.id)
	delete(l.subs.listens, g.id)
	if l.subs.srv.opts.Stdio {
		const method = "notifications/cancelled"
		k.link.Send(&link.Message{Kind: link.Notification, Method: method, Body: appendCancelled(nil, g.id, "")})
	}
	k.link.Cancel(g.id)
	*g = listening{}
}

// acknowledged is called when the upstream has acknowledged a listen.
func (t *subscriptions) acknowledged(k *conn, on int64, params []byte) {
	if on == 0 {
		meta, _ := jsonrpc.Member(params, "_meta")
		raw, _ := jsonrpc.Member(meta, metaSubscription)
		on, _ = jsonrpc.IntValue(raw)
	}
	l := t.listens[on]
	if k != t.conn || l == nil || l.next.id != on {
		return
	}
	old, first := l.now, l.now.id == 0
	l.now, l.next = l.next, listening{}
	l.now.acked = true
	l.drop(&old)
	l.ack.stop()
	l.fail = 0
	l.most *= 2
	for _, uri := range l.now.uris {
		if b := t.byURI[uri]; b != nil {
			t.caughtUp(b)
		}
	}
	if l.uri == "" {
		if first {
			t.srv.list.start() // what has changed before was not announced
		}
		t.srv.list.schedule()
	}
	l.open()
}

// ended is called when the upstream has ended a listen.
func (l *listener) ended(id int64, env *jsonrpc.Envelope, err *link.Error) {
	t := l.subs
	delete(t.listens, id)
	if t.conn != l.conn {
		return
	}
	refused := err == nil && env.Kind == jsonrpc.KindErrorResponse
	if err != nil {
		t.srv.failed(err)
	}
	switch id {
	case l.now.id:
		for _, uri := range l.now.uris {
			if b := t.byURI[uri]; b != nil {
				b.missed = true
			}
		}
		l.now = listening{}
		if l.uri == "" {
			t.srv.list.schedule()
		}
	case l.next.id:
		next := l.next
		l.next = listening{}
		l.ack.stop()
		if refused && l.refuse(next, errorCode(env.Error)) {
			return
		}
	default:
		return
	}
	l.retry()
}

// refuse is called when the upstream has refused a listen. It reports whether no retry is needed.
func (l *listener) refuse(g listening, code int64) bool {
	var added []string
	for _, uri := range g.uris {
		if _, old := slices.BinarySearch(l.now.uris, uri); !old {
			added = append(added, uri)
		}
	}
	switch {
	case code == jsonrpc.CodeMethodNotFound:
		l.off = true
	case len(added) > 1:
		l.most = len(added) / 2
		l.settle()
	case len(added) == 1:
		if b := l.subs.byURI[added[0]]; b != nil {
			b.refused = true
		}
		l.off = l.uri != ""
		l.settle()
	default:
		return false
	}
	return true
}

// failing reports whether the upstream was not reached more than once in a row, and is tried again.
func (l *listener) failing() bool {
	return l.fail > 1 && !l.off && l.now.id == 0 && (l.wait.running() || l.next.id != 0)
}

// retry opens a listen again after a while.
func (l *listener) retry() {
	l.fail++
	l.subs.srv.set(&l.wait, backoff(l.fail+1), l.open)
}

// begin begins on a new link.
func (l *listener) begin(t *subscriptions, k *conn) {
	l.close()
	l.subs, l.conn, l.fail, l.most, l.off = t, k, 0, 0, false
	l.open()
}

// renew opens the listen anew, after another on the same link was closed.
func (l *listener) renew() {
	s := l.subs.srv
	s.set(&l.wait, renewWait, func() {
		l.drop(&l.now)
		s.set(&l.wait, renewWait, l.open)
	})
}

// close ends all.
func (l *listener) close() {
	l.wait.stop()
	l.ack.stop()
	if l.conn == nil {
		return
	}
	if l.conn.state != connClosed {
		l.drop(&l.now)
		l.drop(&l.next)
	}
	delete(l.subs.listens, l.now.id)
	delete(l.subs.listens, l.next.id)
	l.now, l.next = listening{}, listening{}
}
