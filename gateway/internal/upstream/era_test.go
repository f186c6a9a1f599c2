package upstream

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

func TestProbeOverHTTP(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(l *fakeLink, m *link.Message) bool // reports whether it has answered
		want   string                                  // what the links were sent until the first list
		era    string
	}{
		{"modern", func(l *fakeLink, m *link.Message) bool {
			l.h.modern = true
			return false
		}, "server/discover subscriptions/listen", "modern"},
		{"unknown method", nil, "server/discover | initialize notifications/initialized", "legacy"},
		{"discover without the modern revision", func(l *fakeLink, m *link.Message) bool {
			if m.Method == "server/discover" {
				l.result(m.ID, `{"supportedVersions":["2025-11-25"],"capabilities":{}}`)
				return true
			}
			return false
		}, "server/discover | initialize notifications/initialized", "legacy"},
		{"unsupported version", func(l *fakeLink, m *link.Message) bool {
			if m.Method == "server/discover" {
				l.error(m.ID, -32022, "no")
				return true
			}
			return false
		}, "server/discover | initialize notifications/initialized", "legacy"},
		{"400 without JSON-RPC", status(400, "server/discover"), "server/discover | initialize notifications/initialized", "legacy"},
		{"404", func(l *fakeLink, m *link.Message) bool {
			if m.Method == "server/discover" {
				l.fail(m.ID, &link.Error{Reason: link.Expired, Status: 404})
				return true
			}
			return false
		}, "server/discover | initialize notifications/initialized", "legacy"},
		{"silence", func(l *fakeLink, m *link.Message) bool {
			if m.Method == "server/discover" {
				l.fail(m.ID, &link.Error{Reason: link.Timeout})
				return true
			}
			return false
		}, "server/discover | initialize notifications/initialized", "legacy"},
		{"HTTP+SSE", func(l *fakeLink, m *link.Message) bool {
			return !l.sse && status(405, "server/discover", "initialize")(l, m)
		}, "server/discover | initialize | initialize notifications/initialized", "legacy, HTTP+SSE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var h *harbor
				h = newHarbor(t, Options{OpenSSE: func(r link.Receiver, principal string) link.Link { return h.open(r, principal, true) }})
				if tt.script != nil {
					h.script = func(l *fakeLink, m *link.Message) {
						if !tt.script(l, m) {
							h.upstream(l, m)
						}
					}
				}
				h.connect()
				var all []string
				for _, l := range h.links {
					all = append(all, l.methods())
				}
				got, _, _ := strings.Cut(strings.Join(all, " | "), " tools/list")
				if got != tt.want {
					t.Errorf("sent %q, want %q", got, tt.want)
				}
				if st := h.s.State(); st.Era != tt.era || st.State != "up" {
					t.Errorf("era %q, state %q, error %s", st.Era, st.State, st.LastError)
				}
				// The era is remembered.
				h.last().lose()
				h.after(time.Second)
				if got := h.last().methods(); strings.Contains(got, "server/discover") != (tt.era == "modern") {
					t.Errorf("after a loss: %s", got)
				}
			})
		})
	}
}

// status answers requests of the methods with a status and without JSON-RPC.
func status(code int, methods ...string) func(l *fakeLink, m *link.Message) bool {
	return func(l *fakeLink, m *link.Message) bool {
		for _, method := range methods {
			if m.Method == method {
				l.fail(m.ID, &link.Error{Reason: link.Status, Status: code})
				return true
			}
		}
		return false
	}
}

// TestProbeSaysNothing checks that some failures are not remembered as an answer.
func TestProbeSaysNothing(t *testing.T) {
	for _, code := range []int{401, 403, 408, 429, 500, 503} {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{})
			h.modern = true
			ill := true
			h.script = func(l *fakeLink, m *link.Message) {
				if !ill || !status(code, "server/discover")(l, m) {
					h.upstream(l, m)
				}
			}
			f := h.call()
			f.wantReason("while the upstream is ill", link.Status)
			if st := h.s.State(); st.Era != "" || st.LastError == "" {
				t.Errorf("%d: era %q, error %q", code, st.Era, st.LastError)
			}
			ill = false
			g := h.call()
			h.last().result(h.last().only("tools/call").ID, `{}`)
			g.wantResult("when it is well", `{}`)
			if st := h.s.State(); st.Era != "modern" {
				t.Errorf("%d: era %q", code, st.Era)
			}
		})
	}
}

func TestProbeOverStdio(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{Stdio: true})
			h.silent["server/discover"] = true
			h.connect()
			if got := h.last().methods(); got != "server/discover" {
				t.Fatalf("at once: %s", got)
			}
			h.after(probeTimeout)
			if st := h.s.State(); st.Era != "legacy" || len(h.links) != 1 {
				t.Errorf("era %q on %d links", st.Era, len(h.links))
			}
		})
	})
	t.Run("slow and modern", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{Stdio: true})
			h.modern = true
			h.silent["server/discover"], h.silent["initialize"] = true, true
			h.connect()
			h.after(10 * time.Second)
			h.silent = map[string]bool{}
			l := h.last()
			h.upstream(l, l.only("server/discover"))
			h.run()
			if st := h.s.State(); st.Era != "modern" || st.State != "up" || len(h.links) != 1 {
				t.Errorf("era %q, state %q on %d links", st.Era, st.State, len(h.links))
			}
		})
	})
	t.Run("exits", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{Stdio: true})
			h.script = func(l *fakeLink, m *link.Message) {
				if m.Method == "server/discover" {
					l.lose()
					return
				}
				h.upstream(l, m)
			}
			h.connect()
			if st := h.s.State(); st.Era != "legacy" || st.State != "up" || len(h.links) != 2 {
				t.Errorf("era %q, state %q on %d links", st.Era, st.State, len(h.links))
			}
		})
	})
	t.Run("settles for the first message", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{Stdio: true})
			h.script = func(l *fakeLink, m *link.Message) {
				if m.Method == "initialize" && l.sent("server/discover") > 0 {
					l.error(m.ID, 0, "duplicate")
					return
				}
				h.upstream(l, m)
			}
			h.connect()
			if st := h.s.State(); st.Era != "legacy" || len(h.links) != 2 || h.links[1].got[0].Method != "initialize" {
				t.Errorf("era %q on %d links", st.Era, len(h.links))
			}
		})
	})
}

func TestFixedEra(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Era: EraLegacy})
		h.connect()
		if got := h.last().got[0].Method; got != "initialize" {
			t.Errorf("legacy: first %s", got)
		}
		g := newHarbor(t, Options{Era: EraModern})
		f := g.call()
		f.wantReason("modern or nothing", link.Malformed)
		if g.last().sent("initialize") != 0 {
			t.Error("initialize was sent")
		}
	})
}

// TestEraChanges checks that an upstream that was replaced by one of the other era is asked again.
func TestEraChanges(t *testing.T) {
	t.Run("modern to legacy", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{})
			h.modern = true
			h.connect()
			f := h.call()
			h.modern = false
			l := h.last()
			l.error(l.only("tools/call").ID, codeUnsupportedVersion, "no")
			h.run()
			if h.last() == l || h.s.State().Era != "legacy" {
				t.Fatalf("era %q", h.s.State().Era)
			}
			h.last().result(h.last().only("tools/call").ID, `{"ok":1}`)
			f.wantResult("sent again", `{"ok":1}`)
		})
	})
	t.Run("legacy to modern", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{})
			h.connect()
			h.modern, h.legacy = true, false
			f := h.call()
			h.last().fail(h.last().only("tools/call").ID, &link.Error{Reason: link.Expired, Status: 404})
			h.run()
			h.after(time.Second)
			if h.s.State().Era != "modern" {
				t.Fatalf("era %q", h.s.State().Era)
			}
			_ = f
			g := h.call()
			h.last().result(h.last().only("tools/call").ID, `{"ok":1}`)
			g.wantResult("afterwards", `{"ok":1}`)
		})
	})
}

func TestVersions(t *testing.T) {
	for _, version := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{})
			h.version = version
			h.connect()
			if h.last().version != version || h.s.State().Version != version || h.changed[0].Version != version {
				t.Errorf("%s: negotiated %q", version, h.last().version)
			}
		})
	}
	for _, version := range []string{"2026-07-28", "1", ""} {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{})
			h.version = version
			f := h.call()
			f.wantReason(version, link.Malformed)
		})
	}
}

// TestDown checks that calls fail at once when the upstream has failed often, and that it is
// tried for ever.
func TestDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		down := true
		h.script = func(l *fakeLink, m *link.Message) {
			if !down {
				h.upstream(l, m)
				return
			}
			l.fail(m.ID, &link.Error{Reason: link.Lost, Unsent: true})
		}
		h.connect()
		for range 100 {
			h.after(10 * time.Second)
		}
		tries := len(h.links)
		if tries < 15 || tries > 60 {
			t.Errorf("%d attempts in 1000 s", tries)
		}
		f := h.call()
		f.wantReason("down", link.Down)
		if e := f.end.Err.(*link.Error); e.RetryAfter <= 0 || e.RetryAfter > 2*maxBackoff || !e.Unsent {
			t.Errorf("retry after %v", e.RetryAfter)
		}
		if len(h.links) != tries || h.s.State().State != "down" {
			t.Errorf("the call has opened a link; state %q", h.s.State().State)
		}
		down = false
		h.after(80 * time.Second)
		if st := h.s.State(); st.State != "up" {
			t.Errorf("state %q", st.State)
		}
	})
}
