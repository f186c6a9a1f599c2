package upstream

import (
	"runtime"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

func TestCallOfLegacyUpstream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		l := h.last()
		f := h.call(func(c *Call) {
			c.Params = []byte("{\"name\":\"x__echo\",\n\"arguments\":{\"a\": 1},\"_meta\":{\"progressToken\":\"mine\",\"io.modelcontextprotocol/clientInfo\":{},\"traceparent\":\"00-1\"}}")
			c.ProgressToken = []byte(`"mine"`)
			c.Deadline = time.Now().Add(time.Minute)
		})
		m := l.only("tools/call")
		if got, want := param(m), `{"name":"echo","arguments":{"a": 1},"_meta":{"traceparent":"00-1","progressToken":`+itoa(m.ID)+`}}`; got != want {
			t.Errorf("params %s, want %s", got, want)
		}
		if m.Name != "echo" || m.Deadline != f.call.Deadline {
			t.Errorf("name %q, deadline %v", m.Name, m.Deadline)
		}
		l.says(m.ID, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+itoa(m.ID)+`,"progress":1}}`)
		l.result(m.ID, `{"content":[],  "structuredContent":{"x":1e2}}`)
		f.wantResult("answered", `{"content":[],  "structuredContent":{"x":1e2}}`)
		if len(f.progress) != 1 || f.progress[0] != `{"progressToken":"mine","progress":1}` {
			t.Errorf("progress %s", f.progress)
		}
		if f.end.Version != legacyVersion {
			t.Errorf("version %q", f.end.Version)
		}
	})
}

func TestCallOfModernUpstream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.modern = true
		h.connect()
		l := h.last()
		if l.version != modernVersion || l.sent("initialize") != 0 {
			t.Fatalf("negotiated %q by %s", l.version, l.methods())
		}
		f := h.call(func(c *Call) {
			c.Capabilities = []byte(`{"roots":{}}`)
			c.LogLevel = LevelWarning
		})
		m := l.only("tools/call")
		want := `{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"gw","version":"1"},` +
			`"io.modelcontextprotocol/clientCapabilities":{"roots":{}},"io.modelcontextprotocol/logLevel":"warning"}`
		if got := param(m, "_meta"); got != want {
			t.Errorf("_meta %s, want %s", got, want)
		}
		l.result(m.ID, `{"resultType":"input_required","inputRequests":{"a":{}},"requestState":"s"}`)
		requests, state, ok := f.end.InputRequired()
		if !ok || string(requests) != `{"a":{}}` || string(state) != `"s"` {
			t.Errorf("input required: %s %s %t", requests, state, ok)
		}
	})
}

// TestAppend checks a call whose params somebody else writes.
func TestAppend(t *testing.T) {
	for _, modern := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{})
			h.modern = modern
			h.connect()
			f := h.call(func(c *Call) {
				c.WantsProgress, c.Params = true, nil
				c.Append = func(dst, meta []byte) []byte {
					dst = append(dst, "{\"a\":1,\r\n\"_meta\":{"...)
					return append(append(dst, meta...), "}}"...)
				}
			})
			l := h.last()
			m := l.only("tools/call")
			if param(m, "a") != "1" || param(m, "_meta", "progressToken") != itoa(m.ID) {
				t.Errorf("sent %s", m.Body)
			}
			if got := param(m, "_meta", metaVersion) != ""; got != modern {
				t.Errorf("sent %s", m.Body)
			}
			progress := `{"progressToken":` + itoa(m.ID) + `,"progress":1}`
			l.says(m.ID, `{"jsonrpc":"2.0","method":"notifications/progress","params":`+progress+`}`)
			if len(f.progress) != 1 || f.progress[0] != progress {
				t.Errorf("progress %s", f.progress)
			}
		})
	}
}

func TestErrorOfUpstream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f := h.call()
		h.last().error(h.last().only("tools/call").ID, -32602, "no")
		if string(f.end.Error) != `{"code":-32602,"message":"no"}` || f.end.Err != nil {
			t.Errorf("end %s %v", f.end.Error, f.end.Err)
		}
	})
}

func TestCancel(t *testing.T) {
	for _, tt := range []struct {
		name          string
		modern, stdio bool
		notified      int
		canceled      int
	}{
		{"legacy HTTP", false, false, 1, 1},
		{"modern HTTP", true, false, 0, 1},
		{"legacy stdio", false, true, 1, 0},
		{"modern stdio", true, true, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, Options{Stdio: tt.stdio})
				h.modern = tt.modern
				h.connect()
				l := h.last()
				a, b := h.call(), h.call()
				id := l.calls("tools/call")[0].ID
				a.call.Cancel("enough")
				a.call.Cancel("again")
				h.run()
				if a.ends != 1 || a.end.Err != ErrCanceled {
					t.Errorf("ends %d, %v", a.ends, a.end.Err)
				}
				if got := l.sent("notifications/cancelled"); got != tt.notified {
					t.Errorf("%d notifications, want %d", got, tt.notified)
				}
				if tt.notified > 0 {
					m := l.got[len(l.got)-1]
					if got, want := param(m), `{"requestId":`+itoa(id)+`,"reason":"enough"}`; got != want {
						t.Errorf("params %s, want %s", got, want)
					}
				}
				if len(l.canceled) != tt.canceled {
					t.Errorf("link.Cancel %d times, want %d", len(l.canceled), tt.canceled)
				}
				// The answer of the cancelled call may come all the same, and belongs to nobody.
				l.result(id, `{"late":true}`)
				l.result(l.only("tools/call").ID, `{"b":true}`)
				b.wantResult("the other call", `{"b":true}`)
			})
		})
	}
}

// TestCancelledOnStdio checks that a call that is cancelled on stdio is forgotten in the end,
// though no response comes.
func TestCancelledOnStdio(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Stdio: true, Concurrency: 1})
		h.connect()
		a, b := h.call(), h.call()
		l := h.last()
		l.only("tools/call") // b waits
		a.call.Cancel("")
		h.run()
		if n := len(l.calls("tools/call")); n != 1 {
			t.Errorf("%d calls with the child right after the cancellation", n)
		}
		h.after(lateWait)
		if len(l.canceled) != 1 {
			t.Errorf("cancelled: %v", l.canceled)
		}
		l.result(l.only("tools/call").ID, `{"b":1}`)
		b.wantResult("next", `{"b":1}`)
	})
}

func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.silent["initialize"] = true
		f := h.call(func(c *Call) { c.Deadline = time.Now().Add(time.Second) })
		h.after(2 * time.Second)
		f.wantReason("waiting for a session", link.Timeout)
		h.last().result(h.last().only("initialize").ID, `{"protocolVersion":"2025-06-18","capabilities":{}}`)
		h.run()
		g := h.call(func(c *Call) { c.Deadline = time.Now().Add(time.Second) })
		h.last().fail(h.last().only("tools/call").ID, &link.Error{Reason: link.Timeout})
		g.wantReason("at the upstream", link.Timeout)
		if h.last().sent("notifications/cancelled") != 1 {
			t.Errorf("the upstream was not told: %s", h.last().methods())
		}
	})
}

func TestResends(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    link.Error
		resent bool
	}{
		{"session expired", link.Error{Reason: link.Expired, Status: 404}, true},
		{"lost before it was written", link.Error{Reason: link.Lost, Unsent: true}, true},
		{"lost", link.Error{Reason: link.Lost}, false},
		{"misdirected", link.Error{Reason: link.Status, Status: 421, Unsent: true}, true},
		{"busy", link.Error{Reason: link.Busy, Unsent: true}, false},
		{"503", link.Error{Reason: link.Status, Status: 503}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, Options{})
				h.connect()
				f := h.call()
				err := tt.err
				h.last().fail(h.last().only("tools/call").ID, &err)
				h.run()
				if !tt.resent {
					f.wantReason("failed", tt.err.Reason)
					return
				}
				if f.ends != 0 {
					t.Fatalf("ended with %v", f.end.Err)
				}
				err2 := tt.err
				h.last().fail(h.last().only("tools/call").ID, &err2)
				h.run()
				f.wantReason("failed again", tt.err.Reason)
			})
		})
	}
}

// TestManyCalls checks that waiting calls have no goroutines, and each gets its own answer.
func TestManyCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		l := h.last()
		const n = 10_000
		before := runtime.NumGoroutine()
		fronts := make([]*front, n)
		for i := range fronts {
			fronts[i] = h.start(func(c *Call) {
				c.Params = []byte(`{"name":"x__echo","n":` + itoa(int64(i)) + `}`)
				c.Deadline = time.Now().Add(time.Minute)
			})
		}
		h.run()
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines with %d calls, %d before", after, n, before)
		}
		for _, m := range l.calls("tools/call") {
			l.result(m.ID, `{"n":`+param(m, "n")+`}`)
		}
		for i, f := range fronts {
			f.wantResult("answered", `{"n":`+itoa(int64(i))+`}`)
		}
	})
}
