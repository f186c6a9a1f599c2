package hop

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

func TestCall(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{
			"Accept": "application/json, text/event-stream", "Content-Type": "application/json", "Connection": "keep-alive",
			"Origin": "", "Accept-Encoding": "", "X-Key": "k", "Mcp-Method": "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		id, _ := idOf(r)
		answer(w, id)
	})
	u, l, r := open(t, s.URL, Options{Header: http.Header{"X-Key": {"k"}}}, OpenOptions{})
	for id := int64(1); id < 20; id++ {
		l.Send(call(id))
		r.received(t, id, result(id))
	}
	if st := u.Stats(); st.Dials != 1 || st.Requests != 19 || st.HungUp != 0 || st.BytesIn == 0 || st.BytesOut == 0 {
		t.Errorf("got %+v", st)
	}
}

// A response is the message with the id, whatever the status and the type say.
func TestStatusAndBody(t *testing.T) {
	const errorText = `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}`
	const noID = `{"jsonrpc":"2.0","error":{"code":-32000,"message":"no"}}`
	const nullID = `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}`
	statuses := []int{200, 201, 202, 204, 300, 303, 304, 400, 401, 402, 403, 404, 405, 406, 408, 410, 415, 421, 429, 500, 501, 502, 503, 504, 599}
	bodies := []struct {
		name, kind, text string
		message          string // received, if the status can have content
		reason           link.Reason
	}{
		{"result", "application/json", result(1), result(1), 0},
		{"result with space", "application/json", "\r\n \t" + result(1) + "\n\n", result(1), 0},
		{"byte order mark", "application/json", "\ufeff" + result(1), result(1), 0},
		{"error", "application/json", errorText, errorText, 0},
		{"no type", "", result(1), result(1), 0},
		{"event stream with JSON", "text/event-stream", result(1), result(1), 0},
		{"batch", "application/json", "[" + result(1) + "]", result(1), 0},
		{"error without id", "application/json", noID, "", link.Malformed},
		{"error with null", "application/json", nullID, "", link.Malformed},
		{"foreign id", "application/json", result(2), "", link.Malformed},
		{"id as string", "application/json", strings.Replace(result(1), `"id":1`, `"id":"1"`, 1), "", link.Malformed},
		{"empty batch", "application/json", "[]", "", link.Malformed},
		{"cut", "application/json", result(1)[:20], "", link.Malformed},
		{"two values", "application/json", result(1) + result(1), "", link.Malformed},
		{"empty", "application/json", "", "", link.Malformed},
		{"HTML", "text/html", "<html>no</html>", "", link.Malformed},
		{"HTML as event stream", "text/event-stream", "<html>no</html>", "", link.Malformed},
		{"text", "text/plain", "no", "", link.Malformed},
		{"blank", "application/json", strings.Repeat(" ", 100<<10), "", link.Malformed},
	}
	for _, status := range statuses {
		for _, b := range bodies {
			t.Run(fmt.Sprintf("%d %s", status, b.name), func(t *testing.T) {
				t.Parallel()
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", b.kind)
					w.Header().Set("Retry-After", "7")
					w.Header().Set("WWW-Authenticate", "Bearer secret")
					w.WriteHeader(status)
					_, _ = io.WriteString(w, b.text)
				})
				u, l, r := open(t, s.URL, Options{}, OpenOptions{})
				l.Send(call(1))
				empty := status == 204 || status == 304
				message := b.message
				if status >= 300 && status < 400 {
					message = ""
				}
				switch {
				case status >= 300 && (message == "" || empty):
					err := r.failed(t, 1, link.Status, status == 421)
					if err.Status != status || err.RetryAfter != 7*time.Second || strings.Contains(err.Error()+err.Detail, "secret") {
						t.Errorf("got %+v", err)
					}
				case empty:
					r.failed(t, 1, link.Malformed, false)
				case message != "":
					r.received(t, 1, message)
				default:
					if err := r.failed(t, 1, b.reason, false); err.Status != status {
						t.Errorf("got %+v", err)
					}
				}
				r.none(t, time.Millisecond)
				until(t, "in flight", func() bool { return u.Stats().InFlight == 0 })
				if st := u.Stats(); st.HungUp != 0 || st.Sockets != 1 {
					t.Errorf("got %+v", st)
				}
			})
		}
	}
}

// Content with a coding that was not asked for is not read.
func TestContentCoding(t *testing.T) {
	for status, reason := range map[int]link.Reason{200: link.Malformed, 502: link.Status} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, result(1))
		})
		_, l, r := open(t, s.URL, Options{}, OpenOptions{})
		l.Send(call(1))
		if err := r.failed(t, 1, reason, false); err.Status != status || err.Detail != "" {
			t.Errorf("got %+v", err)
		}
	}
}

func TestEventStream(t *testing.T) {
	tests := []struct {
		name, kind, text string
		want             []string
		reason           link.Reason
	}{
		{"response", "text/event-stream", "data: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"as JSON", "application/json", "event: message\ndata: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"comment first, no type", "", ":\n\ndata: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"progress before", "text/event-stream", "data: " + progress + "\n\ndata: " + result(1) + "\n\n", []string{progress, result(1)}, 0},
		{"question before", "text/event-stream", "data: " + `{"jsonrpc":"2.0","id":1,"method":"roots/list"}` + "\n\ndata: " + result(1) + "\n\n",
			[]string{`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`, result(1)}, 0},
		{"priming", "text/event-stream", "id: 1\ndata:\n\ndata: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"other type", "text/event-stream", "event: ping\ndata: " + result(1) + "\n\ndata: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"two responses", "text/event-stream", "data: " + result(1) + "\n\ndata: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"progress after", "text/event-stream", "data: " + result(1) + "\n\ndata: " + progress + "\n\n", []string{result(1)}, 0},
		{"foreign", "text/event-stream", "data: " + result(7) + "\n\ndata: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"batch", "text/event-stream", "data: [" + progress + "," + result(1) + "]\n\n", []string{progress, result(1)}, 0},
		{"lines", "text/event-stream", "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{}}\n\n", []string{"{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":{}}"}, 0},
		{"bad, then good", "text/event-stream", "data: {\n\ndata: " + result(1) + "\n\n", []string{result(1)}, 0},
		{"only bad", "text/event-stream", "data: {\n\n", nil, link.Malformed},
		{"no response", "text/event-stream", "data: " + progress + "\n\n", []string{progress}, link.Lost},
		{"comments only", "text/event-stream", ":\n\n:\n\n", nil, link.Lost},
		{"20 MB", "text/event-stream", "data: " + strings.Repeat("a", 20<<20) + "\n\n", nil, link.TooLong},
		{"20 MB line", "text/event-stream", ":" + strings.Repeat("a", 20<<20) + "\n\n", nil, link.TooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					w.WriteHeader(405)
					return
				}
				w.Header().Set("Content-Type", tt.kind)
				_, _ = io.WriteString(w, tt.text)
			})
			u, l, r := open(t, s.URL, Options{}, OpenOptions{})
			l.Send(call(1))
			for _, want := range tt.want {
				r.received(t, 1, want)
			}
			if tt.reason != 0 || len(tt.want) == 0 || !strings.Contains(tt.want[len(tt.want)-1], "result") {
				r.failed(t, 1, tt.reason, false)
			}
			r.none(t, 5*time.Millisecond)
			until(t, "in flight", func() bool { return u.Stats().InFlight == 0 })
			if st := u.Stats(); st.HungUp != 0 {
				t.Errorf("got %+v", st)
			}
		})
	}
}

// Wherever a response is cut, its request has one outcome.
func TestCutAnywhere(t *testing.T) {
	text := ":\n\nevent: a\ndata:\n\ndata: " + progress + "\n\nevent: message\ndata: " + result(1) + "\n\n"
	complete := len(text)
	cut := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Length", fmt.Sprint(complete))
		_, _ = io.WriteString(w, text[:cut])
	})
	_, l, r := open(t, s.URL, Options{BreakerAfter: 1 << 20}, OpenOptions{})
	for ; cut <= complete; cut++ {
		id := int64(cut + 1)
		text = strings.Replace(text, fmt.Sprintf(`"id":%d`, id-1), fmt.Sprintf(`"id":%d`, id), 1)
		if n := len(text); n != complete {
			complete = n
		}
		m := call(id)
		m.Deadline = time.Now().Add(3 * time.Second)
		l.Send(m)
		responses, failures := 0, 0
		for responses+failures == 0 {
			switch o := r.next(t); {
			case o.err != nil:
				failures++
			case strings.Contains(o.msg, "result"):
				responses++
			}
		}
		if want := cut >= strings.Index(text, "]}}")+5; want != (responses == 1) {
			t.Errorf("cut at %d of %d: %d responses", cut, complete, responses)
		}
	}
	r.none(t, 10*time.Millisecond)
}
