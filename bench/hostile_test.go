package bench

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
	"github.com/mooring-mcp/mooring/bench/load"
)

var smallHostile = Params{Clients: 600, Rounds: 4, Concurrency: 16, Wait: time.Second}

func TestHostile(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t)
	s := measure(t, "hostile", Options{URL: url, PID: pid, Params: smallHostile},
		"retained_per_100k", "retained_garbage", "retained_oversize_head", "retained_oversize_body", "retained_refused", "retained_broken_head", "retained_broken_body", "connection_cpu", "slow_memory", "slow_body_dropped", "health_p99")
	wantNone(t, s)
	// None is dropped within a second.
	if value(t, s, "server_errors") != 0 || value(t, s, "close_wait_final") != 0 || value(t, s, "slow_head_dropped") != 0 {
		t.Errorf("figures:\n%s", table(s))
	}
	notes := strings.Join(s.Notes, "\n")
	for _, want := range []string{"heads of 128 KiB: 431 × 400, 414 × 200", "announced contents of 1 TiB: 413 × 600", "abandoned heads: no answer × 600", "abandoned contents: no answer × 600", "heads that do not end: none of 500 was dropped within 1s"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "success") {
		t.Errorf("requests to be refused were accepted:\n%s", notes)
	}
}

func TestHostileLegacy(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t)
	p := smallHostile
	p.Clients, p.Rounds, p.Wait = 200, 1, 100*time.Millisecond
	wantNone(t, measure(t, "hostile", Options{URL: url, PID: pid, Era: dialect.Legacy, Params: p}))
}

func TestHostileFindsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 30 s: a slope needs rounds, and each round a rest")
	}
	t.Parallel()
	p := badserver.StartProcess(t, badserver.HugeHeads)
	s := measure(t, "hostile", Options{URL: p.URL, PID: p.PID, Params: Params{Clients: 1400, Rounds: 7, Concurrency: 16, Wait: 100 * time.Millisecond}})
	wantFinding(t, s, "memory_kept")
	if v := value(t, s, "retained_oversize_head"); v < 64<<10*100_000 {
		t.Errorf("%v B are kept for 100,000 heads of 128 KiB", v)
	}
}

func TestHostileClearsTheGood(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t)
	// Memory is not judged: the heap of a net/http server does not settle in so few rounds.
	o := Options{URL: p.URL, PID: p.PID, Params: Params{Clients: 200, Rounds: 1, Concurrency: 16, Wait: 100 * time.Millisecond}}
	wantNone(t, measure(t, "hostile", o))
}

func TestHostileFindsServerErrors(t *testing.T) {
	t.Parallel()
	good := fake(t, func(w http.ResponseWriter, r *http.Request) { answerCall(w, r, false) })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/no/such/path":
			w.WriteHeader(http.StatusNotImplemented) // which does not count as a failure
		default:
			req, _ := http.NewRequestWithContext(r.Context(), r.Method, good, r.Body)
			req.Header = r.Header
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			defer resp.Body.Close()
			w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
			w.WriteHeader(resp.StatusCode)
			_, _ = bufio.NewReader(resp.Body).WriteTo(w)
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	s := measure(t, "hostile", Options{URL: srv.URL, NoProcess: true, Params: Params{Clients: 220, Rounds: 1, Concurrency: 4, Wait: 50 * time.Millisecond}})
	wantFinding(t, s, "server_error")
	if v := value(t, s, "server_errors"); v != 20 {
		t.Errorf("of 220 requests every eleventh is a PUT: %v errors", v)
	}
}

func TestHostileFindsTheDead(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t)
	var killed atomic.Bool
	o := Options{URL: url, PID: pid, Params: smallHostile, Progress: func(_, text string) {
		if strings.HasPrefix(text, "announced contents of 1 TiB") && !killed.Swap(true) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}}
	s := measure(t, "hostile", o)
	wantFinding(t, s, "server_gone")
	if s.Figure("slow_head_dropped") != nil {
		t.Error("the scenario continued without a server")
	}
}

// TestSlowHeads distinguishes a server that drops clients with endless heads from one that keeps
// them.
func TestSlowHeads(t *testing.T) {
	t.Parallel()
	hold := func(url string) *env {
		target, err := dialect.Ask(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		e := newTestEnv(t, target)
		e.Wait = 1500 * time.Millisecond
		client, err := load.New(load.Options{Addr: target.Addr})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		w, err := newWire(target)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.slowClients(t.Context(), client, w, time.Second); err != nil {
			t.Fatal(err)
		}
		return e
	}
	wantFinding(t, hold(badserver.StartProcess(t, badserver.HugeHeads).URL).out, "slow_head_kept")
	good := fake(t, func(w http.ResponseWriter, r *http.Request) { answerCall(w, r, false) }, func(s *http.Server) { s.ReadHeaderTimeout = 400 * time.Millisecond })
	e := hold(good)
	wantNone(t, e.out)
	if v := value(t, e.out, "slow_head_dropped"); v != slowHeld {
		t.Errorf("%v of %d were dropped", v, slowHeld)
	}
	if notes := strings.Join(e.out.Notes, "\n"); !strings.Contains(notes, "heads that do not end: 500 of 500 were dropped, after 0.") {
		t.Errorf("notes:\n%s", notes)
	}
}

func TestOutcomes(t *testing.T) {
	o := outcomes{"500": 2, "501": 3, "505": 4, "503": 1, "closed": 9, "200": 5, "202": 1, "200 with an error": 3, "200 and a stream": 2, noAnswer: 7}
	if n, which := o.serverErrors(); n != 3 || which != "500" {
		t.Errorf("%d server errors, %s", n, which)
	}
	if n := o.taken(); n != 6 {
		t.Errorf("%d were accepted", n)
	}
	if n, _ := (outcomes{"reset": 1, "505": 1}).serverErrors(); n != 0 {
		t.Error("refusing a version of HTTP counts as a server error")
	}
	if got, want := (outcomes{"400": 2, "closed": 10}).String(), "closed × 10, 400 × 2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestMessages parses what is sent as a server would: heads must be large where that is the point,
// and requests complete where something else is to be refused.
func TestMessages(t *testing.T) {
	w, err := newWire(&dialect.Target{URL: "http://127.0.0.1:1/mcp", Header: []string{"X-Key: k"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range w.assaults() {
		for i, m := range a.messages {
			head, rest, whole := bytes.Cut(m, []byte("\r\n\r\n"))
			switch a.name {
			case "oversize_head":
				if !whole || len(head) < largeHead || len(head) > 2*largeHead {
					t.Errorf("%s %d: a head of %d bytes", a.name, i, len(head))
				}
			case "oversize_body":
				if !whole || len(rest) < someBody || !bytes.Contains(head, []byte("Content-Length: 1099511627776")) {
					t.Errorf("%s %d: %.200s", a.name, i, m)
				}
			case "refused":
				r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m)))
				if err != nil || r.Header.Get("X-Key") != "k" {
					t.Errorf("%s %d: %v", a.name, i, err)
					continue
				}
				var body bytes.Buffer
				if _, err := body.ReadFrom(r.Body); err != nil || int64(body.Len()) != max(0, r.ContentLength) {
					t.Errorf("%s %d: content of %d bytes, %v", a.name, i, body.Len(), err)
				}
			}
		}
	}
}
