package server

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// memoCase is a memo in use at a time.
type memoCase struct {
	*authMemo
	epoch uint64
	now   tick
}

func (m *memoCase) who(token, path string, isKey bool) *identity {
	return m.find([]byte(token), isKey, path, m.epoch, m.now)
}

func (m *memoCase) learn(token, path string, isKey bool, v verdict) {
	m.who(token, path, isKey)
	m.keep(&v, isKey, path, m.epoch)
}

// A memo knows what it was given, and nothing else: not at another path, not of another kind, not
// beyond its time, not once something was forgotten, and no verdict but that on a valid token.
func TestAuthMemo(t *testing.T) {
	m := &memoCase{newAuthMemo(), 3, 100}
	ann := &identity{name: "ann"}
	token := strings.Repeat("jwt-", 200)
	m.learn(token, "/mcp", false, verdict{outcome: authOK, who: ann, until: 200})
	m.learn("bad", "/mcp", false, verdict{outcome: authInvalid, until: 200})
	m.learn("nobody", "/mcp", false, verdict{outcome: authOK, until: 200})
	want := func(why string, got, want *identity) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", why, got, want)
		}
	}
	want("the token", m.who(token, "/mcp", false), ann)
	want("again", m.who(token, "/mcp", false), ann)
	want("another path", m.who(token, "/mcp2", false), nil)
	want("a key", m.who(token, "/mcp", true), nil)
	want("a bad token", m.who("bad", "/mcp", false), nil)
	want("a token of nobody", m.who("nobody", "/mcp", false), nil)
	want("no token", m.who("", "/mcp", false), nil)
	for i := range token {
		b := []byte(token)
		b[i] ^= 1
		want(fmt.Sprint("another byte at ", i), m.who(string(b), "/mcp", false), nil)
		want(fmt.Sprint("cut at ", i), m.who(token[:i], "/mcp", false), nil)
	}
	want("with a zero byte more", m.who(token+"\x00", "/mcp", false), nil)
	m.now = 199
	want("the last tick", m.who(token, "/mcp", false), ann)
	m.now = 200
	want("out of date", m.who(token, "/mcp", false), nil)
	m.now = 100
	want("out of date for good", m.who(token, "/mcp", false), nil)
	m.learn(token, "/mcp", false, verdict{outcome: authOK, who: ann, until: 200})
	m.epoch++
	want("something was forgotten", m.who(token, "/mcp", false), nil)
	m.epoch--
	want("the entry is free", m.who(token, "/mcp", false), nil)
	if other := newAuthMemo(); other.hash != nil {
		m.who(token, "/mcp", false)
		other.find([]byte(token), false, "/mcp", 0, 0)
		if m.tag == other.tag {
			t.Error("two memos have the same key")
		}
	}
}

// A set has room for two tokens. The third displaces the one that was used longest ago.
func TestAuthMemoDisplaces(t *testing.T) {
	m := &memoCase{newAuthMemo(), 0, 100}
	if m.hash == nil {
		t.Skip("there is no GMAC")
	}
	var same []string // tokens of one set
	for i := 0; len(same) < 3; i++ {
		token := string(binary.BigEndian.AppendUint32([]byte("token"), uint32(i)))
		m.who(token, "", false)
		if m.set() == &m.sets[7] {
			same = append(same, token)
		}
	}
	whose := map[string]*identity{}
	for _, token := range same[:2] {
		whose[token] = &identity{name: token}
		m.learn(token, "", false, verdict{outcome: authOK, who: whose[token], until: 200})
	}
	m.who(same[0], "", false)
	whose[same[2]] = &identity{}
	m.learn(same[2], "", false, verdict{outcome: authOK, who: whose[same[2]], until: 200})
	for i, want := range []*identity{whose[same[0]], nil, whose[same[2]]} {
		if got := m.who(same[i], "", false); got != want {
			t.Errorf("token %d is of %v, want %v", i, got, want)
		}
	}
}

// What a caller sends after Revoke is verified anew, although the loop has remembered its token.
func TestAuthMemoRevoked(t *testing.T) {
	r, f := newAuthRig(t, nil)
	p := r.connect()
	ask := func(calls int64) {
		t.Helper()
		before := f.calls.Load()
		p.send(addCall(1, 2).with(bearerField("good")).String())
		r.settleAuth()
		p.wantResponse("good", 200)
		if n := f.calls.Load() - before; n != calls {
			t.Errorf("the verifier was called %d times, want %d", n, calls)
		}
	}
	remembers := func() bool {
		return r.l.memo.find([]byte("good"), false, "/mcp", r.s.auth.cache.epoch.Load(), r.l.now) != nil
	}
	ask(1)
	ask(0)
	if !remembers() {
		t.Fatal("the loop does not remember the token")
	}
	ask(0)
	r.s.auth.cache.forget(func(who *identity) bool { return who.name == "good" })
	if remembers() {
		t.Error("the loop remembers a token that is forgotten")
	}
	ask(1)
}

// What is out of date does not stay in a memo.
func TestAuthMemoSweeps(t *testing.T) {
	m := &memoCase{newAuthMemo(), 0, 100}
	if m.hash == nil {
		t.Skip("there is no GMAC")
	}
	for i := range 3 * memoSets {
		m.learn(fmt.Sprint("token", i), "", false, verdict{outcome: authOK, who: &identity{}, until: tick(101 + i%2*1000)})
	}
	sets := func() (n int) {
		for _, s := range m.sets {
			if s != nil {
				n++
			}
		}
		return n
	}
	before := sets()
	for range memoSets {
		m.now++
		m.sweep(m.now)
	}
	if after := sets(); after == 0 || after >= before {
		t.Errorf("%d sets, then %d", before, after)
	}
	m.now += 1000
	for range memoSets {
		m.now++
		m.sweep(m.now)
	}
	if n := sets(); n != 0 {
		t.Errorf("%d sets are left", n)
	}
}

// Verdicts that are out of date go by themselves, and so does the room that they had.
func TestAuthCacheSweeps(t *testing.T) {
	var now atomic.Uint32
	now.Store(100)
	c := &authCache{most: 1000, every: time.Millisecond, clock: func() tick { return tick(now.Load()) }, stopped: func() bool { return false }}
	add := func(n int, keep time.Duration) {
		for i := range n {
			k := authKeyOf(fmt.Append(nil, keep, i), "", false)
			_, f, _ := c.join(&k, tick(now.Load()), authWaiter{})
			v := verdict{outcome: authOK, who: &identity{}}
			if i%2 == 0 {
				v = verdict{outcome: authInvalid}
			}
			c.land(f, v, tick(now.Load()), keep)
		}
	}
	kept := func() (n int) {
		for i := range c.shards {
			s := &c.shards[i]
			s.mu.Lock()
			n += len(s.good) + len(s.bad)
			s.mu.Unlock()
		}
		return n
	}
	await := func(why string, want int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); kept() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d verdicts, want %d", why, kept(), want)
			}
		}
	}
	add(1000, time.Second)
	add(10, time.Hour)
	if n := kept(); n != 1010 {
		t.Fatalf("%d verdicts are kept", n)
	}
	now.Add(20)
	await("a second is over", 10)
	now.Add(100 * 3600)
	await("an hour is over", 0)
	for end := time.Now().Add(10 * time.Second); c.awake.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("an empty cache is swept again and again")
		}
	}
	add(1, time.Second)
	if !c.awake.Load() {
		t.Error("a verdict that comes later is not swept")
	}
}
