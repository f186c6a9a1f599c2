package upstream

import "testing"

// While a call in a child's session waits for a front that may never come back, others get another
// session: otherwise nobody could tell whose a question is, or they would wait for it.
func TestDesertedSession(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{Stdio: true, Era: EraLegacy, Share: ShareClient, Concurrency: concurrency})
			h.connect()
			f := h.call(as("ann", "", allClasses))
			first := h.last()
			first.asks(0, `"a"`, "elicitation/create", `{}`)
			if len(f.questions) != 1 || !parks(f) {
				t.Fatalf("%d questions", len(f.questions))
			}
			g := h.call(as("ann", "", allClasses))
			second := h.last()
			if second == first {
				t.Fatal("the call is in the session of the parked one")
			}
			second.asks(0, `"b"`, "elicitation/create", `{}`)
			if len(g.questions) != 1 || len(f.questions) != 1 {
				t.Errorf("the second has %d questions, the first %d", len(g.questions), len(f.questions))
			}
			second.result(second.only("tools/call").ID, `{"n":2}`)
			g.wantResult("the second", `{"n":2}`)
			first.result(first.only("tools/call").ID, `{"n":1}`)
			h.call(as("ann", "", allClasses))
			if n := first.sent("tools/call"); n != 2 {
				t.Errorf("%d calls in the first session, which is free again", n)
			}
		})
	}
}
