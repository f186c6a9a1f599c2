package child

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// patience is how long tests wait for what must come.
const patience = 20 * time.Second

// A rig is a Server whose children are this test binary.
type rig struct {
	t      *testing.T
	n      *Nursery
	s      *Server
	log    *logBuffer
	nextID int64
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// quick are options with which tests do not take long.
func quick(behaviour string) Options {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Options{
		Name:      behaviour,
		Command:   self,
		Env:       map[string]string{asChild: behaviour, "GORACE": "atexit_sleep_ms=0"},
		EOFGrace:  patience,
		TermGrace: patience,
		Backoff:   20 * time.Millisecond,
	}
}

func newRig(t *testing.T, opts Options, nursery NurseryOptions) *rig {
	t.Helper()
	g := &rig{t: t, log: new(logBuffer)}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	g.n = NewNursery(nursery)
	s, err := NewServer(g.n, opts)
	if err != nil {
		t.Fatal(err)
	}
	g.s = s
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.n.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if st := g.n.Stats(); st.Children != 0 || st.Starting != 0 || st.LineBytes != 0 {
			t.Errorf("after Shutdown: %+v", st)
		}
	})
	return g
}

// An outcome is what came for a request, or of its own accord.
type outcome struct {
	msg string
	err *link.Error
}

// A peer is a Receiver that keeps what comes.
type peer struct {
	g *rig
	link.Link

	mu       sync.Mutex
	outcomes map[int64][]outcome
	messages []string // with on == 0
	lost     []*link.Error
	changed  chan struct{}
	after    int // messages that came after Lost
}

func (g *rig) open() *peer {
	p := &peer{g: g, outcomes: map[int64][]outcome{}, changed: make(chan struct{}, 1)}
	p.Link = g.s.Open(p)
	return p
}

func (p *peer) add(add func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *peer) Receive(on int64, msg []byte) {
	m := string(msg)
	p.add(func() {
		if len(p.lost) > 0 {
			p.after++
		}
		if on == 0 {
			p.messages = append(p.messages, m)
		} else {
			p.outcomes[on] = append(p.outcomes[on], outcome{msg: m})
		}
	})
}

func (p *peer) Failed(id int64, err *link.Error) {
	p.add(func() { p.outcomes[id] = append(p.outcomes[id], outcome{err: err}) })
}

func (p *peer) Lost(err *link.Error) { p.add(func() { p.lost = append(p.lost, err) }) }

// await waits until done, which is called with mu held, is true.
func (p *peer) await(why string, done func() bool) {
	p.g.t.Helper()
	end := time.After(patience)
	for {
		p.mu.Lock()
		ok := done()
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-p.changed:
		case <-time.After(50 * time.Millisecond):
		case <-end:
			p.g.t.Fatalf("%s: nothing within %v; stats %+v, log:\n%.4000s", why, patience, p.g.s.Stats(), p.g.log)
		}
	}
}

// request sends a request and returns its id.
func (p *peer) request(method string) int64 { return p.send(method, time.Time{}) }

func (p *peer) send(method string, deadline time.Time) int64 {
	p.g.nextID++
	id := p.g.nextID
	p.Send(&link.Message{Kind: link.Request, ID: id, Method: method, Deadline: deadline, Body: requestBody(id, method)})
	return id
}

func requestBody(id int64, method string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"%s","params":{}}`, id, method)
}

func (p *peer) notify(method string) {
	p.Send(&link.Message{Kind: link.Notification, Method: method, Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"%s"}`, method)})
}

// outcome waits for the one outcome of a request.
func (p *peer) outcome(why string, id int64) outcome {
	p.g.t.Helper()
	p.await(why, func() bool { return len(p.outcomes[id]) > 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.outcomes[id]) != 1 {
		p.g.t.Fatalf("%s: %d outcomes", why, len(p.outcomes[id]))
	}
	return p.outcomes[id][0]
}

// wantAnswer waits for the response to a request and returns the ID of the process that sent it.
func (p *peer) wantAnswer(why string, id int64) (pid int) {
	p.g.t.Helper()
	o := p.outcome(why, id)
	if o.err != nil {
		p.g.t.Fatalf("%s: got %v (%v), want a response; log:\n%.4000s", why, o.err, o.err.Detail, p.g.log)
	}
	_, rest, _ := strings.Cut(o.msg, `"pid":`)
	digits, _, _ := strings.Cut(rest, "}")
	pid, _ = strconv.Atoi(digits)
	return pid
}

func (p *peer) wantFailed(why string, id int64, reason link.Reason, unsent bool) *link.Error {
	p.g.t.Helper()
	o := p.outcome(why, id)
	if o.err == nil || o.err.Reason != reason || o.err.Unsent != unsent {
		p.g.t.Fatalf("%s: got %s %+v, want reason %v, unsent %t", why, o.msg, o.err, reason, unsent)
	}
	return o.err
}

func (p *peer) wantLost(why string, reason link.Reason) *link.Error {
	p.g.t.Helper()
	p.await(why, func() bool { return len(p.lost) > 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lost) != 1 || p.lost[0].Reason != reason {
		p.g.t.Fatalf("%s: Lost %v", why, p.lost)
	}
	return p.lost[0]
}

// wantNotLost checks that no Lost has come.
func (p *peer) wantNotLost(why string) {
	p.g.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lost) > 0 || p.after > 0 {
		p.g.t.Errorf("%s: Lost %v, %d messages after it", why, p.lost, p.after)
	}
}

// eventually waits until done is true.
func eventually(t *testing.T, why string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(why)
		}
	}
}

// group returns the processes of the group, also those that have ended and are not reaped. It needs
// /proc.
func group(t *testing.T, pgid int) (pids []int) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // state ppid pgrp ...
		if len(fields) > 2 && fields[2] == strconv.Itoa(pgid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// stop shuts the rig's server down and checks that nothing of the groups is left.
func (g *rig) stop(within time.Duration, groups ...int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := g.s.Shutdown(ctx); err != nil {
		g.t.Errorf("Shutdown: %v", err)
	}
	for _, pgid := range groups {
		if left := group(g.t, pgid); len(left) > 0 {
			g.t.Errorf("processes left in group %d: %v", pgid, left)
		}
	}
}
