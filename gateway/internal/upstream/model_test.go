package upstream

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A model is a random life of a Server. Each method with a *rapid.T is an action.
type model struct {
	*harbor
	opts   Options
	fronts []*modelFront
	parked map[string]*modelFront // by token
	subs   map[string]int
	stale  map[*fakeLink]bool // opened with an upstream that was replaced
}

// A modelFront is a front whose messages name it, so that it notices those of others.
type modelFront struct {
	front
	n      int64
	parked bool // its call belongs to somebody else, or to nobody
}

func (f *modelFront) mine(what, text string) {
	v, _ := jsonrpc.Member([]byte(text), "n")
	if string(v) != itoa(f.n) {
		f.t.Errorf("call %d got the %s of another: %s", f.n, what, text)
	}
}

func (f *modelFront) Progress(p []byte) {
	f.mine("progress", string(p))
	if v, _ := jsonrpc.Member(p, "progressToken"); string(v) != `"t`+itoa(f.n)+`"` {
		f.t.Errorf("call %d got the token %s", f.n, v)
	}
	f.front.Progress(p)
}

func (f *modelFront) Message(p []byte) { f.mine("message", string(p)); f.front.Message(p) }

func (f *modelFront) Question(q *Question) {
	f.mine("question", string(q.Params))
	f.front.Question(q)
}

func (f *modelFront) End(e *End) {
	if f.parked {
		f.t.Errorf("call %d has ended though it was parked", f.n)
	}
	if e.Result != nil {
		f.mine("result", string(e.Result))
	}
	f.front.End(e)
}

func TestModel(t *testing.T) {
	runs := 10 // the clock of a bubble stops rapid after a day, which is soon over
	if testing.Short() {
		runs = 2
	}
	for range runs {
		bubble(t, oneModel)
	}
}

func oneModel(t *testing.T) {
	rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // in a bubble, t has no Deadline
		m := newModel(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"call":      m.startCall,
			"call 2":    m.startCall,
			"answer":    m.answer,
			"answer 2":  m.answer,
			"fail":      m.failCall,
			"crash":     m.crash,
			"cancel":    m.cancel,
			"ask":       m.ask,
			"reply":     m.reply,
			"withdraw":  m.withdrawOne,
			"park":      m.parkCall,
			"unpark":    m.unpark,
			"progress":  m.progressOf,
			"stray":     m.stray,
			"subscribe": m.subscribe,
			"leave":     m.unsubscribe,
			"time":      m.wait,
			"change":    m.change,
			"forget":    m.forget,
			"era":       m.switchEra,
			"slow":      m.slow,
			"":          m.check,
		})
		m.finish()
	})
}

func newModel(rt *rapid.T) *model {
	o := Options{
		Share:                rapid.SampledFrom([]Share{SharePrincipal, ShareAll, ShareClient}).Draw(rt, "share"),
		Stdio:                rapid.Bool().Draw(rt, "stdio"),
		Concurrency:          rapid.SampledFrom([]int{0, 1, 3}).Draw(rt, "concurrency"),
		MaxSessions:          rapid.SampledFrom([]int{0, 2, 4}).Draw(rt, "sessions"),
		MaxWaiting:           rapid.SampledFrom([]int{0, 3}).Draw(rt, "waiting"),
		MaxParked:            2,
		StartTimeout:         20 * time.Second,
		PrincipalCredentials: rapid.Bool().Draw(rt, "credentials"),
	}
	m := &model{harbor: newHarbor(rt, o), opts: o, parked: map[string]*modelFront{}, subs: map[string]int{}}
	m.modern = rapid.Bool().Draw(rt, "modern")
	m.legacy = !m.modern || rapid.Bool().Draw(rt, "legacy too")
	m.stale = map[*fakeLink]bool{}
	m.script = func(l *fakeLink, r *link.Message) {
		if m.stale[l] && r.Kind == link.Request {
			m.refuse(l, r)
			return
		}
		m.upstream(l, r)
	}
	m.stateless = rapid.Bool().Draw(rt, "stateless")
	if rapid.Bool().Draw(rt, "connect") {
		m.connect()
	}
	return m
}

func (m *model) startCall(t *rapid.T) {
	f := &modelFront{n: int64(len(m.fronts))}
	f.front.t = m.t
	c := &Call{
		Method: "tools/call", Params: []byte(`{"name":"e","n":` + itoa(f.n) + `}`), Handler: f,
		Principal:  rapid.SampledFrom([]string{"ann", "bob", "cid"}).Draw(t, "principal"),
		SessionKey: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "front"),
		Class:      rapid.SampledFrom([]Class{0, allClasses}).Draw(t, "class"),
		LogLevel:   rapid.SampledFrom([]Level{LevelNone, LevelDefault, LevelInfo, LevelError}).Draw(t, "level"),
	}
	if rapid.Bool().Draw(t, "progress") {
		c.ProgressToken = []byte(`"t` + itoa(f.n) + `"`)
	}
	if rapid.Bool().Draw(t, "deadline") {
		c.Deadline = time.Now().Add(5 * time.Second)
	}
	f.call = c
	m.fronts = append(m.fronts, f)
	m.s.Start(c)
	m.run()
}

// flying returns all calls that the upstream has.
func (m *model) flying() []sent {
	var all []sent
	for _, l := range m.links {
		for _, c := range l.calls("tools/call") {
			all = append(all, sent{l, c})
		}
	}
	return all
}

func one[T any](t *rapid.T, all []T) T {
	if len(all) == 0 {
		t.Skip("nothing to choose from")
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, "one of")]
}

func (m *model) answer(t *rapid.T) {
	c := one(t, m.flying())
	if rapid.IntRange(0, 9).Draw(t, "error") == 0 {
		c.l.error(c.m.ID, -32602, "no")
	} else {
		c.l.result(c.m.ID, `{"n":`+param(c.m, "n")+`}`)
	}
	m.run()
}

func (m *model) failCall(t *rapid.T) {
	c := one(t, m.flying())
	err := one(t, []link.Error{
		{Reason: link.Expired, Status: 404}, {Reason: link.Lost}, {Reason: link.Lost, Unsent: true},
		{Reason: link.Timeout}, {Reason: link.Busy, Unsent: true}, {Reason: link.Status, Status: 503}, {Reason: link.TooLong},
	})
	c.l.fail(c.m.ID, &err)
	m.run()
}

func (m *model) crash(t *rapid.T) {
	var alive []*fakeLink
	for _, l := range m.links {
		if !l.closed {
			alive = append(alive, l)
		}
	}
	one(t, alive).lose()
	m.run()
}

// waiting returns the fronts whose calls have not ended and are their own.
func (m *model) waiting() []*modelFront {
	var all []*modelFront
	for _, f := range m.fronts {
		if f.ends == 0 && !f.parked {
			all = append(all, f)
		}
	}
	return all
}

func (m *model) cancel(t *rapid.T) {
	f := one(t, m.waiting())
	f.call.Cancel("")
	if f.ends != 1 {
		t.Fatalf("call %d has ended %d times after its cancellation", f.n, f.ends)
	}
	m.run()
}

func (m *model) ask(t *rapid.T) {
	c := one(t, m.flying())
	id := itoa(rapid.Int64Range(1, 5).Draw(t, "id"))
	on := c.l.on(c.m.ID)
	method := one(t, []string{"elicitation/create", "roots/list", "sampling/createMessage", "ping", "x"})
	n := param(c.m, "n")
	if on == 0 && len(c.l.calls("tools/call")) > 1 {
		t.Skip("nobody can say whose question it is")
	}
	c.l.asks(on, id, method, `{"n":`+n+`}`)
	m.run()
}

func (m *model) reply(t *rapid.T) {
	f := one(t, m.waiting())
	if len(f.questions) == 0 {
		t.Skip("no question")
	}
	q := one(t, f.questions)
	one(t, []func(){func() { q.Answer([]byte(`{}`)) }, func() { q.Cancel() }, func() { q.Refuse(-1, "no") }})()
	m.run()
}

func (m *model) withdrawOne(t *rapid.T) {
	c := one(t, m.flying())
	c.l.says(0, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+itoa(rapid.Int64Range(1, 5).Draw(t, "id"))+`}}`)
}

func (m *model) parkCall(t *rapid.T) {
	f := one(t, m.waiting())
	if token, ok := f.call.Park(time.Now().Add(time.Minute)); ok {
		f.parked = true
		m.parked[token] = f
	}
	if len(m.s.parks.byToken) > 2 {
		t.Fatal("more calls are parked than may be")
	}
}

func (m *model) unpark(t *rapid.T) {
	token := one(t, slices.Sorted(maps.Keys(m.parked)))
	old := m.parked[token]
	delete(m.parked, token)
	f := &modelFront{n: old.n}
	f.front.t, f.call = m.t, old.call
	if _, questions, ok := m.s.Unpark(token, old.call.Principal, f); ok {
		f.questions = questions
		m.fronts = append(m.fronts, f)
	}
	if _, _, ok := m.s.Unpark(token, old.call.Principal, f); ok {
		t.Fatal("unparked twice")
	}
}

func (m *model) progressOf(t *rapid.T) {
	c := one(t, m.flying())
	on := one(t, []int64{0, c.m.ID})
	n := param(c.m, "n")
	c.l.says(on, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+itoa(c.m.ID)+`,"n":`+n+`}}`)
	if c.l.on(c.m.ID) != 0 {
		c.l.says(c.m.ID, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","n":`+n+`}}`)
	}
}

// stray sends what belongs to no call.
func (m *model) stray(t *rapid.T) {
	l := one(t, m.links)
	if l.closed {
		t.Skip("closed")
	}
	id := rapid.Int64Range(0, l.r.(*conn).lastID+3).Draw(t, "id")
	on := rapid.Int64Range(0, id+1).Draw(t, "on")
	if l.open[id] || l.open[on] {
		t.Skip("in flight")
	}
	l.says(on, `{"jsonrpc":"2.0","id":`+itoa(id)+`,"result":{"n":-1}}`)
	l.says(on, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+itoa(id)+`,"n":-1}}`)
	m.run()
}

func (m *model) subscribe(t *rapid.T) {
	uri := one(t, []string{"a", "b", "c"})
	if m.s.Subscribe(uri) {
		m.subs[uri]++
	}
	m.run()
}

func (m *model) unsubscribe(t *rapid.T) {
	uri := one(t, []string{"a", "b", "c"})
	m.s.Unsubscribe(uri)
	if m.subs[uri]--; m.subs[uri] <= 0 {
		delete(m.subs, uri)
	}
	m.run()
}

func (m *model) wait(t *rapid.T) {
	m.after(one(t, []time.Duration{time.Millisecond, 60 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second, 20 * time.Second, 6 * time.Minute}))
	now := time.Now()
	for _, f := range m.waiting() {
		// The link keeps the deadlines of what it has.
		f.call.srv.mu.Lock()
		late := f.call.state != callFlying && !f.call.Deadline.IsZero() && now.After(f.call.Deadline.Add(50*time.Millisecond))
		f.call.srv.mu.Unlock()
		if late {
			t.Fatalf("call %d waits after its deadline", f.n)
		}
	}
}

func (m *model) change(t *rapid.T) {
	m.lists["tools/list"] = fmt.Sprintf(`{"tools":[{"name":"t%d"}]}`, rapid.IntRange(0, 3).Draw(t, "name"))
	m.s.mu.Lock()
	home := m.s.home.conn
	m.s.mu.Unlock()
	if home != nil && !m.stale[home.link.(*fakeLink)] {
		home.link.(*fakeLink).says(0, toolsChanged)
	}
	m.run()
}

// slow makes the upstream silent, or not.
func (m *model) slow(t *rapid.T) {
	method := one(t, []string{"initialize", "server/discover", "logging/setLevel", "resources/subscribe", "subscriptions/listen"})
	m.silent[method] = !m.silent[method]
	if m.silent[method] {
		return
	}
	for _, l := range m.links {
		for _, r := range l.calls(method) {
			m.script(l, r)
		}
	}
	m.run()
}
