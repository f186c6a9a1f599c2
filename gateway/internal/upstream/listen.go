package upstream

import (
	"bytes"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A listener holds the subscriptions/listen of a modern upstream. Its filter cannot change, so
// that another is opened when the subscriptions do, and the old one closed after that is
// acknowledged. Its fields are guarded by the lock of subs.srv.
type listener struct {
	subs *subscriptions
	conn *conn
	now  listening // acknowledged; no id if there is none
	next listening // not yet acknowledged
	wait timer     // for subscriptions that follow each other, or a failure
	ack  timer
	fail int  // failures in a row
	off  bool // the upstream has no such method
}

// A listening is one request subscriptions/listen.
type listening struct {
	id     int64
	filter []byte
	acked  bool
}

const (
	listenWait = 50 * time.Millisecond // so that many subscriptions make one request
	ackWait    = 10 * time.Second
)

// filter returns the SubscriptionFilter for what is wanted, or nil if that is nothing.
func (l *listener) filter() []byte {
	v := &l.conn.server
	b := []byte{'{'}
	add := func(want bool, text string) {
		if !want {
			return
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, text...)
	}
	add(v.toolsChanged, `"toolsListChanged":true`)
	add(v.promptsChanged, `"promptsListChanged":true`)
	add(v.resourcesChanged, `"resourcesListChanged":true`)
	uris := l.subs.sorted()
	if v.subscribe && len(uris) > 0 {
		add(true, `"resourceSubscriptions":[`)
		for i, uri := range uris {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsonrpc.AppendString(b, uri)
		}
		b = append(b, ']')
	}
	if len(b) == 1 {
		return nil
	}
	return append(b, '}')
}

// settle makes the upstream tell what is wanted, soon.
func (l *listener) settle() {
	if l.off || l.wait.running() {
		return
	}
	l.subs.srv.set(&l.wait, listenWait, l.open)
}

// open opens a listen if the filter of the newest one is not what is wanted.
func (l *listener) open() {
	if l.off || l.next.id != 0 {
		return // acknowledged calls it again
	}
	filter := l.filter()
	if bytes.Equal(filter, l.now.filter) {
		return
	}
	if filter == nil {
		l.drop(&l.now)
		return
	}
	k := l.conn
	params := append(append([]byte(`{"notifications":`), filter...), '}')
	var id int64
	in := &inner{done: func(env *jsonrpc.Envelope, err *link.Error) { l.ended(id, env, err) }}
	id = k.request(link.Message{Method: "subscriptions/listen", Endless: true}, params, in)
	l.next = listening{id: id, filter: filter}
	l.subs.srv.set(&l.ack, ackWait, func() { l.give(id) })
}

// give gives up a listen that is not acknowledged.
func (l *listener) give(id int64) {
	if l.next.id == id {
		l.drop(&l.next)
		l.retry()
	}
}

// drop closes a listen.
func (l *listener) drop(g *listening) {
	if g.id == 0 {
		return
	}
	k := l.conn
	delete(k.pending, g.id)
	if l.subs.srv.opts.Stdio {
		const method = "notifications/cancelled"
		k.link.Send(&link.Message{Kind: link.Notification, Method: method, Body: appendCancelled(nil, g.id, "")})
	}
	k.link.Cancel(g.id)
	*g = listening{}
}

// acknowledged is called when the upstream has acknowledged a listen.
func (t *subscriptions) acknowledged(k *conn, on int64, params []byte) {
	l := &t.listen
	if k != t.conn || !k.modern || l.next.id == 0 {
		return
	}
	meta, _ := jsonrpc.Member(params, "_meta")
	raw, _ := jsonrpc.Member(meta, metaSubscription)
	if id, ok := jsonrpc.IntValue(raw); ok && on == 0 {
		on = id
	}
	if on != l.next.id {
		return
	}
	old := l.now
	l.now, l.next = l.next, listening{}
	l.now.acked = true
	l.drop(&old)
	l.ack.stop()
	l.fail = 0
	if old.id == 0 {
		t.srv.list.start() // what has changed before was not announced
	}
	for _, uri := range t.sorted() {
		t.caughtUp(t.byURI[uri])
	}
	t.srv.list.schedule()
	l.open()
}

// ended is called when the upstream has ended a listen.
func (l *listener) ended(id int64, env *jsonrpc.Envelope, err *link.Error) {
	if l.subs.conn != l.conn {
		return
	}
	s := l.subs.srv
	switch id {
	case l.now.id:
		l.now = listening{}
		for _, b := range l.subs.byURI {
			b.missed = true
		}
		s.list.schedule()
	case l.next.id:
		l.next = listening{}
		l.ack.stop()
	default:
		return
	}
	if err == nil && env.Kind == jsonrpc.KindErrorResponse {
		if errorCode(env.Error) == jsonrpc.CodeMethodNotFound {
			l.off = true
			return
		}
	}
	if err != nil {
		s.failed(err)
	}
	l.retry()
}

// retry opens a listen again after a while.
func (l *listener) retry() {
	l.fail++
	l.subs.srv.set(&l.wait, backoff(l.fail+1), l.open)
}

// begin begins on a new link.
func (l *listener) begin(t *subscriptions, k *conn) {
	l.close()
	l.subs, l.conn, l.fail, l.off = t, k, 0, false
	l.open()
}

// close ends all.
func (l *listener) close() {
	l.wait.stop()
	l.ack.stop()
	if l.conn != nil && l.conn.state != connClosed {
		l.drop(&l.now)
		l.drop(&l.next)
	}
	l.now, l.next = listening{}, listening{}
}
