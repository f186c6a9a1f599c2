package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// startJob begins a call of "wait" on p and returns the loop's job for it.
func (p *fakePeer) startJob() *job {
	p.r.t.Helper()
	p.send(callTool("wait", `{}`).String())
	if p.c.x == nil || p.c.x.job == nil {
		p.r.t.Fatal("no call is in flight")
	}
	return p.c.x.job
}

// let lets n calls of "wait" return, whose jobs the test has already answered, and has the loop
// serve the returned jobs.
func (r *rig) let(n int) {
	r.t.Helper()
	free := len(r.l.jobs)
	for range n {
		r.hold <- struct{}{}
	}
	// A worker takes its call off the count before it returns the job.
	r.await("the calls return", func() bool { return len(r.l.jobs) == free+n })
	r.run()
}

func progress(i int) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":%d}}`, i)
}

var anyResult = []byte(`{"jsonrpc":"2.0","id":1,"result":{}}`)

// TestInboxOrder checks that the notifications of a call arrive in order and before its answer,
// even when many calls post at once and the loop serves them in slices.
func TestInboxOrder(t *testing.T) {
	const calls, each = 8, 3 * sliceLimit
	r := newRig(t, nil)
	var wg sync.WaitGroup
	var peers []*fakePeer
	for range calls {
		p := r.connect()
		j := p.startJob()
		peers = append(peers, p)
		wg.Go(func() {
			for i := range each {
				if !j.Notify(progress(i)) {
					t.Errorf("notification %d was rejected", i)
				}
			}
			j.Respond(anyResult, 0)
			if j.Notify(progress(each)) {
				t.Error("a notification was accepted after the answer")
			}
			j.Respond(anyResult, 0) // only the first answer counts
		})
	}
	wg.Wait()
	r.run()
	r.let(calls)
	for _, p := range peers {
		res := p.wantResponse("a call", 200)
		events := strings.SplitAfter(res.body, "\n\n")
		if len(events) != each+2 || !res.ended {
			t.Fatalf("%d events, ended %v; want %d and the end", len(events), res.ended, each+2)
		}
		for i, e := range events[:each] {
			if !strings.Contains(e, fmt.Sprintf(`"progress":%d}`, i)) {
				t.Fatalf("event %d is %s", i, e)
			}
		}
		if !strings.Contains(events[each], `"result"`) {
			t.Errorf("the last event is %s, want the result", events[each])
		}
		p.wantNothing("after the answer")
	}
}

// TestInboxSlices checks that sockets get their turn after each slice, however much was posted.
func TestInboxSlices(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	j := p.startJob()
	for i := range 3 * sliceLimit {
		j.Notify(progress(i))
	}
	for _, tk := range r.base.take() {
		tk()
	}
	if got, want := len(r.l.backlog), 2*sliceLimit; got != want {
		t.Errorf("%d items are left after the first turn, want %d", got, want)
	}
	j.Notify(progress(9999)) // comes after the items that wait
	r.run()
	if s := p.take(); !strings.HasSuffix(s, `"progress":9999}}`+"\n\n\r\n") || strings.Count(s, "data: ") != 3*sliceLimit+1 {
		t.Errorf("%d events, ending with %.100q", strings.Count(s, "data: "), s[max(0, len(s)-100):])
	}
}

// TestAnswersForNobody checks that an answer for a closed connection is dropped, even if another
// connection has its slot.
func TestAnswersForNobody(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	j := p.startJob()
	slot, gen := p.c.slot, p.c.gen
	j.Notify(progress(1))
	j.Respond(anyResult, 0)
	p.onClose(errSocketClosed) // before the loop has served its inbox
	r.await("the handler ends with its client", func() bool { return r.s.calls.Load() == 0 })
	heir := r.connect()
	if heir.c.slot != slot || heir.c.gen == gen {
		t.Fatalf("slot %d with generation %d follows slot %d with generation %d, want the same slot and a new generation",
			heir.c.slot, heir.c.gen, slot, gen)
	}
	heirJob := heir.startJob()
	r.run()
	heir.wantNothing("answers for the previous connection in its slot")
	heirJob.Respond(anyResult, 0)
	r.let(1)
	heir.wantResponse("its own answer", 200)

	t.Run("the next call of the same connection", func(t *testing.T) {
		late, left := make(chan struct{}), make(chan struct{})
		mcp.AddTool(r.ms, &mcp.Tool{Name: "stubborn"},
			func(_ context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
				<-late
				defer close(left)
				_ = req.Progress(1, 1, "late")
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "late"}}}, nil, nil
			})
		q := r.connect()
		q.send(callTool("stubborn", `{}`).String())
		r.pass(r.s.opts.CallTimeout + tickUnit)
		q.wantResponse("the first call", 200)
		second := q.startJob()
		close(late)
		<-left
		r.await("the first call returns", func() bool { return r.s.calls.Load() == 1 })
		r.run()
		q.wantNothing("the first call has already been answered")
		second.Respond(anyResult, 0)
		r.let(1)
		q.wantResponse("the second call", 200)
	})
}

// TestReturnedOnce checks that each job returns once when handlers answer, are cancelled and time
// out in any order.
func TestReturnedOnce(t *testing.T) {
	r := newRig(t, nil)
	for round := range 20 {
		var peers []*fakePeer
		for i := range 6 {
			p := r.connect()
			if i%2 == 0 {
				p.send(callTool("echo", `{"text":"x"}`).String())
			} else {
				p.startJob()
			}
			peers = append(peers, p)
		}
		r.hold <- struct{}{}
		peers[1].fin()
		if round%2 == 0 {
			peers[3].rst()
		}
		for _, p := range peers {
			if !p.closed {
				p.fin()
			}
		}
		r.await("no call is in flight", func() bool { return r.s.calls.Load() == 0 })
		select {
		case <-r.hold: // no handler took it
		default:
		}
		r.run()
	}
	r.await("all jobs have returned", func() bool {
		r.l.in.mu.Lock()
		defer r.l.in.mu.Unlock()
		return len(r.l.in.items) == 0 && len(r.l.backlog) == 0
	})
	seen := map[*job]bool{}
	for _, j := range r.l.jobs {
		if seen[j] {
			t.Fatal("a job is in the free list twice")
		}
		if seen[j] = true; j.content != nil || j.ctx != nil || j.done || j.queued.Load() != 0 {
			t.Errorf("a job in the free list still has state: %+v", j.h)
		}
	}
	if len(r.l.jobs) == 0 || len(r.l.jobs) > 120 {
		t.Errorf("%d jobs are in the free list, want 1 to 120", len(r.l.jobs))
	}
}

// TestChangesMerge checks that a set of changes holds each change once, and that merging a set
// does not modify it: all loops are given the same set.
func TestChangesMerge(t *testing.T) {
	var a, b changes
	if !a.empty() {
		t.Error("the zero set is not empty")
	}
	a.add(mcp.Change{Topic: mcp.TopicTools})
	a.add(mcp.Change{Topic: mcp.TopicResource, URI: "x"})
	a.add(mcp.Change{Topic: mcp.TopicResource, URI: "x"})
	b.merge(&a)
	b.add(mcp.Change{Topic: mcp.TopicPrompts})
	b.add(mcp.Change{Topic: mcp.TopicResource, URI: "y"})
	if a.topics != mcp.TopicTools || len(a.uris) != 1 {
		t.Errorf("the merged set has changed: %+v", a)
	}
	if b.topics != mcp.TopicTools|mcp.TopicPrompts || len(b.uris) != 2 {
		t.Errorf("got %+v", b)
	}
}

// TestRespondCode checks that the code of an answer determines its HTTP status.
func TestRespondCode(t *testing.T) {
	for code, want := range map[jsonrpc.Code]int{
		0:                          200,
		jsonrpc.CodeInternalError:  200,
		jsonrpc.CodeInvalidParams:  400,
		jsonrpc.CodeMethodNotFound: 404,
	} {
		r := newRig(t, nil)
		p := r.connect()
		p.startJob().Respond(anyResult, code)
		r.let(1)
		p.wantResponse(fmt.Sprint(code), want)
	}
}
