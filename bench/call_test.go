package bench

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
	"github.com/mooring-mcp/mooring/bench/load"
)

func TestCall(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t)
	eras(t, func(t *testing.T, era dialect.Era) {
		s := measure(t, "call", Options{URL: url, Era: era, Params: Params{Concurrency: 8, Duration: 500 * time.Millisecond, Rate: 300}},
			"call_cpu", "list_cpu", "call_rate", "call_p50", "call_p99", "call_p999", "open_p50", "open_p99", "open_p999", "open_list_p99",
			"open_sent_p50", "open_sent_p99", "open_sent_p999", "open_sent_max", "open_sent_slow", "open_list_sent_p99", "errors")
		wantNone(t, s)
		if pid == 0 || value(t, s, "errors") != 0 || value(t, s, "call_rate") < 100 || value(t, s, "call_cpu") <= 0 || value(t, s, "open_rate") != 300 {
			t.Errorf("figures:\n%s", table(s))
		}
		third := "ping"
		if era == dialect.Modern {
			third = "discover"
		}
		value(t, s, third+"_cpu")
		value(t, s, "open_"+third+"_p99")
		value(t, s, "open_"+third+"_sent_p99")
		for _, q := range []string{"p50", "p99", "p999", "max"} {
			if sent, due := value(t, s, "open_sent_"+q), value(t, s, "open_"+q); sent > due {
				t.Errorf("%s from when a request was sent is %v ms, from when it was due %v", q, sent, due)
			}
		}
		open := 0
		for _, d := range s.Distributions {
			if !strings.HasPrefix(d.Name, "open") {
				continue
			}
			open++
			if d.Count < 140 || d.Count > 160 {
				t.Errorf("%s: at 300/s for half a second %d requests were counted", d.Name, d.Count)
			}
		}
		if open != 4 {
			t.Errorf("%d open loops", open)
		}
	})
}

// TestCallAgainstOthers measures a server built on net/http.
func TestCallAgainstOthers(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t)
	eras(t, func(t *testing.T, era dialect.Era) {
		s := measure(t, "call", Options{URL: p.URL, PID: p.PID, Era: era, Params: Params{Concurrency: 4, Duration: 300 * time.Millisecond}}, "call_cpu", "open_p99")
		wantNone(t, s)
	})
}

// fake is a server of 2026-07-28 that answers discover and tools/list, and leaves calls to call.
func fake(t *testing.T, call http.HandlerFunc, configure ...func(*http.Server)) string {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ ID json.RawMessage }
		switch r.Header.Get("Mcp-Method") {
		case "tools/call":
			call(w, r)
			return
		case "server/discover":
			_ = json.NewDecoder(r.Body).Decode(&m)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"},"ttlMs":0,"cacheScope":"public"}}`))
		case "tools/list":
			_ = json.NewDecoder(r.Body).Decode(&m)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"resultType":"complete","tools":[{"name":"echo","inputSchema":{"type":"object"}}],"ttlMs":0,"cacheScope":"public"}}`))
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	for _, f := range configure {
		f(srv.Config)
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

func answerCall(w http.ResponseWriter, r *http.Request, stream bool) {
	var m struct{ ID json.RawMessage }
	_ = json.NewDecoder(r.Body).Decode(&m)
	body := `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"resultType":"complete","content":[]}}`
	if stream {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(": wait\n\ndata: " + `{"jsonrpc":"2.0","method":"notifications/progress","params":{}}` + "\n\ndata: " + body + "\n\n"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(body))
}

// TestCallErrors measures a server that fails now and then, in each way in which it can.
func TestCallErrors(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"another id": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1000000000,"result":{"resultType":"complete","content":[]}}`))
		},
		"a tool's error": func(w http.ResponseWriter, r *http.Request) {
			var m struct{ ID json.RawMessage }
			_ = json.NewDecoder(r.Body).Decode(&m)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"resultType":"complete","isError":true,"content":[]}}`))
		},
		"a stream without a result": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte(": wait\n\n"))
		},
		"a connection that is cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			url := fake(t, func(w http.ResponseWriter, r *http.Request) {
				// Three in a row, so that a retry does not hide a cut connection.
				if k := n.Add(1) % 40; k < 4 {
					bad(w, r)
					return
				}
				answerCall(w, r, n.Load()%2 == 0)
			})
			s := measure(t, "call", Options{URL: url, NoProcess: true, Params: Params{Concurrency: 1, Duration: 300 * time.Millisecond, Rate: 200}}, "errors")
			if s.Figure("errors").Value == 0 {
				t.Error("no errors counted")
			}
			wantFinding(t, s, "call_errors")
		})
	}
}

// TestCallStreams measures a server that answers with streams: the latency is that of the result.
func TestCallStreams(t *testing.T) {
	t.Parallel()
	url := fake(t, func(w http.ResponseWriter, r *http.Request) { answerCall(w, r, true) })
	s := measure(t, "call", Options{URL: url, NoProcess: true, Params: Params{Concurrency: 2, Duration: 300 * time.Millisecond, Rate: 100}}, "call_rate", "open_p99")
	wantNone(t, s)
}

// TestCallStreamsKept measures a server that leaves each stream open after the result: it has
// answered, and the latency is that of the result.
func TestCallStreamsKept(t *testing.T) {
	t.Parallel()
	url := fake(t, func(w http.ResponseWriter, r *http.Request) {
		answerCall(w, r, true)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	s := measure(t, "call", Options{URL: url, NoProcess: true, Params: Params{Concurrency: 4, Duration: 2 * time.Second, Rate: 4}}, "call_p99")
	wantNone(t, s)
	if p := value(t, s, "call_p99"); p > 300 {
		t.Errorf("99 %% within %v ms", p)
	}
}

// TestNoCoordinatedOmission checks that a server which pauses for 300 ms shows it in the
// percentiles of the open loop, although few requests are in flight meanwhile.
func TestNoCoordinatedOmission(t *testing.T) {
	var from atomic.Int64
	url := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if at := from.Load(); at != 0 {
			time.Sleep(time.Until(time.UnixMilli(at + 300)))
		}
		answerCall(w, r, false)
	})
	target, err := dialect.Ask(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := newTestEnv(t, target)
	tr, err := e.traffic(t.Context(), 2, e.callKind())
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.openLoop(t.Context(), tr, 1000, func(int64) int { return 0 }, func(measure func() error) error {
		if err := measure(); err != nil {
			return err
		}
		if err := sleep(t.Context(), 200*time.Millisecond); err != nil {
			return err
		}
		from.Store(time.Now().UnixMilli())
		defer from.Store(0)
		return sleep(t.Context(), 400*time.Millisecond)
	})
	if err != nil {
		t.Fatal(err)
	}
	h, sent := m.tallies[0].hist, m.tallies[0].sent
	if n := h.TotalCount(); n < 550 || n > 750 {
		t.Errorf("at 1,000/s for 600 ms %d requests were counted", n)
	}
	// Some 300 of the 600 requests were due during the pause: half of those waited for 150 ms or
	// more.
	if p := millis(h, 80); p < 100 {
		t.Errorf("80 %% within %.1f ms: requests that waited for the server do not count from when they were due", p)
	}
	// Only the requests in flight on the two connections when the pause began waited for it
	// themselves; the others had not been sent.
	if sent.TotalCount() != h.TotalCount() {
		t.Errorf("%d requests have a time from when they were due, %d from when they were sent", h.TotalCount(), sent.TotalCount())
	}
	if p, longest, n := millis(sent, 80), millis(sent, 100), above(sent, 250_000); p > 50 || longest < 200 || n < 1 || n > 4 {
		t.Errorf("80 %% within %.1f ms from when they were sent, the slowest %.1f ms, %d above 250 ms", p, longest, n)
	}
}

// TestLateClient checks that a delay of the client counts in the time from when a request was due,
// and does not count in the time from when it was sent.
func TestLateClient(t *testing.T) {
	url := fake(t, func(w http.ResponseWriter, r *http.Request) { answerCall(w, r, false) })
	target, err := dialect.Ask(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := newTestEnv(t, target)
	tr, err := e.traffic(t.Context(), 64, e.callKind())
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.openLoop(t.Context(), tr, 100, func(int64) int { return 0 }, func(measure func() error) error {
		if err := measure(); err != nil {
			return err
		}
		for range 4 {
			if err := tr.each(func(*lane) { time.Sleep(150 * time.Millisecond) }); err != nil {
				return err
			}
		}
		return sleep(t.Context(), 50*time.Millisecond)
	})
	if err != nil {
		t.Fatal(err)
	}
	due, sent := millis(m.tallies[0].hist, 75), millis(m.tallies[0].sent, 75)
	if due < 50 || sent > due/2 {
		t.Errorf("three of four within %.1f ms from when they were due, %.1f ms from when they were sent", due, sent)
	}
}

// TestOrder checks which connections the open loop uses: all of them in turn, or as few as
// possible.
func TestOrder(t *testing.T) {
	a, b, c := new(caller), new(caller), new(caller)
	for _, tt := range []struct {
		turn bool
		want []*caller
	}{{true, []*caller{a, b, c, a, b}}, {false, []*caller{c, c, c, c, c}}} {
		var q free
		q.fill(tt.turn, []*caller{a, b, c})
		for i, want := range tt.want {
			got := q.take()
			if got != want {
				t.Errorf("in turn %v: take %d returned another caller", tt.turn, i)
			}
			q.put(got)
		}
		q.take()
		q.take()
		if q.take() == nil || q.take() != nil {
			t.Errorf("in turn %v: three callers are not three", tt.turn)
		}
		q.put(b)
		q.put(a)
		if want := map[bool]*caller{true: b, false: a}[tt.turn]; q.take() != want {
			t.Errorf("in turn %v: of two that were put back, the wrong one goes first", tt.turn)
		}
		q.fill(tt.turn, nil)
		q.put(a)
		q.put(b)
		first, second := q.take(), q.take()
		if first == nil || second == nil || q.take() != nil {
			t.Errorf("in turn %v: callers added later are lost", tt.turn)
		}
	}
}

func TestSchedule(t *testing.T) {
	s := schedule{start: 1000, each: 1e9 / 3, n: 1, step: 2}
	var got []string
	for ; s.n < 8; s.n += s.step {
		got = append(got, strconv.FormatInt(s.due(), 10))
	}
	if want := "333334333 1000001000 1666667666 2333334333"; strings.Join(got, " ") != want {
		t.Errorf("due at %v, want %s", got, want)
	}
}

func TestShape(t *testing.T) {
	body := func(id, rest string) []byte {
		return []byte(`{"jsonrpc":"2.0","id":` + id + `,"result":{` + rest + `}}`)
	}
	var s shape
	for _, tt := range []struct {
		body []byte
		id   int64
		want bool
	}{
		{body("1000000001", `"a":1`), 1000000001, true},
		{body("1000000002", `"a":1`), 1000000002, true},
		{body("1000000002", `"a":1`), 1000000003, false},
		{body("1000000003", `"a":22`), 1000000003, true},
		{body("1000000004", `"a":22`), 1000000004, true},
		{body("1000000005", `"isError":true`), 1000000005, false},
		{body("1000000006", `"a":22`)[1:], 1000000006, false},
		{nil, 1000000007, false},
		{body("1000000008", `"a":22`), 1000000008, true},
	} {
		if got := s.right(tt.body, tt.id); got != tt.want {
			t.Errorf("%s for %d: %v", tt.body, tt.id, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.right(body("1000000008", `"a":22`), 1000000008) }); n > 2 {
		t.Errorf("a known answer takes %v allocations in addition to its own", n)
	}
}

func TestRequestNumber(t *testing.T) {
	r, err := newRequest([]byte("POST / HTTP/1.1\r\nX: \"id\":1000000000\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1000000000,\"params\":{\"id\":1000000000}}"))
	if err != nil {
		t.Fatal(err)
	}
	r.number(1234567890)
	if want := "POST / HTTP/1.1\r\nX: \"id\":1000000000\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1234567890,\"params\":{\"id\":1000000000}}"; string(r.b) != want {
		t.Errorf("got %s", r.b)
	}
	for _, bad := range []string{"", "x\r\n\r\n{}"} {
		if _, err := newRequest([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// TestUnansweredCounts checks that a request that was given up does not count as answered, but that
// its time is among the others: a server that does not answer is not fast.
func TestUnansweredCounts(t *testing.T) {
	l := &lane{tallies: newTallies(1), closed: true, over: true, from: 1}
	c := &caller{lane: l, job: job{0, load.Now() - int64(3*time.Second)}}
	c.giveUp("no answer")
	got := &l.tallies[0]
	if got.answered != 0 || got.failed != 1 || got.hist.Max() < 2_900_000 {
		t.Errorf("%d answered, %d failed, slowest %d µs", got.answered, got.failed, got.hist.Max())
	}
	c.givenUp, c.at, c.job = false, load.Now(), job{0, load.Now() - int64(time.Millisecond)}
	c.end("")
	if got.answered != 1 || got.failed != 1 || got.hist.TotalCount() != 2 {
		t.Errorf("%d answered, %d failed, %d counted", got.answered, got.failed, got.hist.TotalCount())
	}
	v := &visits{first: newHistogram(), whole: newHistogram()}
	v.went(&visitor{due: load.Now() - int64(3*time.Second), givenUp: true}, "no answer")
	if v.gone != 0 || v.failed != 1 || v.first.Max() < 2_900_000 || v.whole.Max() < 2_900_000 {
		t.Errorf("%d gone, %d failed, first answer within %d µs", v.gone, v.failed, v.first.Max())
	}
}
