package hop

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(benchServer) != "" {
		serveBench()
		return
	}
	// gnet, below the server of some tests, keeps its workers for a while.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"))
}

// An outcome is one call of a Receiver.
type outcome struct {
	on   int64
	msg  string
	id   int64
	err  *link.Error
	lost bool
}

func (o outcome) String() string {
	switch {
	case o.lost:
		return fmt.Sprintf("lost: %v", o.err)
	case o.err != nil:
		return fmt.Sprintf("failed %d: %v unsent=%t", o.id, o.err, o.err.Unsent)
	}
	return fmt.Sprintf("on %d: %s", o.on, o.msg)
}

// A record is a Receiver that keeps what it gets.
type record struct{ ch chan outcome }

func newRecord() *record { return &record{make(chan outcome, 10000)} }

func (r *record) Receive(on int64, msg []byte)     { r.ch <- outcome{on: on, msg: string(msg)} }
func (r *record) Failed(id int64, err *link.Error) { r.ch <- outcome{id: id, err: err} }
func (r *record) Lost(err *link.Error)             { r.ch <- outcome{err: err, lost: true} }

// next returns the next outcome.
func (r *record) next(t testing.TB) outcome {
	t.Helper()
	select {
	case o := <-r.ch:
		return o
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came for 10 s")
		panic("unreachable")
	}
}

// none checks that nothing comes.
func (r *record) none(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case o := <-r.ch:
		t.Errorf("got %v, want nothing", o)
	case <-time.After(d):
	}
}

// failed checks that the next outcome is the failure of a request.
func (r *record) failed(t testing.TB, id int64, reason link.Reason, unsent bool) *link.Error {
	t.Helper()
	o := r.next(t)
	if o.lost || o.err == nil || o.id != id || o.err.Reason != reason || o.err.Unsent != unsent {
		t.Fatalf("got %v, want failed %d: %v unsent=%t", o, id, reason, unsent)
	}
	return o.err
}

// received checks that the next outcome is a message.
func (r *record) received(t testing.TB, on int64, msg string) {
	t.Helper()
	if o := r.next(t); o.on != on || o.msg != msg {
		t.Fatalf("got %v, want on %d: %s", o, on, msg)
	}
}

// serve starts a server that ends with the test.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// viaTransport makes open use http.Transport instead of a plain.
var viaTransport bool

// open makes an upstream and a link to the URL, which end with the test before its server.
func open(t testing.TB, url string, o Options, oo OpenOptions) (*Upstream, *Link, *record) {
	t.Helper()
	o.URL = url
	if viaTransport && o.Transport == nil {
		o.Transport = &http.Transport{}
	}
	u, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecord()
	l := u.Open(r, oo)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = u.Close(ctx)
	})
	return u, l, r
}

func call(id int64) *link.Message {
	return &link.Message{
		Kind: link.Request, ID: id, Method: "tools/call", Name: "echo",
		Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo"}}`, id),
	}
}

func note(method string) *link.Message {
	return &link.Message{Kind: link.Notification, Method: method, Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%q}`, method)}
}

func initialize(id int64) *link.Message {
	return &link.Message{
		Kind: link.Request, ID: id, Method: "initialize",
		Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"initialize","params":{}}`, id),
	}
}

func result(id int64) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"a":[1]}}`, id) }

const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`

// idOf reads the id of the message that a request has.
func idOf(r *http.Request) (id int64, method string) {
	b, _ := io.ReadAll(r.Body)
	_, after, _ := strings.Cut(string(b), `"id":`)
	_, _ = fmt.Sscanf(after, "%d", &id)
	_, after, _ = strings.Cut(string(b), `"method":"`)
	method, _, _ = strings.Cut(after, `"`)
	return id, method
}

func answer(w http.ResponseWriter, id int64) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, result(id))
}

// until waits until the condition holds.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// A gauge counts what is going on at once.
type gauge struct {
	mu        sync.Mutex
	now, most int
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.most = max(g.most, g.now)
}

func (g *gauge) get() (now, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now, g.most
}
