package badserver

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

// both runs a test for the correct server and for the one with the fault.
func both(t *testing.T, f Fault, test func(t *testing.T, bad bool, list ...Fault)) {
	t.Run("good", func(t *testing.T) { t.Parallel(); test(t, false) })
	t.Run(string(f), func(t *testing.T) { t.Parallel(); test(t, true, f) })
}

func TestLeakSessions(t *testing.T) {
	both(t, LeakSessions, func(t *testing.T, bad bool, list ...Fault) {
		s := start(t, list...)
		target := ask(t, s.URL, dialect.Legacy)
		held := func() (n, bytes int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, b := range s.sessions {
				bytes += len(b)
			}
			return len(s.sessions), bytes
		}
		const n = 20
		var last []byte
		for range n {
			c := dial(t, s.URL)
			last = c.session(target)
			c.c.Close()
		}
		want := 0
		if bad {
			want = n
		}
		if got, bytes := held(); got != want || bytes != want*sessionSize {
			t.Errorf("%d sessions of %d bytes are held, want %d", got, bytes, want)
		}
		dial(t, s.URL).do("DELETE", 204, target.AppendDelete(nil, last))
		if got, _ := held(); got != max(0, want-1) {
			t.Errorf("after DELETE %d, want %d", got, max(0, want-1))
		}
	})
}

func TestNeverHeartbeat(t *testing.T) {
	both(t, NeverHeartbeat, func(t *testing.T, bad bool, list ...Fault) {
		s := start(t, list...)
		target := ask(t, s.URL, dialect.Modern)
		c := dial(t, s.URL)
		c.stream(target, nil)
		within := 10 * time.Second
		if bad {
			within = 2500 * time.Millisecond
		}
		line, err := c.line(within)
		if bad && err == nil || !bad && !strings.HasPrefix(line, ":") {
			t.Errorf("after the first event came %q, %v", line, err)
		}
	})
}

func TestDropOnTerm(t *testing.T) {
	both(t, DropOnTerm, func(t *testing.T, bad bool, list ...Fault) {
		p := StartProcess(t, list...)
		target := ask(t, p.URL, dialect.Modern)
		streams := []*client{dial(t, p.URL), dial(t, p.URL)}
		for _, c := range streams {
			c.stream(target, nil)
		}
		caller := dial(t, p.URL)
		arguments := `{"milliseconds":1500}`
		if bad {
			arguments = `{"milliseconds":20000}`
		}
		caller.write(target.AppendCall(nil, 9, nil, "sleep", []byte(arguments)))
		time.Sleep(200 * time.Millisecond) // so that the call has arrived
		if err := p.Terminate(); err != nil {
			t.Fatal(err)
		}
		for i, c := range streams {
			if got := c.event(`"id":7,"result":{"resultType":"complete"`, 10*time.Second); got == bad {
				t.Errorf("stream %d: a result %t", i, got)
			}
		}
		_ = caller.c.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, _ := caller.br.ReadString('\n')
		if got := strings.HasPrefix(line, "HTTP/1.1 200"); got == bad {
			t.Errorf("the call was answered: %t", got)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestSlowFanout(t *testing.T) {
	both(t, SlowFanout, func(t *testing.T, bad bool, list ...Fault) {
		s := start(t, list...)
		target := ask(t, s.URL, dialect.Modern)
		stalled, reader, caller := dial(t, s.URL), dial(t, s.URL), dial(t, s.URL)
		_ = stalled.c.SetReadBuffer(4 << 10)
		stalled.stream(target, nil)
		reader.stream(target, nil)
		silent := false
		for i := range 40 {
			caller.do("toggle", 200, target.AppendCall(nil, int64(i), nil, "toggle", nil))
			within := 10 * time.Second
			if bad {
				within = 500 * time.Millisecond
			}
			if silent = !reader.event(dialect.ToolsListChanged, within); silent {
				break
			}
		}
		if silent != bad {
			t.Errorf("a client that does not read silences another: %t", silent)
		}
		if bad {
			stalled.c.Close()
			if !reader.event(dialect.ToolsListChanged, 10*time.Second) {
				t.Error("the other receives nothing after the first has disconnected")
			}
		}
	})
}

func TestHugeHeads(t *testing.T) {
	both(t, HugeHeads, func(t *testing.T, bad bool, list ...Fault) {
		s := start(t, list...)
		const size = 1 << 20
		status := 431
		if bad {
			status = 200
		}
		c := dial(t, s.URL)
		go c.c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", size) + "\r\n\r\n"))
		if resp, _ := c.answer(); resp.StatusCode != status {
			t.Errorf("a head of 1 MiB: %d, want %d", resp.StatusCode, status)
		}
		c.c.Close()
		kept := 0
		s.mu.Lock()
		for _, k := range s.kept {
			k.mu.Lock()
			kept += len(k.read)
			k.mu.Unlock()
		}
		s.mu.Unlock()
		if bad && kept < size || !bad && kept != 0 {
			t.Errorf("%d bytes are kept", kept)
		}

		slow := dial(t, s.URL)
		slow.write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n"))
		within := 10 * time.Second
		if bad {
			within = headTime + time.Second
		}
		_ = slow.c.SetReadDeadline(time.Now().Add(within))
		_, err := slow.br.ReadByte()
		if timeout, ok := err.(interface{ Timeout() bool }); (ok && timeout.Timeout()) != bad {
			t.Errorf("a head that does not end: %v", err)
		}
	})
}

func TestBlocksHealth(t *testing.T) {
	both(t, BlocksHealth, func(t *testing.T, bad bool, list ...Fault) {
		s := start(t, list...)
		target := ask(t, s.URL, dialect.Modern)
		listener, caller, prober := dial(t, s.URL), dial(t, s.URL), dial(t, s.URL)
		listener.stream(target, nil) // holds up no request
		caller.write(target.AppendCall(nil, 1, nil, "sleep", []byte(`{"milliseconds":1500}`)))
		time.Sleep(300 * time.Millisecond) // so that the call has arrived
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			caller.answer()
		}()
		httpGet(prober, "/healthz")
		first := false
		select {
		case <-answered:
		case <-time.After(100 * time.Millisecond):
			first = true
		}
		if first == bad {
			t.Errorf("the health check is answered before a slow call: %t", first)
		}
		<-answered
	})
}
