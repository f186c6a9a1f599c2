package server

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

// sendAs sends a request with content whose caller is known by a token.
func (p *fakePeer) sendAs(info *auth.TokenInfo, q request) {
	p.r.t.Helper()
	text := q.String()
	at := strings.Index(text, "\r\n\r\n") + 4
	p.send(text[:at])
	if p.c.state != connStateBody {
		p.r.t.Fatalf("state %v after the head", p.c.state)
	}
	p.c.x.who = identityOf(info)
	p.method = q.method
	p.send(text[at:])
}

// listenAs opens a stream.
func (p *fakePeer) listenAs(info *auth.TokenInfo, id string) {
	p.r.t.Helper()
	p.sendAs(info, listenTo(id, everything))
	if res := p.wantResponse("listen", 200); !res.stream || res.ended {
		p.r.t.Fatalf("listen: %q", res.body)
	}
}

func tokenOf(user string, life time.Duration) *auth.TokenInfo {
	return &auth.TokenInfo{
		UserID: user, Issuer: "https://issuer", ClientID: "client", Scopes: []string{"read", "write"},
		Expiration: time.Now().Add(life),
	}
}

// Streams end with their result within the last tenth of their tokens' life, not all at once, and
// not after it.
func TestListenEndsWithToken(t *testing.T) {
	const life, streams = time.Minute, 50
	r := newRig(t, nil)
	var peers []*fakePeer
	info := tokenOf("ann", life)
	for i := range streams {
		p := r.connect()
		p.listenAs(info, strconv.Itoa(i))
		peers = append(peers, p)
	}
	other := r.connect()
	other.listen("7")
	forever := r.connect()
	forever.listenAs(&auth.TokenInfo{UserID: "bob"}, "8")
	r.pass(life*9/10 - 5*tickUnit)
	for _, p := range peers {
		p.moreUnchecked()
		p.wantOpen("before the last tenth")
	}
	ends, ended := make(map[tick]int), make(map[*fakePeer]bool)
	for r.l.now < tick(life/tickUnit) {
		r.pass(tickUnit)
		for _, p := range peers {
			if !p.c.has(flagStreaming) && !ended[p] {
				ended[p] = true
				ends[r.l.now]++
			}
		}
	}
	if len(ends) < 20 {
		t.Errorf("the streams ended in %d ticks", len(ends))
	}
	for i, p := range peers {
		got := string(p.got)
		if !strings.Contains(got, fmt.Sprintf(`"id":%d,"result":{`, i)) || !strings.HasSuffix(got, "0\r\n\r\n") {
			t.Errorf("stream %d ended with %q", i, got)
		}
		p.got = nil
		p.wantOpen("after the end of the token")
		p.send(addCall(i, 1).String())
		p.wantResponse("the next request", 200)
	}
	other.moreUnchecked()
	other.wantOpen("a stream without a token")
	forever.moreUnchecked()
	forever.wantOpen("a stream whose token does not end")
	if n := len(r.l.holders.all); n != 1 {
		t.Errorf("%d holders", n)
	}
	forever.fin()
	if b := &r.l.holders; b.of != nil || b.ends != nil || b.all != nil || b.grants != nil {
		t.Errorf("%d holders, %d grants are left", len(b.all), len(b.grants))
	}
}

// A peer that takes nothing loses its stream too.
func TestStalledListenEndsWithToken(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	p.listenAs(tokenOf("ann", 20*time.Second), "1")
	p.slow(0)
	r.change(changeOf("tools"))
	r.pass(20*time.Second + tickUnit)
	if p.c.has(flagStreaming) || r.l.holders.of != nil {
		t.Errorf("state %v, flags %b", p.c.state, p.c.flags)
	}
}

func TestExpiredTokenOfListen(t *testing.T) {
	r := newRig(t, nil)
	for _, left := range []time.Duration{-time.Second, 0, tickUnit / 2, tickUnit} {
		p := r.connect()
		p.listenAs(tokenOf("ann", left), "1")
		r.pass(2 * tickUnit)
		if p.c.has(flagStreaming) {
			t.Errorf("%v before its end: the stream stays open", left)
		}
	}
}

// Holders with equal hashes, and those that differ in one field only, are told apart.
func TestHolders(t *testing.T) {
	var hs holders
	at := time.Now()
	var infos []*auth.TokenInfo
	for _, names := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}} {
		for _, scopes := range [][]string{nil, {"x"}, {"x", "y"}, {"xy"}} {
			for _, issuer := range []string{"", "i", "j"} {
				for _, e := range []time.Time{{}, at, at.Add(time.Second)} {
					infos = append(infos, &auth.TokenInfo{UserID: names[0], ClientID: names[1], Scopes: scopes, Issuer: issuer, Expiration: e})
				}
			}
		}
	}
	for i := range 2 * len(infos) {
		hs.put(uint32(i), identityOf(infos[i%len(infos)]), tick(i))
	}
	for i := range 2 * len(infos) {
		got, want := hs.at(uint32(i)).info(), infos[i%len(infos)]
		if got.Principal() != want.Principal() || fmt.Sprint(got.Scopes) != fmt.Sprint(want.Scopes) || got.Expiration.UnixMilli() != want.Expiration.UnixMilli() && !want.Expiration.IsZero() {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if hs.end(uint32(i)) != tick(i) || hs.at(uint32(i)) != hs.at(uint32(i%len(infos))) {
			t.Fatalf("slot %d: end %d", i, hs.end(uint32(i)))
		}
	}
	for i := range 2 * len(infos) {
		hs.remove(uint32((i * 7) % (2 * len(infos))))
		hs.remove(uint32((i * 7) % (2 * len(infos))))
	}
	for i := range 2 * len(infos) {
		hs.remove(uint32(i))
	}
	if hs.all != nil || hs.of != nil {
		t.Errorf("%d holders are left", len(hs.all))
	}
}

// listenAs opens a stream on a socket that only counts.
func (s *idleSocket) listenAs(info *auth.TokenInfo, id string) {
	text := listenTo(id, `"toolsListChanged":true`).String()
	at := strings.Index(text, "\r\n\r\n") + 4
	s.deliver([]byte(text[:at]))
	s.c.x.who = identityOf(info)
	s.deliver([]byte(text[at:]))
}

// What a stream with a token costs beside one without.
func TestHoldersAreSmall(t *testing.T) {
	if raceEnabled() {
		t.Skip("measures memory")
	}
	const n = 8000
	measure := func(info func(i int) *auth.TokenInfo) float64 {
		l := newIdleLoop(t, nil)
		socks := make([]*idleSocket, n)
		for i := range socks {
			socks[i] = l.connect()
		}
		before := liveHeap()
		for i, s := range socks {
			s.listenAs(info(i), strconv.Itoa(i%1000))
		}
		per := float64(liveHeap()-before) / n
		for _, s := range socks {
			s.end(errSocketClosed)
		}
		if l.holders.of != nil {
			t.Errorf("%d holders are left", len(l.holders.all))
		}
		runtime.KeepAlive(l)
		return per
	}
	none := measure(func(int) *auth.TokenInfo { return nil })
	same := time.Now().Add(time.Hour)
	one := measure(func(int) *auth.TokenInfo {
		ti := tokenOf("ann", 0)
		ti.Expiration = same
		return ti
	}) - none
	all := measure(func(i int) *auth.TokenInfo {
		ti := tokenOf(fmt.Sprintf("3f1b7e0c-5d7a-4b19-9c0e-%012d", i), time.Hour)
		ti.Extra = map[string]any{"sub": ti.UserID}
		return ti
	}) - none
	t.Logf("bytes a stream: %.1f without a token, %.1f more for one principal, %.1f more for %d", none, one, all, n)
	if one > 16 || all > 160 {
		t.Errorf("one principal: %.1f B, want at most 16; %d principals: %.1f B, want at most 160", one, n, all)
	}
}

// endTogether ends n streams whose tokens end within one second, and returns the longest turn and
// the time that all took.
func endTogether(tb testing.TB, n int) (longest, total time.Duration) {
	l := newIdleLoop(tb, nil)
	for i := range n {
		ti := tokenOf("user-"+strconv.Itoa(i), 3*time.Second+time.Duration(i)*time.Second/time.Duration(n))
		l.connect().listenAs(ti, strconv.Itoa(i%1000))
	}
	f := l.base.(*idleBase)
	for range 45 {
		l.now++
		f.later = append(f.later, l.runContinue)
		for len(f.tasks)+len(f.later) > 0 {
			tasks := append(f.tasks, f.later...)
			f.tasks, f.later = nil, nil
			for _, task := range tasks {
				start := time.Now()
				task()
				took := time.Since(start)
				longest, total = max(longest, took), total+took
			}
		}
	}
	if l.m.streams.Load() != 0 || l.holders.of != nil {
		tb.Errorf("%d streams are left", l.m.streams.Load())
	}
	return longest, total
}

// Streams that end together end in slices.
func TestTokensEndTogether(t *testing.T) {
	if raceEnabled() {
		t.Skip("measures time")
	}
	longest := time.Hour
	for range 3 { // a single turn may be another process's fault
		one, total := endTogether(t, 10_000)
		t.Logf("10,000 ends: the longest turn took %v, all together %v", one, total)
		longest = min(longest, one)
	}
	if longest > 20*time.Millisecond {
		t.Errorf("the longest turn took %v", longest)
	}
}
