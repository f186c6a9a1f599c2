package server

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"pgregory.net/rapid"
)

// modelListener is what the model knows about a listener.
type modelListener struct {
	p      *fakePeer
	topics []string // what it listens to
	// what changed, and how much had been written by then: only a notice that is written later
	// counts
	owed map[string]int
	seen int // bytes that look has taken
}

// written returns how many bytes the server has written to the listener.
func (l *modelListener) written() int { return l.seen + len(l.p.got) + len(l.p.pending) }

// modelTopics are the changes, how a listener subscribes to each, and part of its notice.
var modelTopics = []struct{ change, ask, notice string }{
	{"tools", `"toolsListChanged":true`, toolsNotice},
	{"prompts", `"promptsListChanged":true`, promptsNotice},
	{"resources", `"resourcesListChanged":true`, resourcesNotice},
	{"rig://a", "", updatedA},
	{"rig://b", "", updatedB},
}

// TestStreamsModel checks that each open listener, whatever it and others do, gets at least one
// notice of everything it listens to after its last change, none of anything else, and none
// before its acknowledgement. It also checks the lists of streams.
func TestStreamsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, nil)
		var all []*modelListener
		pick := func(rt *rapid.T) *modelListener {
			if len(all) == 0 {
				rt.Skip("there is no listener")
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(rt, "listener")]
		}
		drop := func(l *modelListener) {
			for i := range all {
				if all[i] == l {
					all = append(all[:i], all[i+1:]...)
					return
				}
			}
		}
		// look takes the complete events that a listener has received and strikes their topics
		// off what it is owed.
		look := func(rt *rapid.T, l *modelListener) {
			for {
				n := wholeChunk(l.p.got)
				if n == 0 {
					return
				}
				event, _, ended := l.p.dechunk(l.p.got[:n])
				at := l.seen
				l.seen += n
				l.p.got = append(l.p.got[:0], l.p.got[n:]...)
				if ended {
					rt.Fatalf("the stream has ended")
				}
				if event == endpoint.Heartbeat {
					continue
				}
				topic := ""
				for _, m := range modelTopics {
					if strings.Contains(event, m.notice) {
						topic = m.change
					}
				}
				if !slices.Contains(l.topics, topic) {
					rt.Fatalf("a listener to %q got %s", l.topics, event)
				}
				if since, ok := l.owed[topic]; ok && at >= since {
					delete(l.owed, topic)
				}
			}
		}
		change := func(rt *rapid.T) {
			m := rapid.SampledFrom(modelTopics).Draw(rt, "topic")
			r.post(changeOf(m.change))
			for _, l := range all {
				if slices.Contains(l.topics, m.change) {
					l.owed[m.change] = l.written()
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"open": func(rt *rapid.T) {
				if len(all) == 4 {
					rt.Skip("there are enough listeners")
				}
				l := &modelListener{p: r.connect(), owed: map[string]int{}}
				var lists, uris []string
				for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(modelTopics)-1), 1, 5, rapid.ID).Draw(rt, "topics") {
					m := modelTopics[i]
					l.topics = append(l.topics, m.change)
					if m.ask != "" {
						lists = append(lists, m.ask)
					} else {
						uris = append(uris, strconv.Quote(m.change))
					}
				}
				if len(uris) > 0 {
					lists = append(lists, `"resourceSubscriptions":[`+strings.Join(uris, ",")+`]`)
				}
				l.p.method = "subscriptions/listen"
				l.p.deliver(listenTo(rapid.SampledFrom([]string{`1`, `"x"`, `99999`}).Draw(rt, "id"), strings.Join(lists, ",")).String())
				res := l.p.wantResponse("listen", 200)
				if !strings.Contains(res.body, "subscriptions/acknowledged") || strings.Count(res.body, "\n\n") != 1 {
					rt.Fatalf("the first event is %s", res.body)
				}
				all = append(all, l)
			},
			"change": change,
			"turn":   func(*rapid.T) { r.step() },
			"change and turn": func(rt *rapid.T) {
				change(rt)
				r.run()
			},
			"time": func(rt *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(rt, "ticks") {
					r.l.now++
					r.l.expireGuarded()
				}
			},
			"slow": func(rt *rapid.T) {
				pick(rt).p.slow(rapid.SampledFrom([]int{0, 0, 50, 300}).Draw(rt, "room"))
			},
			"catch up": func(rt *rapid.T) {
				pick(rt).p.catchUp()
			},
			"leave": func(rt *rapid.T) {
				l := pick(rt)
				drop(l)
				leave(l.p)
			},
			"leave at the next write": func(rt *rapid.T) {
				l := pick(rt)
				drop(l) // its write may close it from now on
				l.p.fail = errSocketClosed
			},
			"take a neighbour along": func(rt *rapid.T) {
				l, victim := pick(rt), pick(rt)
				if l == victim {
					rt.Skip("both are the same listener")
				}
				drop(victim)
				l.p.onWrite = func() { leave(victim.p) }
			},
			"": func(rt *rapid.T) {
				if err := r.invariants(); err != nil {
					rt.Fatal(err)
				}
				for _, l := range all {
					if l.p.closed {
						if l.p.c.reason != closeStalled {
							rt.Fatalf("closed because of %v", l.p.c.reason)
						}
						continue
					}
					look(rt, l)
				}
				all = openOf(all)
			},
		})
		// In the end every listener reads, and none may be owed a notice.
		for _, l := range all {
			l.p.catchUp()
		}
		r.run()
		r.pass(5 * retryTime)
		for _, l := range all {
			if l.p.closed {
				continue
			}
			look(rt, l)
			if len(l.owed) > 0 {
				rt.Fatalf("a listener to %q got no notice of %v", l.topics, l.owed)
			}
		}
		for _, p := range r.peers {
			leave(p)
		}
		if err := r.invariants(); err != nil {
			rt.Fatal(err)
		}
		if len(r.l.main.streams.byURI) > 0 || r.l.main.streams.head != noSlot {
			rt.Fatal("listeners are left in the lists")
		}
	})
}

// wholeChunk returns the length of the first chunk of b, or 0 if the chunk is incomplete.
func wholeChunk(b []byte) int {
	line := bytes.Index(b, []byte("\r\n"))
	if line < 0 {
		return 0
	}
	size, err := strconv.ParseUint(string(b[:line]), 16, 31)
	if n := line + 2 + int(size) + 2; err == nil && n <= len(b) {
		return n
	}
	return 0
}

func openOf(all []*modelListener) []*modelListener {
	var open []*modelListener
	for _, l := range all {
		if !l.p.closed {
			open = append(open, l)
		}
	}
	return open
}
