package mcp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A connModel says what a client of a connection may expect. Its methods are the actions of a
// random test; each reads all that comes of it, so that a line too many fails the next one.
type connModel struct {
	c       *lineClient
	s       *Server
	next    int
	session bool
	waiting map[string]bool   // ids of calls that wait for their end
	asking  map[string]string // questions without an answer, and the ids of their calls
	listens map[string]bool   // ids of subscriptions to the list of prompts
}

func (m *connModel) id(t *rapid.T) string {
	m.next++
	if rapid.Bool().Draw(t, "string id") {
		return fmt.Sprintf(`"id %d"`, m.next)
	}
	return fmt.Sprint(m.next)
}

// pick returns a key of set, or skips the action if there is none.
func pick[V any](t *rapid.T, set map[string]V) string {
	var keys []string
	for key := range set {
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		t.Skip("nothing to pick")
	}
	slices.Sort(keys)
	return rapid.SampledFrom(keys).Draw(t, "one of")
}

// busy returns the ids of all requests in flight.
func (m *connModel) busy() map[string]bool {
	all := make(map[string]bool)
	for id := range m.waiting {
		all[id] = true
	}
	for _, id := range m.asking {
		all[id] = true
	}
	for id := range m.listens {
		all[id] = true
	}
	return all
}

// request returns a tools/call of either era.
func (m *connModel) request(t *rapid.T, id, tool, args string) string {
	if m.session && rapid.Bool().Draw(t, "legacy") {
		return call(id, tool, args)
	}
	return modernCall(id, tool, args)
}

func (m *connModel) Initialize(t *rapid.T) {
	if m.session {
		t.Skip("initialized")
	}
	m.c.initialize("2025-11-25", `{"elicitation":{}}`)
	m.session = true
	m.c.send(`{"jsonrpc":"2.0","id":"sync","method":"ping"}`)
	m.c.want("ping", `"id":"sync"`)
}

func (m *connModel) Call(t *rapid.T) {
	id := m.id(t)
	m.c.send(m.request(t, id, rapid.SampledFrom([]string{"inline", "echo"}).Draw(t, "tool"), `{"text":"x"}`))
	m.c.want("a call", `"id":`+id+`,"result"`)
}

func (m *connModel) Wait(t *rapid.T) {
	id := m.id(t)
	m.c.send(m.request(t, id, "quiet", `{}`))
	m.waiting[id] = true
}

func (m *connModel) Ask(t *rapid.T) {
	if !m.session {
		t.Skip("no session")
	}
	id := m.id(t)
	m.c.send(call(id, rapid.SampledFrom([]string{"byReturn", "waiting"}).Draw(t, "tool"), `{"Ask":true}`))
	m.asking[idOfRequest(m.c.want("a question", `"method":"elicitation/create"`))] = id
}

func (m *connModel) Answer(t *rapid.T) {
	ask := pick(t, m.asking)
	id := m.asking[ask]
	delete(m.asking, ask)
	m.c.send(`{"jsonrpc":"2.0","id":` + ask + `,"result":{"action":"decline"}}`)
	m.c.want("an answer", `"id":`+id+`,"result"`, "decline")
}

func (m *connModel) Cancel(t *rapid.T) {
	id := pick(t, m.busy())
	m.c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`)
	delete(m.waiting, id)
	delete(m.listens, id)
	question := "none"
	for ask, of := range m.asking {
		if of == id {
			question = ask
			delete(m.asking, ask)
		}
	}
	m.late(question)
}

// late reads what may come after a cancellation: that of the question, if the handler waited for an
// answer. A call that takes a moment says that it is over.
func (m *connModel) late(ask string) {
	m.c.send(modernCall(`"sync"`, "settle", `{}`))
	for range 2 {
		line := m.c.next()
		if strings.Contains(line, `"id":"sync"`) {
			return
		}
		if !strings.Contains(line, `notifications/cancelled`) || !strings.Contains(line, `"requestId":`+ask) {
			m.c.t.Errorf("after a cancellation came %s", line)
		}
	}
}

func (m *connModel) SameID(t *rapid.T) {
	id := pick(t, m.busy())
	m.c.send(m.request(t, id, rapid.SampledFrom([]string{"inline", "echo", "quiet"}).Draw(t, "tool"), `{"text":"x"}`))
	m.c.want("an id in flight", `"id":`+id+`,"error"`, "-32600")
}

func (m *connModel) Listen(t *rapid.T) {
	id := m.id(t)
	m.c.send(modernLine(id, "subscriptions/listen", `"notifications":{"promptsListChanged":true}`))
	m.c.want("a subscription", "acknowledged", id)
	m.listens[id] = true
}

func (m *connModel) Touch(*rapid.T) {
	touch(m.s)
	want := len(m.listens)
	if m.session {
		want++
	}
	seen := make(map[string]bool)
	for range want {
		line := m.c.want("a notice", "prompts/list_changed")
		_, id, _ := strings.Cut(line, MetaKeySubscriptionID+`":`)
		id, _, _ = strings.Cut(id, "}")
		if seen[id] || id != "" && !m.listens[id] || id == "" && !m.session {
			m.c.t.Errorf("a notice for %q", id)
		}
		seen[id] = true
	}
}

func (m *connModel) Hostile(t *rapid.T) {
	m.c.send(rapid.SampledFrom([]string{"{", "[]", `{"jsonrpc":"2.0","id":null,"method":"x"}`, "\xff", `"x"`}).Draw(t, "line"))
	m.c.want("a hostile line", `"error"`)
}

// end ends the connection in one of two ways and checks what still comes.
func (m *connModel) end(t *rapid.T) {
	graceful := rapid.Bool().Draw(t, "by the server")
	want := make(map[string]bool)
	for id := range m.waiting {
		want[id] = true
	}
	for _, id := range m.asking {
		want[id] = true
	}
	if graceful {
		for id := range m.listens {
			want[id] = true
		}
		m.late("none") // so that the server has read everything
		go m.c.ss.Close()
	} else {
		m.c.w.(*InMemoryTransport).out.close()
	}
	for line := range m.c.lines {
		id := idOfRequest(line)
		if !want[id] {
			m.c.t.Errorf("at the end came %s", line)
		}
		delete(want, id)
	}
	if len(want) > 0 {
		m.c.t.Errorf("at the end %v got no answer", want)
	}
	if err := m.c.ss.Wait(); err != nil && err != ErrConnectionClosed {
		m.c.t.Errorf("Wait returned %v", err)
	}
	if n, w, u := len(m.s.peers.all()), len(*m.s.watchers.Load()), len(m.s.subscribe.counts); n+w+u > 0 {
		m.c.t.Errorf("%d sessions, %d watchers and %d resources are left", n, w, u)
	}
}

// addQuiet adds a tool that waits for the end of its context, and one that lets others settle.
func addQuiet(s *Server) {
	AddTool(s, &Tool{Name: "quiet", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *CallToolRequest, _ any) (*CallToolResult, any, error) {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	})
	AddTool(s, &Tool{Name: "settle"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		time.Sleep(3 * time.Millisecond)
		return text("settled"), nil, nil
	})
}

func TestConnectionModel(t *testing.T) {
	s := newAskServer(t, nil)
	addQuiet(s)
	touch(s)
	rapid.Check(t, func(rt *rapid.T) {
		m := &connModel{
			c: dial(t, s, nil), s: s, waiting: make(map[string]bool), asking: make(map[string]string),
			listens: make(map[string]bool),
		}
		defer m.c.ss.Close()
		rt.Repeat(rapid.StateMachineActions(m))
		m.end(rt)
		if t.Failed() {
			rt.Fatal("see above")
		}
	})
}

// Check is called after each action: the server knows of what is in flight what the model knows.
func (m *connModel) Check(t *rapid.T) {
	p := m.c.ss.peer
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.listens) != len(m.listens) || len(p.asks) > len(m.asking) || p.ended {
		t.Fatalf("%d subscriptions, %d questions, ended %v; want %d and %d", len(p.listens), len(p.asks), p.ended, len(m.listens), len(m.asking))
	}
}
