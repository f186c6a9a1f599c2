//go:build linux

package fleet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/internal/worker"
	"github.com/mooring-mcp/mooring/bench/load"
)

func TestMain(m *testing.M) {
	if os.Getenv("FLEET_WORKER") != "" {
		if err := worker.Work(os.Stdin, os.Stdout, map[string]worker.Job{Job: Work}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// mooring starts the server's binary and returns its URL and process.
func mooring(t *testing.T, args ...string) (string, *exec.Cmd) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "mooring")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/mooring").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(bin, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		if i := strings.Index(sc.Text(), "http://127.0.0.1:"); i >= 0 {
			url := sc.Text()[i:]
			if j := strings.IndexAny(url, " \",;"); j >= 0 {
				url = url[:j]
			}
			go func() {
				for sc.Scan() {
				}
			}()
			return url, cmd
		}
	}
	t.Fatal("the server printed no address")
	return "", nil
}

func ask(t *testing.T, url string, era dialect.Era) *dialect.Target {
	t.Helper()
	target, err := dialect.Ask(t.Context(), url, &dialect.Options{Era: era})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// call calls the tool once.
func call(t *testing.T, target *dialect.Target, tool string) {
	t.Helper()
	client, err := load.New(load.Options{Addr: target.Addr, Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	done := make(chan string, 1)
	l := client.Loops()[0]
	c := &exchange.Client{}
	var session []byte
	id := int64(0)
	c.Up = func() {
		if target.Era == dialect.Legacy {
			c.Send(target.AppendInitialize(nil, 1), 1)
			return
		}
		id = 2
		c.Send(target.AppendCall(nil, id, nil, tool, nil), id)
	}
	c.Answer = func(a *exchange.Answer) {
		switch {
		case !a.OK:
			done <- fmt.Sprintf("got status %d %s", a.Status, a.Body)
		case a.ID == 1:
			session = append(session, a.Session...)
			c.Send(target.AppendInitialized(nil, session), exchange.None)
		case a.ID == exchange.None:
			c.Send(target.AppendCall(nil, 2, session, tool, nil), 2)
		default:
			done <- ""
		}
	}
	c.Lost = func(how load.End) { done <- how.String() }
	if err := l.Do(func() {
		if err := c.Dial(l, nil); err != nil {
			done <- err.Error()
		}
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-done:
		if text != "" {
			t.Fatal(text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
	}
}

// TestMooring opens streams of both eras in this process and in workers, has them notified of a
// change, and ends them.
func TestMooring(t *testing.T) {
	url, cmd := mooring(t, "--heartbeat", "1s")
	for _, era := range []dialect.Era{dialect.Modern, dialect.Legacy} {
		target := ask(t, url, era)
		for _, per := range []int{0, 70} {
			t.Run(fmt.Sprintf("%v/%d", era, per), func(t *testing.T) {
				const n = 200
				f, err := New(Options{Target: target, PerProcess: per, Worker: []string{"/proc/self/exe"}})
				if err != nil {
					t.Fatal(err)
				}
				t.Setenv("FLEET_WORKER", "1")
				defer f.Close()
				if err := f.Open(t.Context(), n, 0); err != nil {
					t.Fatal(err)
				}
				if s := state(t, f); s.Open != n || s.Failed > 0 {
					t.Fatalf("%+v", s)
				}
				if err := f.Mark(dialect.ToolsListChanged, load.Now()); err != nil {
					t.Fatal(err)
				}
				call(t, target, "toggle")
				if have, err := f.AwaitWatched(t.Context(), n, 10*time.Second); err != nil || have != n {
					t.Fatalf("%d of %d were notified of the change, %v", have, n, err)
				}
				h, _, err := f.Arrivals()
				if err != nil || h.TotalCount() != n || h.Max() > 10_000_000 {
					t.Errorf("arrivals: %d, max %d µs, %v", h.TotalCount(), h.Max(), err)
				}
				// The heartbeats come within two seconds.
				if err := f.Mark("nothing has this method", load.Now()); err != nil {
					t.Fatal(err)
				}
				for end := time.Now().Add(10 * time.Second); state(t, f).Heard < n; time.Sleep(20 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%+v", state(t, f))
					}
				}
				if s := state(t, f); s.Comments < n || s.Watched != 0 {
					t.Errorf("%+v", s)
				}
				if _, processes, err := f.Usage(); err != nil || (processes == 0) != (per == 0) {
					t.Errorf("%d processes, %v", processes, err)
				}
				if _, _, err := f.End(era == dialect.Legacy); err != nil {
					t.Fatal(err)
				}
				if s := state(t, f); s.Open != 0 || s.Opened != n || s.Ended() != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
	t.Run("silence", func(t *testing.T) {
		f, err := New(Options{Target: ask(t, url, dialect.Modern), PerProcess: 30, Worker: []string{"/proc/self/exe"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("FLEET_WORKER", "1")
		defer f.Close()
		if err := f.Open(t.Context(), 60, 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Silence(); err != nil {
			t.Fatal(err)
		}
		if err := f.Mark(dialect.ToolsListChanged, load.Now()); err != nil {
			t.Fatal(err)
		}
		call(t, f.opts.Target, "toggle")
		if n, err := f.AwaitWatched(t.Context(), 1, 200*time.Millisecond); n != 0 || err != nil {
			t.Errorf("%d silent streams received something, %v", n, err)
		}
		if s := state(t, f); s.Open != 60 || s.Ended() != 0 {
			t.Errorf("%+v", s)
		}
		if _, _, err := f.End(true); err != nil {
			t.Fatal(err)
		}
		if s := state(t, f); s.Open != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("drain", func(t *testing.T) {
		f, err := New(Options{Target: ask(t, url, dialect.Modern)})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Open(t.Context(), 100, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Mark("", load.Now()); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if have, err := f.AwaitEnded(t.Context(), 100, 30*time.Second); err != nil || have != 100 {
			t.Fatalf("%d ended, %v", have, err)
		}
		if s := state(t, f); s.Complete != 100 || s.Results != 100 {
			t.Errorf("%+v", s)
		}
		if _, h, err := f.Arrivals(); err != nil || h.TotalCount() != 100 {
			t.Errorf("%d ends measured, %v", h.TotalCount(), err)
		}
	})
}

func state(t *testing.T, f *Fleet) State {
	t.Helper()
	s, err := f.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRefusing opens streams of servers that refuse them, each in its own way: all are counted and
// reported, and none hangs.
func TestRefusing(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		era        dialect.Era
		handler    http.HandlerFunc
	}{
		{"404", "404", dialect.Modern, http.NotFound},
		{"JSON", "got status 200 {}", dialect.Plain, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }},
		{"initialize", "initialize got status 500", dialect.Legacy, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }},
		{"no answer", "no answer after", dialect.Modern, func(_ http.ResponseWriter, r *http.Request) {
			// Otherwise net/http does not watch for the end of the connection.
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}},
		{"gone", "the connection was", dialect.Modern, func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				c.Close()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(tt.handler)
			defer s.Close()
			target, err := plain(s.URL, tt.era)
			if err != nil {
				t.Fatal(err)
			}
			f, err := New(Options{Target: target, Patience: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Open(t.Context(), 20, 0); err != nil {
				t.Fatal(err)
			}
			if s := state(t, f); s.Failed != 20 || s.Open != 0 || !strings.Contains(s.Failure, tt.want) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestOneRequestAConnection opens streams of a server that closes each connection after its answer.
func TestOneRequestAConnection(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		if r.Method == http.MethodGet {
			if r.Header.Get("Mcp-Session-Id") != "s1" {
				w.WriteHeader(404)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		b := make([]byte, 4096)
		n, _ := r.Body.Read(b)
		if strings.Contains(string(b[:n]), `"initialize"`) {
			id := strings.SplitN(strings.SplitN(string(b[:n]), `"id":`, 2)[1], ",", 2)[0]
			w.Header().Set("Mcp-Session-Id", "s1")
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}\n\n", id)
			return
		}
		w.WriteHeader(202)
	}))
	defer s.Close()
	target, err := plain(s.URL, dialect.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Open(t.Context(), 20, 200); err != nil {
		t.Fatal(err)
	}
	if s := state(t, f); s.Open != 20 {
		t.Errorf("%+v", s)
	}
}

// TestTooMany checks that without workers Open begins no more than one process can hold.
func TestTooMany(t *testing.T) {
	target, err := plain("http://127.0.0.1:9", dialect.Plain)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Options{Target: target, PerProcess: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Open(context.Background(), 11, 0); err == nil {
		t.Error("no error")
	}
}

// TestOpeningGivenUp checks that streams that wait for their turn at a low rate stop waiting when
// the opening is given up.
func TestOpeningGivenUp(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	target, err := plain(s.URL, dialect.Plain)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Options{Target: target, Opening: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := f.Open(ctx, 8, 0.01); err == nil {
		t.Error("all are open")
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("given up after 300 ms, but it took %v", took)
	}
}
