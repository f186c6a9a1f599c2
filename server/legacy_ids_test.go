package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/mcp"
)

// holds is a tool whose calls each do what the test says, by their number.
type holds struct {
	mu    sync.Mutex
	cues  map[int]chan string // of calls whose handler runs
	ended []int               // whose context ended by a cancellation, in that order
}

type holdIn struct {
	N    int  `json:"n"`
	Deaf bool `json:"deaf"`
}

func (h *holds) add(r *port) {
	mcp.AddTool(r.ms, &mcp.Tool{Name: "hold"}, func(ctx context.Context, req *mcp.CallToolRequest, in holdIn) (*mcp.CallToolResult, any, error) {
		name := fmt.Sprintf("flight %d", in.N)
		text := func(s string) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}, nil, nil
		}
		if len(req.Params.InputResponses) > 0 {
			return text(name)
		}
		cues := make(chan string, 16)
		h.mu.Lock()
		h.cues[in.N] = cues
		h.mu.Unlock()
		done := ctx.Done()
		for step := 1; ; step++ {
			select {
			case cue := <-cues:
				switch cue {
				case "ask":
					return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.CreateMessageParams{
						MaxTokens: 9, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: name}}},
					}}}, nil, nil
				case "say":
					_ = req.Progress(float64(step), 0, name)
				default:
					return text(name)
				}
			case <-done:
				if context.Cause(ctx) == errCancelled {
					h.mu.Lock()
					h.ended = append(h.ended, in.N)
					h.mu.Unlock()
				}
				if done = nil; !in.Deaf {
					return nil, nil, ctx.Err()
				}
			}
		}
	})
	r.tell()
}

func (h *holds) cancelled() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ended)
}

func (h *holds) runs(n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cues[n] != nil
}

func (h *holds) cue(n int, cue string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cues[n] <- cue
}

// A flight is a call under way, as the model has it.
type flight struct {
	n         int
	id        string
	on        *fakePeer // where its messages are read; nil when its client has gone
	cancelled bool
	deaf      bool
	batched   bool
	asked     string // id of its question
}

// A flyer is a session over one of the transports, with its calls from the oldest to the newest.
type flyer struct {
	*sessionClient
	stream  *fakePeer // of HTTP+SSE
	where   string
	flights []*flight
}

// messageOn returns the POST of a message of the session.
func (f *flyer) messageOn(body string) string {
	if f.stream != nil {
		return ssePost(f.where, body)
	}
	return f.message(body)
}

// parkedCalls returns how many calls wait for their clients without a worker.
func (r *port) parkedCalls() (n int) {
	for _, l := range r.loops {
		for _, c := range l.slots {
			if c != nil && c.x != nil && c.x.job != nil && c.x.job.legacy.phase == phaseParked {
				n++
			}
		}
		for _, d := range l.detached {
			if d.job.gen == d.gen && d.job.legacy.phase == phaseParked {
				n++
			}
		}
	}
	return n
}

// callsInFlight returns how many calls the sessions hold.
func (r *port) callsInFlight() int {
	_, calls := r.s.sessions.Audit()
	return calls
}

// flyerSSE opens a session of HTTP+SSE, whose stream is on loop 0.
func (r *port) flyerSSE(rev string) *flyer {
	p := r.dial(0)
	p.send(getSSE)
	res := p.wantResponse("GET", 200)
	f := &flyer{sessionClient: &sessionClient{r, rev, ""}, stream: p, where: string(decodeEvents(r.t, res.body)[0].Data)}
	q := r.dial(1)
	q.send(f.messageOn(initializeBody(rev)))
	q.wantResponse("initialize", 202)
	r.await("initialize", func() bool { return strings.Contains(string(p.got), `"protocolVersion":"`+rev) })
	p.take()
	q.fin()
	return f
}

func holdBody(id string, n int, deaf bool) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"hold","arguments":{"n":%d,"deaf":%v},"_meta":{"progressToken":%s}}}`, id, n, deaf, id)
}

func sampledBody(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"role":"assistant","model":"m","content":{"type":"text","text":"x"}}}`
}

// Ids in flight may repeat, whatever transport and revision a session has: each call is answered,
// notified and asked on its own POST, a cancellation ends the newest of its id that was not
// cancelled, and the next one the next newest; what is detached or waits for its client is in
// flight as well.
func TestIDsInFlightRepeat(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &holds{cues: make(map[int]chan string)}
		r := newPort(t, &Options{SSEPath: "/sse"})
		h.add(r)
		var flyers []*flyer
		for _, rev := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
			flyers = append(flyers, &flyer{sessionClient: r.initialize(rev)})
		}
		flyers = append(flyers, r.flyerSSE("2024-11-05"), r.flyerSSE("2025-03-26"))
		calls, wantEnded := 0, 0
		flyerOf := func(t *rapid.T, which func(*flyer) bool) *flyer {
			some := slices.DeleteFunc(slices.Clone(flyers), func(f *flyer) bool { return !which(f) })
			if len(some) == 0 {
				t.Skip("none")
			}
			return rapid.SampledFrom(some).Draw(t, "session")
		}
		flightOf := func(t *rapid.T, which func(*flyer, *flight) bool) (*flyer, *flight) {
			of := func(f *flyer) []*flight {
				return slices.DeleteFunc(slices.Clone(f.flights), func(x *flight) bool { return !which(f, x) })
			}
			f := flyerOf(t, func(f *flyer) bool { return len(of(f)) > 0 })
			return f, rapid.SampledFrom(of(f)).Draw(t, "call")
		}
		over := func(f *flyer, x *flight) {
			f.flights = slices.DeleteFunc(f.flights, func(y *flight) bool { return y == x })
		}
		// read awaits text on the stream of x, and checks that nothing of another call is there.
		read := func(f *flyer, x *flight, why, text string) string {
			for i := 0; i < 20_000 && !strings.Contains(string(x.on.got), text); i++ {
				r.run()
				time.Sleep(100 * time.Microsecond)
			}
			if !strings.Contains(string(x.on.got), text) {
				rt.Fatalf("%s: call %+v of %s got %q, want %q", why, *x, f.rev, x.on.got, text)
			}
			got := x.on.take()
			for _, part := range strings.SplitAfter(got, "flight ")[1:] {
				if n := ""; f.stream == nil {
					if n, _, _ = strings.Cut(part, `"`); n != fmt.Sprint(x.n) {
						rt.Fatalf("%s: call %d got what belongs to call %s: %s", why, x.n, n, got)
					}
				}
			}
			return got
		}
		id := func(t *rapid.T) string { return rapid.SampledFrom([]string{"1", `"1"`, "2"}).Draw(t, "id") }
		start := func(t *rapid.T, f *flyer, batched bool) {
			calls++
			x := &flight{n: calls, id: id(t), deaf: rapid.IntRange(0, 2).Draw(t, "deaf") == 0, batched: batched}
			p := r.dial(rapid.IntRange(0, 1).Draw(t, "loop"))
			body := holdBody(x.id, x.n, x.deaf)
			if batched {
				body = "[" + body + "]"
			}
			if rapid.IntRange(0, 3).Draw(t, "big") == 0 {
				body += strings.Repeat(" ", bigContent)
			}
			p.send(f.messageOn(body))
			r.await("it runs", func() bool { return h.runs(x.n) })
			if x.on = p; f.stream != nil {
				p.wantResponse("POST", 202)
				x.on = f.stream
			}
			f.flights = append(f.flights, x)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) { start(t, flyerOf(t, func(*flyer) bool { return true }), false) },
			"batch": func(t *rapid.T) { start(t, flyerOf(t, func(f *flyer) bool { return f.rev == "2025-03-26" }), true) },
			"say": func(t *rapid.T) {
				f, x := flightOf(t, func(_ *flyer, x *flight) bool { return x.on != nil && !x.cancelled && x.asked == "" })
				h.cue(x.n, "say")
				got := read(f, x, "progress", `"progress":`)
				if !strings.Contains(got, `"progressToken":`+x.id) {
					t.Fatalf("call %d, id %s: %s", x.n, x.id, got)
				}
			},
			"ask": func(t *rapid.T) {
				f, x := flightOf(t, func(_ *flyer, x *flight) bool {
					return x.on != nil && !x.cancelled && x.asked == "" && !x.batched
				})
				h.cue(x.n, "ask")
				got := read(f, x, "the question", "sampling/createMessage")
				_, x.asked, _ = strings.Cut(got, `"id":"ask-`)
				x.asked, _, _ = strings.Cut(x.asked, `"`)
				waiting := 0
				for _, f := range flyers {
					for _, y := range f.flights {
						if y.asked != "" {
							waiting++
						}
					}
				}
				r.await("it waits without a worker", func() bool { return r.parkedCalls() == waiting })
			},
			"answer": func(t *rapid.T) {
				f, x := flightOf(t, func(_ *flyer, x *flight) bool { return x.on != nil && x.asked != "" })
				p := r.dial(rapid.IntRange(0, 1).Draw(t, "loop"))
				p.send(f.messageOn(sampledBody(`"ask-` + x.asked + `"`)))
				p.wantResponse("an answer", 202)
				read(f, x, "the result after an answer", fmt.Sprintf(`"text":"flight %d"`, x.n))
				over(f, x)
			},
			"leave": func(t *rapid.T) {
				_, x := flightOf(t, func(f *flyer, x *flight) bool { return f.stream == nil && x.on != nil && x.asked == "" })
				x.on.fin()
				x.on = nil
			},
			"cancel": func(t *rapid.T) {
				f := flyerOf(t, func(*flyer) bool { return true })
				wanted := id(t)
				var x *flight
				for _, y := range f.flights {
					if y.id == wanted && !y.cancelled {
						x = y
					}
				}
				p := r.dial(rapid.IntRange(0, 1).Draw(t, "loop"))
				p.send(f.messageOn(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + wanted + `}}`))
				p.wantResponse("a cancellation", 202)
				if x == nil {
					return
				}
				x.cancelled = true
				if x.asked != "" { // no handler runs
					if f.stream == nil {
						read(f, x, "the end of a call that waits", "the call was cancelled")
					}
					over(f, x)
					return
				}
				wantEnded++
				for i := 0; i < 20_000 && len(h.cancelled()) < wantEnded; i++ {
					r.run()
					time.Sleep(100 * time.Microsecond)
				}
				if len(h.cancelled()) < wantEnded {
					t.Fatalf("%+v of %s was not cancelled", *x, f.rev)
				}
				if got := h.cancelled()[wantEnded-1]; got != x.n {
					t.Fatalf("call %d was cancelled, want %d", got, x.n)
				}
				if x.deaf {
					return
				}
				if x.on != nil && f.stream == nil {
					read(f, x, "the answer of a call that was cancelled", `"id":`+x.id)
				}
				over(f, x)
			},
			"end": func(t *rapid.T) {
				f, x := flightOf(t, func(_ *flyer, x *flight) bool { return x.asked == "" })
				before := r.callsInFlight()
				h.cue(x.n, "end")
				over(f, x)
				if !x.cancelled { // until its session has forgotten it, a cancellation would find it
					r.await("the call is over", func() bool { return r.callsInFlight() < before })
				}
				if x.on == nil || f.stream != nil && x.cancelled && !x.batched {
					return
				}
				if f.stream != nil && x.batched && x.cancelled {
					return
				}
				got := read(f, x, "the result", fmt.Sprintf(`"text":"flight %d"`, x.n))
				if !strings.Contains(got, `"id":`+x.id) {
					t.Fatalf("call %d, id %s: %s", x.n, x.id, got)
				}
			},
			"": func(t *rapid.T) {
				r.run()
				if n := len(h.cancelled()); n != wantEnded {
					t.Fatalf("%d calls were cancelled, want %d", n, wantEnded)
				}
				if err := r.harmony(); err != nil {
					t.Fatal(err)
				}
			},
		})
		for _, f := range flyers {
			for _, x := range f.flights {
				if x.asked == "" {
					h.cue(x.n, "end")
				} else {
					r.dial(0).send(f.messageOn(sampledBody(`"ask-` + x.asked + `"`)))
				}
			}
		}
		r.callsEnd("all")
		for _, p := range r.peers {
			if !p.closed {
				p.fin()
			}
		}
		r.peers = nil
		r.wait(2 * r.s.opts.ReplayAge)
		r.wantNothingHeld("after all")
	})
}
