package upstream

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A harbor is an upstream that tests play: what the Server sends waits in a queue, and run gives
// it to a script. Nothing happens on goroutines of its own, so that tests are deterministic.
type harbor struct {
	t tester
	s *Server

	mu    sync.Mutex
	links []*fakeLink
	queue []sent

	// script answers a message, or leaves it to the test. The default is upstream.
	script func(l *fakeLink, m *link.Message)

	modern, legacy bool // the eras that the default script speaks
	version        string
	caps           string
	lists          map[string]string // results by method
	silent         map[string]bool   // methods that get no answer
	stateless      bool

	changed []*Catalogue
	updated []string
}

// A tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
	Cleanup(func())
}

type sent struct {
	l *fakeLink
	m *link.Message
}

// A fakeLink is a link into a harbor.
type fakeLink struct {
	h         *harbor
	r         link.Receiver
	principal string
	sse       bool
	n         int // its number
	got       []*link.Message
	canceled  []int64
	version   string
	closed    bool
	lost      bool           // the upstream has closed it; Close may cross with that
	open      map[int64]bool // requests that have neither a response nor Failed nor Cancel
}

func (l *fakeLink) Send(m *link.Message) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	if l.lost {
		return // Lost is on its way, and ends it
	}
	if l.closed {
		l.h.t.Errorf("sent on closed link %d: %s", l.n, m.Body)
		return
	}
	if hasLineEnds(m.Body) {
		l.h.t.Errorf("a message with a line end: %q", m.Body)
	}
	if m.Kind == link.Request {
		if l.open[m.ID] {
			l.h.t.Errorf("id %d is in flight twice", m.ID)
		}
		l.open[m.ID] = true
	}
	l.got = append(l.got, m)
	l.h.queue = append(l.h.queue, sent{l, m})
}

func (l *fakeLink) Cancel(id int64) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	if !l.open[id] && !l.lost {
		l.h.t.Errorf("cancel of %d, which is not in flight", id)
	}
	delete(l.open, id)
	l.canceled = append(l.canceled, id)
}

func (l *fakeLink) Negotiated(version string) { l.version = version }

func (l *fakeLink) Close() {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	if l.closed && !l.lost {
		l.h.t.Errorf("link %d is closed twice", l.n)
	}
	l.closed = true
	clear(l.open)
}

func (l *fakeLink) HasSession() bool { return !l.h.stateless }

// newHarbor returns a harbor and a Server that is connected to it by run.
func newHarbor(t tester, o Options) *harbor {
	h := &harbor{
		t: t, version: legacyVersion, legacy: true, silent: map[string]bool{},
		caps:  `{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{}}`,
		lists: map[string]string{},
	}
	h.lists["tools/list"] = `{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`
	h.script = h.upstream
	o.Name = "test"
	o.Open = func(r link.Receiver, principal string) link.Link { return h.open(r, principal, false) }
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	if o.ClientInfo == nil {
		o.ClientInfo = []byte(`{"name":"gw","version":"1"}`)
	}
	o.Changed = func(c *Catalogue) { h.changed = append(h.changed, c) }
	o.Updated = func(uri string) { h.updated = append(h.updated, uri) }
	h.s = New(o)
	t.Cleanup(func() {
		h.s.Close()
		h.settled()
	})
	return h
}

func (h *harbor) open(r link.Receiver, principal string, sse bool) link.Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &fakeLink{h: h, r: r, principal: principal, sse: sse, n: len(h.links), open: map[int64]bool{}}
	h.links = append(h.links, l)
	return l
}

// settled checks that nothing is left after Close.
func (h *harbor) settled() {
	for _, l := range h.links {
		if !l.closed {
			h.t.Errorf("link %d is open at the end", l.n)
		}
	}
	s := h.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls != 0 || s.waiting != 0 || len(s.queue) != 0 || len(s.conns) != 0 || len(s.parks.byToken) != 0 || s.effects != nil {
		h.t.Errorf("left at the end: %d calls, %d waiting, %d queued, %d links, %d parked, or effects",
			s.calls, s.waiting, len(s.queue), len(s.conns), len(s.parks.byToken))
	}
}

// run gives the script what has been sent, until nothing is.
func (h *harbor) run() {
	for {
		h.mu.Lock()
		if len(h.queue) == 0 {
			h.mu.Unlock()
			return
		}
		next := h.queue[0]
		h.queue = h.queue[1:]
		dead := next.l.closed || next.m.Kind == link.Request && !next.l.open[next.m.ID]
		h.mu.Unlock()
		if !dead {
			h.script(next.l, next.m)
		}
	}
}

// after lets time pass.
func (h *harbor) after(d time.Duration) {
	_ = h.s.State() // its lock orders what the test has read before what timers change
	time.Sleep(d)
	synctest.Wait()
	h.run()
}

// upstream is the default script.
func (h *harbor) upstream(l *fakeLink, m *link.Message) {
	if m.Kind != link.Request || h.silent[m.Method] {
		return
	}
	if result, ok := h.lists[m.Method]; ok {
		l.result(m.ID, result)
		return
	}
	switch m.Method {
	case "server/discover":
		if !h.modern {
			l.error(m.ID, -32601, "Method not found")
			return
		}
		l.result(m.ID, `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":`+h.caps+`,"ttlMs":0,"cacheScope":"public",`+
			`"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"modern","version":"1"}}}`)
	case "initialize":
		if !h.legacy {
			l.error(m.ID, -32601, "Method not found")
			return
		}
		l.result(m.ID, `{"protocolVersion":"`+h.version+`","capabilities":`+h.caps+`,"serverInfo":{"name":"legacy","version":"1"},"instructions":"be kind"}`)
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list":
		l.error(m.ID, -32601, "Method not found")
	case "subscriptions/listen":
		l.says(0, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{%q:%d},"notifications":{}}}`, metaSubscription, m.ID))
	case "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "ping":
		l.result(m.ID, `{}`)
	}
}

// takes reports whether the request may still be answered, and ends it.
func (l *fakeLink) takes(id int64) bool {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	ok := l.open[id] && !l.closed
	delete(l.open, id)
	return ok
}

// on is the stream of a request: over stdio all messages come on that of the session.
func (l *fakeLink) on(id int64) int64 {
	if l.h.s.opts.Stdio {
		return 0
	}
	return id
}

// says passes msg to the Receiver, in a buffer that changes afterwards.
func (l *fakeLink) says(on int64, msg string) {
	b := []byte(msg)
	l.r.Receive(on, b)
	for i := range b {
		b[i] = '#'
	}
}

func (l *fakeLink) result(id int64, result string) {
	if l.takes(id) {
		l.says(l.on(id), fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":%s}`, id, result))
	}
}

func (l *fakeLink) error(id int64, code int, message string) {
	if l.takes(id) {
		l.says(l.on(id), fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":%d,"message":%q}}`, id, code, message))
	}
}

func (l *fakeLink) fail(id int64, err *link.Error) {
	if l.takes(id) {
		l.r.Failed(id, err)
	}
}

// lose ends the link as a crash does.
func (l *fakeLink) lose() {
	l.h.mu.Lock()
	if l.closed {
		l.h.mu.Unlock()
		return
	}
	var ids []int64
	for id := range l.open {
		ids = append(ids, id)
	}
	l.closed, l.lost = true, true
	clear(l.open)
	l.h.mu.Unlock()
	slices.Sort(ids)
	for _, id := range ids {
		l.r.Failed(id, &link.Error{Reason: link.Lost})
	}
	l.r.Lost(&link.Error{Reason: link.Lost})
}

// calls returns the requests of the link with the method that are open.
func (l *fakeLink) calls(method string) []*link.Message {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	var all []*link.Message
	for _, m := range l.got {
		if m.Kind == link.Request && m.Method == method && l.open[m.ID] {
			all = append(all, m)
		}
	}
	return all
}

// sent returns how many messages of the method the link has been given.
func (l *fakeLink) sent(method string) int {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	n := 0
	for _, m := range l.got {
		if m.Method == method {
			n++
		}
	}
	return n
}

// methods returns what the link has been given, in a line.
func (l *fakeLink) methods() string {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	var all []string
	for _, m := range l.got {
		if m.Kind == link.Response {
			all = append(all, "response")
			continue
		}
		all = append(all, m.Method)
	}
	return strings.Join(all, " ")
}

// last returns the newest link.
func (h *harbor) last() *fakeLink { return h.links[len(h.links)-1] }

// only returns the one request of the method that is open on l.
func (l *fakeLink) only(method string) *link.Message {
	l.h.t.Helper()
	all := l.calls(method)
	if len(all) != 1 {
		l.h.t.Fatalf("%d requests %s are open on link %d (%s), want 1", len(all), method, l.n, l.methods())
	}
	return all[0]
}

// param returns a member of the params of a message, as JSON.
func param(m *link.Message, path ...string) string {
	v, _ := jsonrpc.Member(m.Body, "params")
	for _, name := range path {
		v, _ = jsonrpc.Member(v, name)
	}
	return string(v)
}

// bubble runs f with a clock of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
