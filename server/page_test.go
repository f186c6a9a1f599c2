package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// addMany adds n tools with descriptions of size bytes.
func addMany(s *mcp.Server, n, size int) {
	for i := range n {
		mcp.AddInlineTool(s, &mcp.Tool{Name: fmt.Sprint("many", i), Description: strings.Repeat("d", size)},
			func(*mcp.CallToolRequest, noIn) (addOut, error) { return addOut{}, nil })
	}
}

// vectorPeer is a fakePeer that writes several pieces with one system call, and changes the slice
// as gnet does.
type vectorPeer struct {
	*fakePeer
	vectors int
}

func (p *vectorPeer) Writev(pieces [][]byte) (int, error) {
	p.vectors++
	all := bytes.Join(pieces, nil)
	for i := range pieces {
		pieces[i] = pieces[i][:0]
	}
	return p.Write(all)
}

// TestPagesAreNotCopied checks that a long list that is sent without a copy is on the wire what a
// copy would be: alone, pipelined, as a stream, over HTTP/1.0, to a peer that reads it in pieces,
// and on sockets that can write only one piece at a time.
func TestPagesAreNotCopied(t *testing.T) {
	list := request{method: "tools/list"}
	stream := request{method: "tools/list", accept: "text/event-stream"}
	conversations := map[string]string{
		"alone":                list.String(),
		"as a stream":          stream.String(),
		"HTTP/1.0":             list.http10().String(),
		"HTTP/1.0 as a stream": stream.http10().String(),
		"pipelined": list.String() + addCall(1, 2).String() +
			list.String() + list.String() + stream.String() + addCall(3, 4).String(),
		"after a worker":        callTool("echo", `{"text":"x"}`).String() + list.String() + addCall(3, 4).String(),
		"before the end":        addCall(3, 4).String() + list.with("Connection: close\r\n").String(),
		"large, from a worker":  list.big().String() + list.String(),
		"discovery between two": list.String() + request{method: "server/discover"}.String() + list.String(),
	}
	for _, size := range []int{10, 1000} { // a page that is copied, and one that is not
		r := newRig(t, nil)
		addMany(r.ms, 100, size)
		for name, in := range conversations {
			want := ""
			for _, room := range []int{-1, 0, 50_000} {
				for _, vector := range []bool{false, true} {
					p := r.connect()
					v := &vectorPeer{fakePeer: p}
					if vector {
						p.c.sk = v
					}
					p.slow(room)
					p.send(in)
					r.await("everything is answered", func() bool {
						if room >= 0 {
							p.room = 20_000
						}
						p.drain()
						r.pass(tickUnit)
						return r.s.calls.Load() == 0 && len(p.pending) == 0 && (p.closed || p.c.state == connStateLinger || p.c.x == nil)
					})
					got := dateField.ReplaceAllString(p.take(), "Date: now")
					if want == "" {
						want = got
						if n := strings.Count(in, "tools/list\r\n"); strings.Count(got, `"name":"many99"`) < n {
							t.Fatalf("%s: %d lists, want %d, in %.300q", name, strings.Count(got, `"name":"many99"`), n, got)
						}
					} else if got != want {
						t.Fatalf("%s, room %d, vector %v: %d bytes, want %d", name, room, vector, len(got), len(want))
					}
					if vector && size == 1000 && room < 0 && v.vectors == 0 {
						t.Errorf("%s: the pieces were not written with one call", name)
					}
					r.wantInvariants(name)
					if !p.closed {
						p.fin()
					}
				}
			}
			if !strings.Contains(name, "stream") && !strings.Contains(name, "pipelined") {
				for _, body := range strings.Split(want, "\r\n\r\n")[1:] {
					if i := strings.LastIndexByte(body, '}'); !json.Valid([]byte(body[:i+1])) {
						t.Errorf("%s: not JSON: %.200q", name, body)
					}
				}
			}
		}
	}
}

// TestPagesWithLineEnds checks that a schema that a host writes in several lines is framed like
// any other data.
func TestPagesWithLineEnds(t *testing.T) {
	r := newRig(t, nil)
	addMany(r.ms, 50, 1000)
	r.ms.AddTool(&mcp.Tool{Name: "lines", InputSchema: json.RawMessage("{\n\"type\":\r\n\"object\"}")}, nil)
	p := r.connect()
	p.send(request{method: "tools/list", accept: "text/event-stream"}.String())
	res := p.wantResponse("a list", 200)
	if events := p.events(res.body); len(events) != 1 || !json.Valid([]byte(events[0])) || !strings.Contains(events[0], `"lines"`) {
		t.Errorf("events %.300q, want one list with the tool lines", events)
	}
}

// vectorSocket is an idleSocket that writes several pieces with one call.
type vectorSocket struct{ *idleSocket }

func (s vectorSocket) Writev(pieces [][]byte) (int, error) {
	for _, b := range pieces {
		s.written += len(b)
	}
	s.writes++
	return 0, nil
}

// largeLists returns a connection of a server with 300 tools, whose list takes some 330 KB.
func largeLists(tb testing.TB) vectorSocket {
	l := newIdleLoop(tb, nil)
	addMany(l.srv.main.mcp, 300, 900)
	s := vectorSocket{l.connect()}
	s.c.sk = s
	return s
}

// TestLargeListsMakeNoGarbage checks lists sent as a message and as a stream.
func TestLargeListsMakeNoGarbage(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	s := largeLists(t)
	for _, accept := range []string{"", "text/event-stream"} {
		in := []byte(request{method: "tools/list", accept: accept}.String())
		ask := func() {
			s.idleSocket.in = in
			s.c.recv(s.c.loop.now)
		}
		wantAllocs(t, "a large list "+accept, 0, ask)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.written = 0
		for range 100 {
			ask()
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / 100; got > 1024 || s.written < 100*300_000 {
			t.Errorf("a list of %d bytes makes %d bytes of garbage, want at most 1024", s.written/100, got)
		}
	}
}

func BenchmarkLargeList(b *testing.B) {
	for _, accept := range []string{"application/json", "text/event-stream"} {
		b.Run(accept, func(b *testing.B) {
			s := largeLists(b)
			in := []byte(request{method: "tools/list", accept: accept}.String())
			b.ReportAllocs()
			for b.Loop() {
				s.idleSocket.in = in
				s.c.recv(s.c.loop.now)
			}
		})
	}
}
