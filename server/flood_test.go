package server

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// The bytes that wait for a loop are counted where they are sent. Beyond the limit any POST over
// HTTP+SSE gets 503, until the loop has caught up.
func TestInboxIsBounded(t *testing.T) {
	const limit = 64 << 10
	r := newPort(t, &Options{SSEPath: "/sse", MaxInbox: limit})
	f := r.flyerSSE("2025-03-26")
	for _, c := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		`{"jsonrpc":"2.0","id":1,"method":"no/such","params":{}}`,
		`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 100) + `","method":"ping"}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"rig://a"}}`,
	} {
		p := r.dial(1)
		most, n := int64(0), 0
		for n = 0; n < 2000 && !strings.Contains(string(p.got), " 503 "); n++ {
			p.got = p.got[:0]
			p.deliver(f.messageOn(c)) // the stream's loop does not run
			most = max(most, r.s.Stats().InboxBytes)
		}
		if res := p.next("POST"); res.status != 503 || res.head.Get("Retry-After") == "" || most > limit+16<<10 {
			t.Errorf("%.80s: after %d messages: status %d, %d bytes wait", c, n, res.status, most)
		}
		r.run()
		if n := r.s.Stats().InboxBytes; n != 0 {
			t.Errorf("%.80s: %d bytes are still counted", c, n)
		}
		p.send(f.messageOn(fmt.Sprintf(pingBody, 1)))
		p.wantResponse("a message when the loop has caught up", 202)
		f.stream.take()
		p.fin()
	}
}

// The events of a call whose stream was resumed on another loop are not sent there without limit
// when that loop is behind. The stream ends, and its client gets the rest when it reconnects.
func TestResumedStreamOnALoopThatIsBehind(t *testing.T) {
	r := newPort(t, &Options{MaxInbox: 4 << 10})
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "one")
	begin := s.wantTold("the stream begins", p, "PRIME, one")
	g := s.get(1, last(begin))
	s.events(g)
	r.loops[1].postItem(item{kind: itemEvents, h: handle{}, buf: bufferOf(make([]byte, 8<<10))})
	r.cue("a", "two", "end")
	for r.loops[0].in.bytes.Load() == 0 { // until its worker has sent something
	}
	for r.s.calls.Load() > 0 {
		r.loops[0].guard(r.loops[0].serveInbox)()
	}
	r.run()
	if got := s.told(g); !strings.HasSuffix(got, "END") {
		t.Errorf("client got %q, want the end of the stream", got)
	}
	h := s.get(0, last(begin))
	s.wantTold("the rest", h, "two, =the end of a, END")
}

// Answers that wait for others of the same call are limited, in total and for each session.
// Beyond the limit an answer gets 503 and its question stays open. In the end no bytes remain
// counted.
func TestWaitingAnswersAreBounded(t *testing.T) {
	const total = 64 << 10
	r := newPort(t, &Options{AnswersTotal: total})
	s, other := r.initialize("2025-11-25"), r.initialize("2025-11-25")
	begin := func(s *sessionClient, part string) (ids []string) {
		p := r.dial(0)
		s.play(p, "1", part)
		r.cue(part, "ask 20")
		var events []event
		r.await("the questions", func() bool {
			if len(p.got) > 0 {
				events = append(events, s.events(p)...)
			}
			return strings.Count(line(events), "?") == 20
		})
		for _, e := range events {
			if strings.Contains(e.data, "elicitation/create") {
				ids = append(ids, askID(e))
			}
		}
		return ids
	}
	answer := func(s *sessionClient, id string) int {
		p := r.dial(1)
		p.send(s.message(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"x":%q}}}`, id, strings.Repeat("y", 4000))))
		return p.next("POST").status
	}
	mine := begin(s, "a")
	taken := 0
	for taken < len(mine) && answer(s, mine[taken]) == 202 {
		taken++
	}
	if taken == 0 || taken == len(mine) || r.s.Stats().AnswerBytes > total/4 {
		t.Errorf("%d of %d answers of one session taken, %d bytes", taken, len(mine), r.s.Stats().AnswerBytes)
	}
	if answer(other, begin(other, "b")[0]) != 202 {
		t.Error("one session has used up the room of another")
	}
	s.notify(1, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	other.delete(1, 204)
	r.callsEnd("both")
	if n := r.s.Stats().AnswerBytes; n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
}

// retained sums the capacity of all byte slices and the length of all strings that v holds.
func retained(v reflect.Value, seen map[uintptr]bool) (n int) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] || v.Type() == reflect.TypeFor[*loop]() || v.Type() == reflect.TypeFor[*worker[*job]]() {
			return 0
		}
		seen[v.Pointer()] = true
		return retained(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			n += retained(v.Field(i), seen)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Cap()
		}
		for i := range v.Len() {
			n += retained(v.Index(i), seen)
		}
	case reflect.String:
		return v.Len()
	}
	return n
}

// Free jobs and exchanges keep little of what clients have sent, whatever it was.
func TestFreeStructsKeepLittle(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	big := strings.Repeat("z", 1<<20)
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "ask 2")
	var events []event
	r.await("the questions", func() bool {
		if len(p.got) > 0 {
			events = append(events, s.events(p)...)
		}
		return strings.Count(line(events), "?") == 2
	})
	for _, e := range events[len(events)-2:] {
		a := r.dial(0)
		a.send(s.message(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"x":%q}}}`, askID(e), big)))
		r.await("an answer is accepted", func() bool { return len(a.got) > 0 })
		a.fin()
	}
	r.callsEnd("a call with long answers")
	p.fin()
	for _, body := range []string{
		fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":%q}}}`, big),
		fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":"tools/fly","params":{}}`, big),
		fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":"ping"}`, big[:10<<10]),
		fmt.Sprintf(`{"jsonrpc":"2.0","id":%q}`, big),
	} {
		q := r.dial(0)
		q.send(s.message(body, "Origin: http://localhost:1"))
		r.callsEnd("a long message")
		q.fin()
	}
	for _, l := range r.loops {
		for _, j := range l.jobs {
			if n := retained(reflect.ValueOf(j), map[uintptr]bool{}); n > 66<<10 {
				t.Errorf("a job in the free list keeps %d bytes", n)
			}
		}
		for _, x := range l.exchanges {
			if n := retained(reflect.ValueOf(x), map[uintptr]bool{}); n > 2<<10 {
				t.Errorf("an exchange in the free list keeps %d bytes", n)
			}
		}
		if n := cap(l.out) + cap(l.msg) + cap(l.event); n > 3*keepOut {
			t.Errorf("a loop keeps %d bytes of scratch", n)
		}
	}
}
