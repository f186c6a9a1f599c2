package mcp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A waitingBackend keeps its calls until the test ends them.
type waitingBackend struct {
	starts  chan *Forward
	cancels chan error
}

func newWaitingBackend() *waitingBackend {
	return &waitingBackend{make(chan *Forward, 4096), make(chan error, 4096)}
}

func (b *waitingBackend) Start(f *Forward) { b.starts <- f }

func (b *waitingBackend) Cancel(f *Forward, cause error) {
	b.cancels <- cause
	f.Error(errInternal)
}

// next returns the next call that has started.
func (b *waitingBackend) next(t *testing.T) *Forward {
	t.Helper()
	select {
	case f := <-b.starts:
		return f
	case <-time.After(5 * time.Second):
		t.Fatal("no call starts")
		return nil
	}
}

func (b *waitingBackend) wantCancel(t *testing.T, why string, want error) {
	t.Helper()
	select {
	case cause := <-b.cancels:
		if want != nil && !errors.Is(cause, want) {
			t.Errorf("%s: cause %v, want %v", why, cause, want)
		}
	case <-time.After(5 * time.Second):
		t.Errorf("%s: not cancelled", why)
	}
}

const upCall = `"name":"up__t"`

// Calls of a connection are answered by their upstream in any order, on one line each.
func TestSessionForward(t *testing.T) {
	b := newWaitingBackend()
	s := forwarding(t, b, nil)
	c := dial(t, s, nil)
	c.send(modernLine("1", "tools/call", upCall), modernLine(`"two"`, "tools/call", upCall), modernLine("1", "tools/call", upCall))
	c.want("an id in flight", `"id":1,"error"`)
	one, two := b.next(t), b.next(t)
	c.send(modernLine("3", "tools/list", ""))
	c.want("others go on", `"id":3`)
	two.Result([]byte("{\n\"content\":\n[]}"))
	c.want("the second", `"id":"two"`, `"content": []`)
	one.Result([]byte(`{"content":[]}`))
	c.want("the first", `"id":1,`)
	one.Result([]byte(`{"content":[]}`))
	c.wantSilence("once is enough")
	c.send(modernLine("1", "tools/call", upCall))
	b.next(t).Error(&jsonrpc.Error{Code: -5, Message: "no"})
	c.want("the id may come again", `"id":1,"error":{"code":-5`)
}

// A cancelled call is not answered, and one whose connection ends is cancelled too.
func TestSessionForwardEnds(t *testing.T) {
	b := newWaitingBackend()
	s := forwarding(t, b, &ServerOptions{Logger: quiet})
	c := dial(t, s, nil)
	c.initialize("2025-11-25", everyCap)
	call := func(id string) {
		c.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{` + upCall + `}}`)
	}
	call("1")
	f := b.next(t)
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	b.wantCancel(t, "cancelled", errCancelled)
	if f.Message([]byte(`{"level":"error","data":1}`)) {
		t.Error("told after the cancellation")
	}
	c.wantSilence("after the cancellation")
	call("1")
	b.next(t)
	call("2") // one that waits for its client
	if !b.next(t).Ask([]Ask{{"k", askElicitation, []byte(askForm)}}, nil) {
		t.Fatal("not asked")
	}
	c.want("asked", "elicitation/create")
	call("3")
	if !b.next(t).Ask([]Ask{{"k", askRoots, nil}}, nil) {
		t.Fatal("not asked")
	}
	c.want("asked", "roots/list")
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
	b.wantCancel(t, "cancelled while it waits", errCancelled)
	done := make(chan struct{})
	go func() {
		c.ss.Close()
		close(done)
	}()
	for range 2 {
		b.wantCancel(t, "the end", nil)
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the session does not end")
	}
}

// The client of a session answers the questions of an upstream.
func TestSessionForwardAsks(t *testing.T) {
	b := newWaitingBackend()
	s := forwarding(t, b, nil)
	c := dial(t, s, nil)
	c.initialize("2025-11-25", everyCap)
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + upCall + `}}`)
	b.next(t).Ask([]Ask{{"k", askElicitation, []byte(askForm)}, {"r", askRoots, nil}}, []byte("park"))
	for range 2 {
		line := c.want("asked", `"method":"`)
		id := idOfRequest(line)
		if strings.Contains(line, "roots") {
			c.send(`{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-1,"message":"no"}}`)
		} else {
			c.send(`{"jsonrpc":"2.0","id":` + id + `,"result":{"action":"accept","content":{"n":"x"}}}`)
		}
	}
	f := b.next(t)
	if state, ok := f.State(); state != "park" || !ok || !strings.Contains(string(f.InputResponses()), `"r":"no"`) || !strings.Contains(string(f.InputResponses()), `"k":{"action":"accept","content":{"n":"x"}}`) {
		t.Errorf("state %q, answers %s", state, f.InputResponses())
	}
	f.Result([]byte(`{"content":[]}`))
	c.want("answered", `"id":1,"result":{"content":[]}`)
}

// In a batch, the response comes with the others.
func TestSessionForwardInBatch(t *testing.T) {
	b := newWaitingBackend()
	s := forwarding(t, b, nil)
	c := dial(t, s, nil)
	c.initialize("2025-03-26", `{}`)
	c.schema = nil
	c.send(`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + upCall + `}},{"jsonrpc":"2.0","id":2,"method":"ping"}]`)
	f := b.next(t)
	c.wantSilence("before the last")
	f.Result([]byte(`{"content":[]}`))
	c.want("all", `[{"jsonrpc":"2.0","id":2,"result":{}},{"jsonrpc":"2.0","id":1,"result":{"content":[]}}]`)
}

// Calls that wait have no goroutines.
func TestSessionForwardGoroutines(t *testing.T) {
	const n = 4000
	b := newWaitingBackend()
	s := forwarding(t, b, nil)
	c := dial(t, s, &ServerSessionOptions{MaxCalls: n})
	c.schema = nil
	c.send(modernLine("0", "tools/list", ""))
	c.want("warm", `"id":0`)
	before := runtime.NumGoroutine()
	go func() {
		for i := range n {
			c.send(modernLine(fmt.Sprint(i+1), "tools/call", upCall))
		}
	}()
	var fs []*Forward
	for range n {
		fs = append(fs, b.next(t))
	}
	if after := runtime.NumGoroutine(); after > before+2 { // of the test, and a reader that takes over
		t.Errorf("%d goroutines, %d before", after, before)
	}
	c.send(modernLine("-1", "tools/call", upCall))
	c.want("one too many", `"id":-1,"error"`)
	for _, f := range fs {
		f.Result([]byte(`{"content":[]}`))
	}
	for range n {
		c.want("answered", `"result"`)
	}
}

// Answers, cancellations and the end of a session race, and each call ends once.
func TestSessionForwardRaces(t *testing.T) {
	for range 20 {
		b := &waitingBackend{make(chan *Forward, 64), make(chan error, 4096)}
		s := forwarding(t, b, &ServerOptions{Logger: quiet})
		ours, theirs := NewInMemoryTransports()
		ss, err := s.Connect(context.Background(), ours, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			buf := make([]byte, 4096)
			for {
				if _, err := theirs.Read(buf); err != nil {
					return
				}
			}
		}()
		var all sync.WaitGroup
		all.Go(func() {
			for i := range 40 {
				fmt.Fprintf(theirs, "%s\n", modernLine(fmt.Sprint(i), "tools/call", upCall))
				fmt.Fprintf(theirs, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`+"\n", i-i%3)
			}
			theirs.Close()
		})
		stop := make(chan struct{})
		for range 2 {
			all.Go(func() {
				for {
					select {
					case f := <-b.starts:
						f.Progress([]byte(`{"progress":1}`))
						f.Result([]byte(`{"content":[]}`))
					case <-stop:
						return
					}
				}
			})
		}
		_ = ss.Wait()
		close(stop)
		all.Wait()
	}
}
