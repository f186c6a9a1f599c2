package hop

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A sessionServer is a server with sessions: each is forgotten after a number of requests.
type sessionServer struct {
	mu       sync.Mutex
	left     int // requests of the session until it is forgotten
	sessions int
	log      []string
	refusal  func(w http.ResponseWriter, id int64)
}

func (s *sessionServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, method := idOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, strings.Join([]string{r.Method, method, r.Header.Get("Mcp-Session-Id"), r.Header.Get("MCP-Protocol-Version")}, " "))
	switch {
	case method == "initialize":
		s.sessions++
		s.left = 3
		w.Header().Set("Mcp-Session-Id", "s"+string(rune('0'+s.sessions)))
		answer(w, id)
	case r.Method == http.MethodDelete:
		w.WriteHeader(405)
	case s.left == 0:
		s.refusal(w, id)
	case id == 0:
		w.WriteHeader(202)
	default:
		s.left--
		answer(w, id)
	}
}

func (s *sessionServer) entries() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func TestSession(t *testing.T) {
	for name, refusal := range map[string]func(w http.ResponseWriter, id int64){
		"404": func(w http.ResponseWriter, id int64) { w.WriteHeader(404) },
		"404 with JSON": func(w http.ResponseWriter, id int64) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}`)
		},
		"404 with the id": func(w http.ResponseWriter, id int64) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, strings.Replace(result(id), `"result":{"a":[1]}`, `"error":{"code":-32001,"message":"no"}`, 1))
		},
		"400": func(w http.ResponseWriter, id int64) {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`)
		},
		"400 text": func(w http.ResponseWriter, id int64) { http.Error(w, "Invalid Session", 400) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &sessionServer{refusal: refusal}
			u, l, r := open(t, serve(t, s.ServeHTTP).URL, Options{}, OpenOptions{})
			l.Send(initialize(1))
			r.received(t, 1, result(1))
			l.Negotiated("2025-11-25")
			l.Send(note("notifications/initialized"))
			l.Send(call(2))
			r.received(t, 2, result(2))
			l.Send(call(3))
			r.received(t, 3, result(3))
			l.Send(call(4))
			r.received(t, 4, result(4))
			l.Send(call(5))
			if err := r.failed(t, 5, link.Expired, true); err.Status/100 != 4 {
				t.Errorf("got %+v", err)
			}
			l.Send(initialize(6))
			r.received(t, 6, result(6))
			l.Send(call(7))
			r.received(t, 7, result(7))
			l.Close()
			until(t, "DELETE", func() bool { return slices.Contains(s.entries(), "DELETE  s2 2025-11-25") })
			until(t, "read", func() bool { st := u.Stats(); return st.Links == 0 && st.Queued == 0 })
			want := []string{
				"POST initialize  ", "POST notifications/initialized s1 2025-11-25", "POST tools/call s1 2025-11-25",
				"POST tools/call s1 2025-11-25", "POST tools/call s1 2025-11-25", "POST tools/call s1 2025-11-25",
				"POST initialize  ", "POST tools/call s2 2025-11-25", "DELETE  s2 2025-11-25",
			}
			if got := s.entries(); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			r.none(t, 5*time.Millisecond)
		})
	}
}

// A response that has the id of its request is not taken for the end of a session, if it can be
// something else.
func TestNotExpired(t *testing.T) {
	for text, status := range map[string]int{
		`"error":{"code":-32602,"message":"no such browser session"}`: 400,
		`"error":{"code":-32601,"message":"unknown method"}`:          404,
	} {
		s := &sessionServer{refusal: func(w http.ResponseWriter, id int64) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.Replace(result(id), `"result":{"a":[1]}`, text, 1))
		}}
		_, l, r := open(t, serve(t, s.ServeHTTP).URL, Options{}, OpenOptions{})
		l.Send(initialize(1))
		r.received(t, 1, result(1))
		s.mu.Lock()
		s.left = 0
		s.mu.Unlock()
		l.Send(call(2))
		if o := r.next(t); o.err != nil || !strings.Contains(o.msg, text) {
			t.Errorf("%d: got %v", status, o)
		}
	}
}

// Without a session 404 says nothing about one.
func TestNoSession(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "session?", 404) })
	_, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Send(call(1))
	if err := r.failed(t, 1, link.Status, false); err.Detail != "session?" {
		t.Errorf("got %+v", err)
	}
}

// Requests wait until notifications/initialized has been answered: some servers refuse them before.
func TestInitializedComesFirst(t *testing.T) {
	var mu sync.Mutex
	ready := false
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		if method == "notifications/initialized" {
			time.Sleep(30 * time.Millisecond)
			mu.Lock()
			ready = true
			mu.Unlock()
			w.WriteHeader(202)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !ready {
			t.Errorf("%s came before notifications/initialized was answered", method)
		}
		answer(w, id)
	})
	_, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Send(note("notifications/initialized"))
	for id := int64(1); id <= 5; id++ {
		l.Send(call(id))
	}
	l.Cancel(5)
	seen := map[string]bool{}
	for range 4 {
		seen[r.next(t).msg] = true
	}
	if len(seen) != 4 || seen[result(5)] {
		t.Errorf("got %v", seen)
	}
}

func TestModernHeaders(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{
			"MCP-Protocol-Version": modernVersion, "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?w7w=?=",
			"Mcp-Param-Region": "=?base64?YQpi?=", "Mcp-Param-Level": "42", "Traceparent": "00-1", "Mcp-Session-Id": "",
			"Authorization": "", "Cookie": "", "Mcp-Evil": "", "Origin": "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if r.Host == "evil" {
			t.Error("Host was set by a message")
		}
		id, _ := idOf(r)
		w.Header().Set("Mcp-Session-Id", "x")
		answer(w, id)
	})
	_, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Negotiated(modernVersion)
	for id := int64(1); id <= 2; id++ {
		m := call(id)
		m.Name = "ü"
		m.Fields = []link.Field{
			{Name: "mcp-param-Region", Value: "a\nb"}, {Name: "Mcp-Param-Level", Value: "42"}, {Name: "traceparent", Value: "00-1"},
			{Name: "authorization", Value: "x"}, {Name: "Cookie", Value: "x"}, {Name: "Mcp-Evil", Value: "x"}, {Name: "Host", Value: "evil"},
			{Name: "Mcp-Param-\r\nX", Value: "x"}, {Name: "X-A", Value: "a\r\nb"}, {Name: "Origin", Value: "x"},
		}
		l.Send(m)
		r.received(t, id, result(id))
	}
}

func TestFieldText(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "two words": "two words", " space": "=?base64?IHNwYWNl?=", "ü": "=?base64?w7w=?=",
		"=?base64?eA==?=": "=?base64?PT9iYXNlNjQ/ZUE9PT89?=", "a\nb": "=?base64?YQpi?=",
	} {
		if got := fieldText(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestRedirect(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("another origin got %v", r.Header) })
	var mu sync.Mutex
	var paths []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths = append(paths, r.Method+" "+r.URL.Path)
		mu.Unlock()
		to, status := "", 0
		switch r.URL.Path {
		case "/307":
			to, status = "/mcp", 307
		case "/308":
			to, status = "/mcp/", 308
		case "/303":
			to, status = "/mcp", 303
		case "/loop":
			to, status = "/loop", 307
		case "/other":
			to, status = other.URL, 307
		case "/userinfo":
			to, status = "//a:b@"+r.Host+"/mcp", 307
		default:
			id, _ := idOf(r)
			answer(w, id)
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	})
	for path, want := range map[string]struct {
		ok    bool
		paths []string
	}{
		"/307":      {true, []string{"POST /307", "POST /mcp", "POST /307", "POST /mcp"}},
		"/308":      {true, []string{"POST /308", "POST /mcp/", "POST /mcp/"}},
		"/303":      {false, []string{"POST /303", "POST /303"}},
		"/loop":     {false, []string{"POST /loop", "POST /loop", "POST /loop", "POST /loop", "POST /loop", "POST /loop", "POST /loop", "POST /loop"}},
		"/other":    {false, []string{"POST /other", "POST /other"}},
		"/userinfo": {false, []string{"POST /userinfo", "POST /userinfo"}},
	} {
		paths = nil
		_, l, r := open(t, s.URL+path, Options{Header: http.Header{"Authorization": {"secret"}}}, OpenOptions{})
		for id := int64(1); id <= 2; id++ {
			l.Send(call(id))
			if want.ok {
				r.received(t, id, result(id))
			} else {
				r.failed(t, id, link.Status, false)
			}
		}
		mu.Lock()
		if !slices.Equal(paths, want.paths) {
			t.Errorf("%s: got %q, want %q", path, paths, want.paths)
		}
		mu.Unlock()
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{URL: ""}, {URL: "/mcp"}, {URL: "ftp://a/"}, {URL: "http://a:b@c/"}, {URL: "http://a/#b"}, {URL: "http://\x00/"},
		{URL: "http://a/", Header: http.Header{"Host": {"x"}}},
		{URL: "http://a/", Header: http.Header{"Mcp-Session-Id": {"x"}}},
		{URL: "http://a/", Header: http.Header{"X": {"a\nb"}}},
		{URL: "http://a/", Header: http.Header{"X Y": {"a"}}},
		{URL: "http://a/", Concurrency: -1}, {URL: "http://a/", QueueTimeout: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
