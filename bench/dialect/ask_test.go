package dialect

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A fake is a server of one era on net/http. It refuses requests that do not belong to its era.
type fake struct {
	t        *testing.T
	era      Era
	events   bool   // answers are event streams, with other messages before the answer
	session  string // the id that initialize issues
	revision string // the revision that initialize agrees to
	pages    int    // of tools/list
	discover string // the result of server/discover, if it is not the usual one
	open     atomic.Int64
	header   string // required of each request
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.header != "" && r.Header.Get("Authorization") != f.header {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodDelete && r.Header.Get("Mcp-Session-Id") == f.session {
		f.open.Add(-1)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var m jsonrpc.Envelope
	if err := m.Decode(body); err != nil {
		f.t.Errorf("%s: %v", body, err)
	}
	method := string(m.Method)
	switch {
	case f.era == Modern:
		if r.Header.Get("Mcp-Method") != method || r.Header.Get("MCP-Protocol-Version") != ModernRevision {
			f.refuse(w, http.StatusNotFound, -32601)
			return
		}
	case method == "initialize":
		if r.Header.Get("MCP-Protocol-Version")+r.Header.Get("Mcp-Session-Id") != "" {
			f.t.Errorf("initialize with %v", r.Header)
		}
		f.open.Add(1)
		w.Header().Set("Mcp-Session-Id", f.session)
	case method == "server/discover" || r.Header.Get("Mcp-Session-Id") != f.session:
		f.refuse(w, http.StatusBadRequest, -32600)
		return
	case f.revision >= firstWithField && r.Header.Get("MCP-Protocol-Version") != f.revision:
		f.t.Errorf("%s with version %q", method, r.Header.Get("MCP-Protocol-Version"))
	}
	result := ""
	switch method {
	case "server/discover":
		if result = f.discover; result == "" {
			result = `{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{"listChanged":true}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}}}`
		}
	case "initialize":
		result = fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"2"}}`, f.revision)
	case "notifications/initialized":
		w.WriteHeader(http.StatusAccepted)
		return
	case "tools/list":
		page := 0
		if cursor, ok := jsonrpc.Member(m.Params, "cursor"); ok {
			fmt.Sscanf(string(cursor), `"\"p%d"`, &page)
		}
		next := ""
		if page+1 < f.pages {
			next = fmt.Sprintf(`,"nextCursor":"\"p%d"`, page+1)
		}
		result = fmt.Sprintf(`{"tools":[{"name":"t%d"},{"name":7},{}]%s}`, page, next)
	}
	answer := jsonrpc.AppendResult(nil, m.ID, []byte(result))
	if !f.events {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write(answer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, ": hello\n\nid: 1\ndata: \n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\nevent: message\r\ndata: %s\r\n\r\n", answer)
	w.(http.Flusher).Flush()
	<-r.Context().Done() // the stream does not end by itself
}

func (f *fake) refuse(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":%d,"message":"no\nsuch"}}`, code)
}

func serveFake(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL + "/mcp"
}

func TestAskFakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		fake *fake
		o    Options
		want string // era, revision, name, version, tools, listChanged, sessions
	}{
		{"modern", &fake{era: Modern, pages: 3}, Options{}, "modern 2026-07-28 fake 1 [t0 t1 t2] true false"},
		{"modern by events", &fake{era: Modern, events: true}, Options{Era: Modern}, "modern 2026-07-28 fake 1 [t0] true false"},
		{"without tools", &fake{era: Modern, discover: `{"supportedVersions":["2026-07-28"],"capabilities":{}}`}, Options{}, "modern 2026-07-28   [] false false"},
		{"one answer to everything", &fake{era: Modern, discover: `{"tools":[]}`}, Options{Era: Modern}, "modern 2026-07-28   [t0] false false"},
		{"legacy", &fake{era: Legacy, session: "abc", revision: "2025-11-25"}, Options{}, "legacy 2025-11-25 fake 2 [t0] false true"},
		{"legacy by events", &fake{era: Legacy, session: "abc", revision: "2025-11-25", events: true, pages: 2}, Options{}, "legacy 2025-11-25 fake 2 [t0 t1] false true"},
		{"legacy without sessions", &fake{era: Legacy, revision: "2025-06-18"}, Options{}, "legacy 2025-06-18 fake 2 [t0] false false"},
		{"legacy with an older revision", &fake{era: Legacy, session: "abc", revision: "2025-03-26"}, Options{Revision: "2025-06-18"}, "legacy 2025-03-26 fake 2 [t0] false true"},
		{"with a header", &fake{era: Legacy, session: "abc", revision: "2025-11-25", header: "Bearer x"}, Options{Header: []string{"Authorization: Bearer x"}}, "legacy 2025-11-25 fake 2 [t0] false true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.fake
			f.t = t
			url := serveFake(t, f)
			target, err := Ask(t.Context(), url, &tt.o)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s %s %s %s %v %t %t", target.Era, target.Revision, target.Name, target.Version, target.Tools, target.ListChanged, target.Sessions)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if f.session != "" && f.open.Load() != 0 {
				t.Errorf("%d sessions are left", f.open.Load())
			}
			if !strings.Contains(url, target.Addr.String()) {
				t.Errorf("address %s of %s", target.Addr, url)
			}
		})
	}
}

func TestAskPlain(t *testing.T) {
	url := serveFake(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	target, err := Ask(t.Context(), url, &Options{Era: Plain})
	if err != nil || target.Era != Plain || target.Revision != "" {
		t.Fatalf("%+v, %v", target, err)
	}
	if _, err := Ask(t.Context(), url, nil); err == nil || !strings.Contains(err.Error(), "returned 405 for server/discover, and returned 405 for initialize") {
		t.Errorf("as MCP: %v", err)
	}
}

func TestAskErrors(t *testing.T) {
	handler := func(status int, contentType, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
	raw := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, text)
				c.Close()
			}
		})
	}
	modern := Options{Era: Modern}
	for _, tt := range []struct {
		name    string
		handler http.Handler
		o       Options
		want    []string
	}{
		{"nothing there", handler(404, "text/html", "<h1>"), Options{}, []string{"returned 404 for server/discover, and returned 404 for initialize"}},
		{"told the era", handler(404, "text/html", "<h1>"), modern, []string{"mcp returned 404 for server/discover"}},
		{"a page", handler(200, "text/html", "<h1>\x1b[2J"), Options{}, []string{`"text/html"`, `no result: "<h1>\x1b[2J"`}},
		{"an error of the server's", &fake{t: t, era: Modern}, Options{Era: Legacy}, []string{`returned 404 and error -32601 "no\nsuch" for initialize`}},
		{"another id", handler(200, "application/json", `{"jsonrpc":"2.0","id":8,"result":{}}`), modern, []string{"result for id \"8\" instead of 1"}},
		{"another revision", &fake{t: t, era: Modern, discover: `{"supportedVersions":["2027-01-01"]}`}, modern, []string{"speaks", "2027-01-01", "not 2026-07-28"}},
		{"no revision", &fake{t: t, era: Legacy, revision: "x\r\ny"}, Options{Era: Legacy}, []string{"protocolVersion"}},
		{"a closed connection", raw(""), Options{}, []string{"closed the connection instead of answering server/discover, and closed"}},
		{"half an answer", raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), modern, []string{"closed the connection"}},
		{"no HTTP", raw("220 mail ESMTP\r\n"), modern, []string{"server/discover: ", "malformed"}},
		{"an endless head", raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20)), modern, []string{"too large"}},
		{"endless pages", &fake{t: t, era: Modern, pages: 1 << 30}, modern, []string{"more than 1000 pages"}},
		{"no stream", handler(200, "text/plain", ""), Options{Era: Plain}, []string{`returned 200 and "text/plain" for GET, not an event stream`}},
		{"a redirect", http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect), modern, []string{"returned 307"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Ask(t.Context(), serveFake(t, tt.handler), &tt.o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(tt.want, "dialect: http://127.0.0.1:") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant %s", err, want)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("not one line: %q", err)
			}
		})
	}
}

func TestAskWhereNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Ask(t.Context(), "http://"+l.Addr().String()+"/", nil); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	for _, url := range []string{"https://127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1:70000/", "127.0.0.1:80"} {
		if _, err := Ask(t.Context(), url, nil); err == nil || !strings.HasPrefix(err.Error(), "dialect: ") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A server that says nothing does not hold up Ask beyond its timeout.
func TestAskEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := time.Now()
	if _, err := Ask(t.Context(), "http://"+l.Addr().String()+"/", &Options{Timeout: 100 * time.Millisecond}); err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// The name localhost leads to the address that the server listens on, whether IPv4 or IPv6.
func TestAskByName(t *testing.T) {
	url := serveFake(t, &fake{t: t, era: Modern})
	target, err := Ask(t.Context(), strings.Replace(url, "127.0.0.1", "localhost", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !target.Addr.Addr().Is4() || !strings.Contains(string(target.AppendDiscover(nil, 1)), "\r\nHost: localhost:") {
		t.Errorf("%s, %q", target.Addr, target.AppendDiscover(nil, 1))
	}
}

func TestEra(t *testing.T) {
	for _, e := range []Era{0, Modern, Legacy, Plain} {
		if got, err := ParseEra(e.String()); got != e || err != nil {
			t.Errorf("%d: %d, %v", e, got, err)
		}
	}
	if e, err := ParseEra("auto"); e != 0 || err != nil {
		t.Errorf("auto: %d, %v", e, err)
	}
	if _, err := ParseEra("sse"); err == nil {
		t.Error("sse was accepted")
	}
	o := Options{Revision: "2026-07-28"}
	if got := o.eras(); !slices.Equal(got, []Era{Modern}) {
		t.Errorf("eras of a modern revision: %v", got)
	}
}
