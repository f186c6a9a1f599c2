package upstream

import (
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A subscription is a resource with subscribers.
type subscription struct {
	uri     string
	fronts  int
	linger  timer     // runs for a while after the last front has left
	have    bool      // a legacy upstream has been told
	refused bool      // or does not want it; not tried again on this link
	busy    bool      // a request about it is in flight
	listen  *listener // its own, over stdio
	missed  bool      // updates may have been missed: tell the fronts when it is up again
}

// wanted reports whether the upstream must be subscribed to.
func (b *subscription) wanted() bool { return b.fronts > 0 || b.linger.running() }

// subscriptions are what the fronts of a Server want to be told of, and how the upstream tells it.
// The fields are guarded by the lock of srv.
type subscriptions struct {
	srv     *Server
	conn    *conn // of the home session, while it is ready
	byURI   map[string]*subscription
	wanted  int // entries of byURI
	listen  listener
	listens map[int64]*listener // by the ids of their requests on conn
	stream  bool                // the stream of a legacy session is open, or not needed
}

// Subscribe adds a subscriber of the resource. It reports false if there are too many resources
// with subscribers. The upstream is told when it can be; it may refuse, or be away.
func (s *Server) Subscribe(uri string) bool {
	s.mu.Lock()
	defer s.unlock()
	t := &s.subs
	b := t.byURI[uri]
	if b == nil {
		if t.wanted >= s.opts.MaxSubscriptions || s.closed {
			return false
		}
		b = &subscription{uri: uri}
		t.byURI[uri] = b
		t.wanted++
	}
	b.fronts++
	b.linger.stop()
	if t.conn == nil {
		s.wake(s.home)
	}
	t.settle(b)
	return true
}

// Unsubscribe takes back one Subscribe. The upstream is told 5 seconds after the last.
func (s *Server) Unsubscribe(uri string) {
	s.mu.Lock()
	defer s.unlock()
	t := &s.subs
	b := t.byURI[uri]
	if b == nil || b.fronts == 0 {
		return
	}
	if b.fronts--; b.fronts == 0 {
		s.set(&b.linger, unsubscribeWait, func() { t.settle(b) })
		t.settle(b)
	}
}

// settle makes the upstream do what the subscribers of b want.
func (t *subscriptions) settle(b *subscription) {
	k := t.conn
	if !b.wanted() && !b.have && !b.busy && t.byURI[b.uri] == b {
		t.drop(b)
		if k != nil {
			t.srv.pump(k.sess) // it may be idle now
		}
	}
	switch {
	case k == nil || !k.server.subscribe:
	case k.modern && t.srv.opts.Stdio:
		t.listenTo(b)
	case k.modern:
		t.listen.settle()
	case b.busy:
	case b.wanted() && !b.have && !b.refused:
		t.tell(b, "resources/subscribe", true)
	case !b.wanted() && b.have:
		t.tell(b, "resources/unsubscribe", false)
	}
}

// tell sends a request about b to a legacy upstream.
func (t *subscriptions) tell(b *subscription, method string, have bool) {
	k := t.conn
	b.busy = true
	m := link.Message{Method: method, Deadline: time.Now().Add(listTimeout)}
	params := append(jsonrpc.AppendString([]byte(`{"uri":`), b.uri), '}')
	k.request(m, params, &inner{done: func(env *jsonrpc.Envelope, err *link.Error) {
		if t.conn != k {
			return
		}
		b.busy = false
		switch {
		case err != nil && err.Reason == link.Expired:
			k.expired(err)
			return
		case err != nil || env.Kind == jsonrpc.KindErrorResponse:
			b.have = false
			b.refused = have
		default:
			b.have = have
			t.caughtUp(b)
		}
		t.settle(b)
	}})
}

// caughtUp is called when the upstream tells of b again.
func (t *subscriptions) caughtUp(b *subscription) {
	if b.missed {
		b.missed = false
		t.report(b)
	}
}

// report tells the fronts that b has changed.
func (t *subscriptions) report(b *subscription) {
	if b.fronts > 0 && t.srv.opts.Updated != nil {
		updated, uri := t.srv.opts.Updated, b.uri
		t.srv.do(effect{fn: func() { updated(uri) }})
	}
}

// updated is called when the upstream says that a resource has changed.
func (t *subscriptions) updated(k *conn, params []byte) {
	raw, _ := jsonrpc.Member(params, "uri")
	uri, _ := jsonrpc.StringValue(raw)
	b := t.byURI[uri]
	if b == nil || k != t.conn {
		t.srv.counts.Strays++
		return
	}
	t.report(b)
}

// arrived is called when the home session is ready. It reports whether the lists are read when
// announcements of changes have been set up.
func (t *subscriptions) arrived(k *conn) (later bool) {
	t.conn = k
	t.stream = true
	t.listens = map[int64]*listener{}
	if k.modern {
		t.listen.begin(t, k)
	}
	for _, uri := range t.sorted() {
		b := t.byURI[uri]
		b.have, b.busy = false, false
		t.settle(b)
	}
	if k.modern {
		return t.listen.next.id != 0
	}
	v := &k.server
	if st, ok := k.link.(link.Streamer); ok && (v.toolsChanged || v.promptsChanged || v.resourcesChanged || v.subscribe) {
		t.stream = false
		st.Stream(func(state link.StreamState) { t.streamed(k, state) })
		return true
	}
	return false
}

// listenTo makes a modern upstream over stdio tell of b.
func (t *subscriptions) listenTo(b *subscription) {
	if t.byURI[b.uri] == b && b.listen == nil {
		b.listen = &listener{uri: b.uri}
		b.listen.begin(t, t.conn)
	}
}

// drop forgets b, which nobody wants any more.
func (t *subscriptions) drop(b *subscription) {
	delete(t.byURI, b.uri)
	t.wanted--
	if b.listen != nil {
		b.listen.close()
		b.listen = nil
		t.listen.renew()
	}
}

// streamed is called when something has become of the stream of a legacy session.
func (t *subscriptions) streamed(k *conn, state link.StreamState) {
	s := t.srv
	s.mu.Lock()
	defer s.unlock()
	if t.conn != k {
		return
	}
	if !k.heard {
		k.heard = true
		s.list.start()
	}
	was := t.stream
	t.stream = state == link.StreamOpen || state == link.StreamResumed
	if state == link.StreamOpen && k.streamed {
		// What has come meanwhile is lost.
		s.list.changed()
		t.reportAll()
	}
	k.streamed = k.streamed || t.stream
	if was != t.stream {
		s.list.schedule()
	}
}

// reportAll tells the fronts that all resources may have changed.
func (t *subscriptions) reportAll() {
	for _, uri := range t.sorted() {
		t.report(t.byURI[uri])
	}
}

// sorted returns the URIs with subscribers in order.
func (t *subscriptions) sorted() []string {
	uris := make([]string, 0, len(t.byURI))
	for uri := range t.byURI {
		uris = append(uris, uri)
	}
	slices.Sort(uris)
	return uris
}

// lost is called when the home session has lost its link.
func (t *subscriptions) lost() {
	if t.conn == nil {
		return
	}
	t.conn = nil
	t.listen.close()
	for _, b := range t.byURI {
		if b.listen != nil {
			b.listen.close()
			b.listen = nil
		}
		b.have, b.busy, b.refused, b.missed = false, false, false, true
	}
}

// hears reports whether the upstream's announcements of changes come through.
func (t *subscriptions) hears() bool {
	if t.conn == nil {
		return false
	}
	if t.conn.modern {
		return t.listen.now.acked
	}
	return t.stream
}

func (t *subscriptions) close() {
	t.lost()
	for _, b := range t.byURI {
		b.linger.stop()
	}
}
