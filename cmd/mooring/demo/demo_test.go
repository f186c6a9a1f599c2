package demo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mooring-mcp/mooring/cmd/mooring/demo"
	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

const revision = "2026-07-28"

// A client calls the features in process and checks every message it gets.
type client struct {
	t     *testing.T
	s     *mcp.Server
	check *wirecheck.Checker
	meta  string // more members of _meta, each after a comma
}

func newClient(t *testing.T) *client {
	ctx, cancel := context.WithCancel(context.Background())
	s := demo.New(ctx, "v0.0.1", slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		cancel()
		s.Close()
	})
	return &client{t: t, s: s, check: wirecheck.Open(t)}
}

// A recorder is a Sink that keeps the messages of a call.
type recorder struct {
	mu    sync.Mutex
	notes []string
	last  string
}

func (r *recorder) Notify(msg []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, string(msg))
	return true
}

func (r *recorder) Respond(msg []byte, _ jsonrpc.Code) { r.last = string(msg) }

// prepare prepares a request. params holds more members of the params, each after a comma.
func (c *client) prepare(call *mcp.Call, method, params string) *jsonrpc.Error {
	c.t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":%q,`+
		`"io.modelcontextprotocol/clientCapabilities":{}%s}%s}}`, method, revision, c.meta, params)
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(body)); err != nil {
		c.t.Fatalf("%s: %v", body, err)
	}
	return c.s.Prepare(call, &m, &mcp.RequestMeta{})
}

func (c *client) call(ctx context.Context, method, params string) *recorder {
	c.t.Helper()
	var call mcp.Call
	r := new(recorder)
	if refused := c.prepare(&call, method, params); refused != nil {
		r.last = string(jsonrpc.AppendError(nil, []byte("1"), refused))
	} else {
		call.Run(ctx, r)
	}
	for _, msg := range append(slices.Clone(r.notes), r.last) {
		c.check.Message(c.t, revision, method, []byte(msg))
	}
	return r
}

func (c *client) wants(why, method, params string, parts ...string) {
	c.t.Helper()
	r := c.call(c.t.Context(), method, params)
	for _, p := range parts {
		if !strings.Contains(r.last, p) {
			c.t.Errorf("%s: want %s in %s", why, p, r.last)
		}
	}
}

func TestToolsAnswer(t *testing.T) {
	c := newClient(t)
	c.wants("echo", "tools/call", `,"name":"echo","arguments":{"text":"ahoy"}`, `{"type":"text","text":"ahoy"}`)
	c.wants("add", "tools/call", `,"name":"add","arguments":{"a":2,"b":-5}`, `"structuredContent":{"sum":-3}`)
	c.wants("add a string", "tools/call", `,"name":"add","arguments":{"a":"2","b":5}`, `"isError":true`)
	c.wants("echo nothing", "tools/call", `,"name":"echo","arguments":{}`, `"isError":true`)
	c.wants("countdown too long", "tools/call", `,"name":"countdown","arguments":{"seconds":301}`, `"isError":true`)
	c.wants("discover", "server/discover", ``, `"name":"mooring"`, `"version":"v0.0.1"`, `"subscribe":true`, `"listChanged":true`, `"completions":{}`)
	c.wants("tools", "tools/list", ``, `"echo"`, `"add"`, `"countdown"`, `"toggle"`, `"outputSchema"`)

	var call mcp.Call
	for name, inline := range map[string]bool{"add": true, "echo": false} {
		call.Reset()
		args := map[bool]string{true: `{"a":1,"b":1}`, false: `{"text":""}`}[inline]
		if refused := c.prepare(&call, "tools/call", `,"name":"`+name+`","arguments":`+args); refused != nil || call.Inline() != inline {
			t.Errorf("%s: refused %v, inline %v, want %v", name, refused, call.Inline(), inline)
		}
	}
}

func TestToggle(t *testing.T) {
	c := newClient(t)
	changes := 0
	c.s.OnChange(func(ch mcp.Change) {
		if ch.Topic == mcp.TopicTools {
			changes++
		}
	})
	c.wants("before", "tools/call", `,"name":"extra"`, `-32602`)
	c.wants("on", "tools/call", `,"name":"toggle"`, `added extra`)
	c.wants("extra", "tools/call", `,"name":"extra"`, `I am extra.`)
	c.wants("off", "tools/call", `,"name":"toggle"`, `removed extra`)
	c.wants("after", "tools/call", `,"name":"extra"`, `-32602`)
	if changes != 2 {
		t.Errorf("%d changes were reported, want 2", changes)
	}
}

func TestCountdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.meta = `,"progressToken":"p"`
		begin := time.Now()
		r := c.call(t.Context(), "tools/call", `,"name":"countdown","arguments":{"seconds":3}`)
		if took := time.Since(begin); took != 3*time.Second || len(r.notes) != 4 || !strings.Contains(r.last, "counted 3 s") {
			t.Errorf("took %v, %d notifications, %s", took, len(r.notes), r.last)
		}
		c.wants("by default", "tools/call", `,"name":"countdown","arguments":{}`, "counted 3 s")
		c.wants("zero", "tools/call", `,"name":"countdown","arguments":{"seconds":0}`, "counted 0 s")

		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1500*time.Millisecond, func() { cancel(errors.New("client disconnected")) })
		begin = time.Now()
		r = c.call(ctx, "tools/call", `,"name":"countdown","arguments":{"seconds":60}`)
		if took := time.Since(begin); took != 1500*time.Millisecond {
			t.Errorf("the call took %v, want 1.5 s: %s", took, r.last)
		}
	})
}

func TestTheClockTicksWhileSomeoneSubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		const uri = "mooring://clock"
		var mu sync.Mutex
		var ticks []string
		c.s.OnChange(func(ch mcp.Change) {
			mu.Lock()
			defer mu.Unlock()
			ticks = append(ticks, ch.URI)
		})
		after := func(why string, d time.Duration, want int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(ticks) != want {
				t.Errorf("%s: %d ticks, want %d: %q", why, len(ticks), want, ticks)
			}
			ticks = nil
		}
		after("nobody", 5*time.Second, 0)
		c.s.Subscribe(uri)
		after("one", 3500*time.Millisecond, 3)
		c.s.Subscribe(uri)
		after("two", 2*time.Second, 2)
		c.s.Unsubscribe(uri)
		after("one left", 2*time.Second, 2)
		c.s.Unsubscribe(uri)
		after("nobody left", 5*time.Second, 0)
		c.s.Subscribe(uri)
		after("again", 2500*time.Millisecond, 2)
		c.s.Unsubscribe(uri)
		c.s.Subscribe("mooring://harbour/oslo")
		after("another resource", 5*time.Second, 0)

		c.wants("read", "resources/read", `,"uri":"mooring://clock"`, `"text":"`+time.Now().UTC().Format("2006-01-02T15:04"))
	})
}

func TestHarbours(t *testing.T) {
	c := newClient(t)
	c.wants("read", "resources/read", `,"uri":"mooring://harbour/Oslo"`, `oslo, Norway: 11 m deep`, `"uri":"mooring://harbour/Oslo"`)
	c.wants("unknown", "resources/read", `,"uri":"mooring://harbour/atlantis"`, `-32602`, `mooring://harbour/atlantis`)
	c.wants("templates", "resources/templates/list", ``, `mooring://harbour/{name}`)
	c.wants("prompts", "prompts/list", ``, `"plan_visit"`, `"required":true`)
	c.wants("prompt", "prompts/get", `,"name":"plan_visit","arguments":{"harbour":"kiel","days":"2"}`, `2 day(s)`, `kiel (Germany, 9.5 m deep)`)
	c.wants("prompt for an unknown harbour", "prompts/get", `,"name":"plan_visit","arguments":{"harbour":"atlantis"}`, `1 day(s)`, `atlantis`)
	c.wants("prompt without its argument", "prompts/get", `,"name":"plan_visit"`, `-32602`)

	complete := func(ref, arg, typed string, want ...string) {
		t.Helper()
		c.wants(ref+" "+arg+" "+typed, "completion/complete", fmt.Sprintf(`,"ref":%s,"argument":{"name":%q,"value":%q}`, ref, arg, typed), want...)
	}
	prompt, template := `{"type":"ref/prompt","name":"plan_visit"}`, `{"type":"ref/resource","uri":"mooring://harbour/{name}"}`
	complete(prompt, "harbour", "B", `"values":["bergen","bremerhaven"]`, `"total":2`)
	complete(prompt, "days", "1", `"values":["1","14"]`)
	complete(template, "name", "o", `"values":["oslo"]`)
	complete(template, "days", "", `"values":[]`)
	complete(prompt, "harbour", "zz", `"values":[]`)
}
