package server

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/session"
)

// B6, B10, B12, B13, B15, B16: sessions that are opened, used and left retain nothing, whatever
// they were used for, and deleted ones only that they were.
func TestAbandonedSessionsRetainNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the heap")
	}
	r := newPort(t, &Options{ReplayAge: time.Second, SessionIdle: time.Second, MaxRevoked: session.Shards})
	const each = 400
	round := func() uint64 {
		for i := range each {
			s := r.initialize(sessionRevisions[i%3])
			p := r.dial(i % 2)
			switch i % 5 {
			case 0:
				s.told(s.get(1, ""))
			case 1:
				s.play(p, "1", "a")
				r.cue("a", "word", "end")
				s.until("a call", p, "END")
			case 2:
				s.call("resources/subscribe", `"uri":"rig://a"`)
				s.call("logging/setLevel", `"level":"error"`)
			case 3:
				s.play(p, "1", "a")
				p.rst()
				r.cue("a", "end")
				r.callsEnd("a call without its connection")
			default:
				s.delete(0, 204)
			}
			for _, p := range r.peers {
				if !p.closed {
					p.fin()
				}
			}
			r.peers = nil
		}
		r.callsEnd("all")
		r.wait(20 * time.Second)
		r.wantNothingHeld(fmt.Sprint(each, " sessions"))
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round() // pools, free lists and maps grow to what they need
	first := round()
	var last uint64
	for range 3 {
		last = round()
	}
	if per := (int64(last) - int64(first)) / (3 * each); per > 16 {
		t.Errorf("%d bytes are retained by a session that was left", per)
	}
}
