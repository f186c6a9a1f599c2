package server

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// unsentInvariants returns an error unless everything holds that must hold for unsent bytes
// between two turns.
func (l *loop) unsentInvariants() error {
	sum, listed := 0, 0
	for slot, st := range l.stalls.clocks {
		sum += st.held
		if st.size != holderSize(st.held) || st.held < 0 {
			return fmt.Errorf("slot %d holds %d bytes and is in list %d", slot, st.held, st.size)
		}
		if st.size > 0 && (int(st.at) >= len(l.stalls.holders[st.size]) || l.stalls.holders[st.size][st.at] != slot) {
			return fmt.Errorf("slot %d is not at its position in list %d", slot, st.size)
		}
		if st.size > 0 {
			listed++
		}
	}
	top := 0
	for size := range l.stalls.holders {
		if listed -= len(l.stalls.holders[size]); len(l.stalls.holders[size]) > 0 {
			top = size
		}
	}
	switch {
	case listed != 0 || len(l.stalls.holders[0]) > 0:
		return fmt.Errorf("%d more connections hold bytes than are listed", listed)
	case int64(sum) != l.srv.unsent.Load():
		return fmt.Errorf("%d bytes are held, %d are counted", sum, l.srv.unsent.Load())
	case l.stalls.heaviest.Load() != int32(top):
		return fmt.Errorf("the heaviest is in list %d, not %d", top, l.stalls.heaviest.Load())
	}
	return nil
}

func (r *rig) wantUnsent(why string, most int) {
	r.t.Helper()
	r.wantInvariants(why)
	if err := r.l.unsentInvariants(); err != nil {
		r.t.Fatalf("%s: %v", why, err)
	}
	if n := r.s.Stats().UnsentBytes; n > int64(most) {
		r.t.Fatalf("%s: %d bytes wait for all peers, want at most %d", why, n, most)
	}
}

// leave makes p leave an answer of about n bytes unread.
func (p *fakePeer) leave(n int) {
	p.r.t.Helper()
	p.slow(0)
	p.send(callTool("echo", fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", n))).String())
	p.r.await("an answer", func() bool { return p.closed || len(p.pending) >= n })
}

// TestUnsentTotal checks that beyond the limit for all peers the connections with the most unsent
// bytes are reset, and no others.
func TestUnsentTotal(t *testing.T) {
	const limit = 1 << 20
	r := newRig(t, &Options{UnsentTotal: limit})
	var light, heavy []*fakePeer
	for range 20 {
		p := r.connect()
		p.leave(3000)
		light = append(light, p)
	}
	quick := r.connect()
	for i := range 30 {
		p := r.connect()
		p.leave(100_000)
		heavy = append(heavy, p)
		r.wantUnsent(fmt.Sprint(i, " large answers"), limit)
		quick.send(addCall(1, 2).String())
		quick.wantCode("a client that reads", 200, 0)
	}
	for _, p := range light {
		p.wantOpen("a client with few unsent bytes")
	}
	reset := 0
	for _, p := range heavy {
		if p.closed {
			p.wantClosed("a client with many unsent bytes", closeUnsentTotal)
			if reset++; !p.reset {
				t.Error("closed without an RST: the kernel would keep sending")
			}
		}
	}
	if n := r.s.Stats().Closes["unsent_total"]; reset < 20 || reset > 25 || n != uint64(reset) {
		t.Errorf("%d clients were reset, want 20 to 25, and %d counted", reset, n)
	}
	for _, p := range r.peers {
		if !p.closed {
			p.catchUp()
		}
	}
	r.pass(31 * time.Second)
	r.wantUnsent("after all have read", 0)
	if len(r.l.stalls.clocks) != 0 {
		t.Errorf("%d stall clocks are left", len(r.l.stalls.clocks))
	}
}

// TestUnsentTotalIsOfThePresent checks that bytes that have been read in the meantime do not
// count against the clients that read them.
func TestUnsentTotalIsOfThePresent(t *testing.T) {
	const limit = 1 << 20
	r := newRig(t, &Options{UnsentTotal: limit})
	var peers []*fakePeer
	for range 30 {
		p := r.connect()
		p.leave(100_000)
		p.catchUp() // the socket sends without notifying the loop
		p.slow(0)
		peers = append(peers, p)
		r.wantUnsent("a client that reads in time", limit)
	}
	for _, p := range peers {
		p.wantOpen("a client that has read all")
	}
	r.pass(time.Second)
	r.wantUnsent("some ticks later", 0)
}

// TestUnsentTotalWithinATurn checks that there is a limit even in a turn that serves very many
// requests before any connection can be reset.
func TestUnsentTotalWithinATurn(t *testing.T) {
	const limit = 256 << 10
	r := newRig(t, &Options{UnsentTotal: limit})
	for range 100 {
		p := r.connect()
		p.slow(0)
		p.deliver(strings.Repeat(addCall(1, 2).String(), 100)) // some 30 KB of answers
	}
	if n := r.s.unsent.Load(); n > limit*3/2 {
		t.Errorf("%d bytes wait within a turn, want at most %d", n, limit*3/2)
	}
	r.run()
	r.wantUnsent("after the turn", limit)
}

// TestUnsentIsCounted checks the count of unsent bytes, whatever peers do.
func TestUnsentIsCounted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const limit = 300 << 10
	r := newRig(t, &Options{UnsentTotal: limit, MaxUnsent: 64 << 10, WriteTimeout: 5 * time.Second, Heartbeat: time.Second})
	peers := make([]*fakePeer, 40)
	for step := range 4000 {
		i := rng.IntN(len(peers))
		p := peers[i]
		if p == nil || p.closed {
			peers[i] = r.connect()
			peers[i].slow(rng.IntN(20_000))
			continue
		}
		switch rng.IntN(9) {
		case 0, 1, 2:
			p.send(strings.Repeat(addCall(1, 2).String(), 1+rng.IntN(100)))
		case 3:
			if p.c.state == connStateIdle {
				p.send(listenTo("1", everything).String())
			}
		case 4:
			p.room = rng.IntN(50_000)
			p.drain()
		case 5:
			p.catchUp()
		case 6:
			r.change(changeOf("tools"))
		case 7:
			r.pass(tickUnit)
		default:
			if p.rst(); step%2 == 0 {
				peers[i] = nil
			}
		}
		r.wantUnsent(fmt.Sprint("step ", step), limit)
		p.got = p.got[:0]
	}
	for _, p := range peers {
		if p != nil && !p.closed {
			p.fin()
		}
	}
	r.wantUnsent("after all have disconnected", 0)
}

// TestPipelinedAnswersWait checks that the next request of a peer that does not read waits once
// 32 KiB of answers do, and is answered when the peer reads.
func TestPipelinedAnswersWait(t *testing.T) {
	for _, limit := range []int{0, 8 << 10} {
		r := newRig(t, &Options{MaxUnsent: limit, MaxPipelined: 1 << 20})
		p := r.connect()
		p.slow(0)
		const n = 1500
		one := addCall(1, 2).String()
		p.send(strings.Repeat(one, n))
		if waits := len(p.pending); waits < 4<<10 || waits > 2*maxAhead {
			t.Fatalf("MaxUnsent %d: %d bytes of answers wait, want 4 to 64 KiB", limit, waits)
		}
		answers := 0
		for range 200 {
			p.room = 30_000
			p.drain()
			r.pass(2 * tickUnit)
			if waits := len(p.pending); waits > 2*maxAhead {
				t.Fatalf("MaxUnsent %d: %d bytes of answers wait, want at most 64 KiB", limit, waits)
			}
			answers += strings.Count(p.take(), `"sum":3}`)
		}
		if answers != n && answers != n*2 { // the text content has the sum as well
			t.Errorf("MaxUnsent %d: %d answers to %d requests", limit, answers, n)
		}
		p.wantOpen("a client that reads late")
	}
}
