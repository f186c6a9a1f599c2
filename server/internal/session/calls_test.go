package session

import (
	"context"
	"errors"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// mustRegister enters a call of session n.
func (t *Table[J]) mustRegister(tb testing.TB, n int, id string, j J) {
	tb.Helper()
	if err := t.Register(keyOf(n), id, j, 7, false, 0); err != nil {
		tb.Fatalf("call %s of session %d: %v", id, n, err)
	}
}

// IDs may repeat. A cancellation is for the newest call with its ID that was not cancelled yet.
func TestCancelTakesTheNewest(t *testing.T) {
	table := tableOf(10, 10)
	a, b, c, d := &host{1}, &host{2}, &host{3}, &host{4}
	table.mustRegister(t, 1, "1", a)
	table.mustRegister(t, 1, "1", b)
	table.mustRegister(t, 1, `"1"`, c)
	table.mustRegister(t, 2, "1", d)
	want := func(id string, job *host) {
		t.Helper()
		got, ok := table.Cancel(keyOf(1), []byte(id), 0)
		if got.Job != job || ok != (job != nil) || ok && (got.Gen != 7 || got.Stop != nil) {
			t.Errorf("cancel %s: %+v, %v, want %+v", id, got, ok, job)
		}
	}
	want("2", nil)
	want("1", b)
	table.mustRegister(t, 1, "1", d)
	want("1", d)
	want("1", a)
	want("1", nil)
	want(`"1"`, c)
	if n := table.InFlight(keyOf(1), 0); n != 4 {
		t.Errorf("%d calls are in flight, want 4: a cancellation does not end a call", n)
	}
	for _, j := range []*host{a, b, c, d} {
		table.Unregister(keyOf(1), j, 0)
	}
	want("1", nil)
	table.Unregister(keyOf(2), d, 0)
	table.wantExact(t, 0, 0)
}

// A request in a batch is cancelled alone, by its own context.
func TestCancelPartOfABatch(t *testing.T) {
	table := tableOf(10, 10)
	j := &host{1}
	_, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	table.RegisterPart(keyOf(1), "1", j, 7, &stop, 0)
	table.wantExact(t, 0, 0) // the session is gone already
	table.mustRegister(t, 1, "", j)
	table.RegisterPart(keyOf(1), "1", j, 7, &stop, 0)
	if got, ok := table.Cancel(keyOf(1), []byte("1"), 0); !ok || got.Stop != &stop {
		t.Errorf("cancel: %+v, %v", got, ok)
	}
	table.UnregisterPart(keyOf(1), &stop, 0)
	if n := table.InFlight(keyOf(1), 0); n != 1 {
		t.Errorf("%d calls are in flight, want the batch", n)
	}
	table.Unregister(keyOf(1), j, 0)
	table.wantExact(t, 0, 0)
}

func TestRegisterRefuses(t *testing.T) {
	table := tableOf(2, 10)
	j := &host{1}
	want := func(why string, n int, needsStream bool, want error) {
		t.Helper()
		if err := table.Register(keyOf(n), "1", j, 0, needsStream, 0); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", why, err, want)
		}
	}
	want("no stream", 1, true, ErrGone)
	table.wantExact(t, 0, 0)
	for range maxCalls {
		table.mustRegister(t, 1, "1", j)
	}
	want("no stream, though calls", 1, true, ErrGone)
	want("one too many", 1, false, ErrManyCalls)
	table.Delete(keyOf(3), 1000)
	want("deleted", 3, false, ErrGone)
	if _, _, err := table.TakeOver(keyOf(2), owner, somewhere, false, 0); err != nil {
		t.Fatal(err)
	}
	want("a stream", 2, true, nil)
	want("no room", 4, false, ErrFull)
	if held := table.Delete(keyOf(2), 1000); len(held.Streams) != 1 || held.Streams[0] != somewhere || len(held.Calls) != 1 || held.Calls[0].Job != j {
		t.Errorf("it held %+v", held)
	}
	want("deleted with its stream", 2, true, ErrGone)
}

// Answers count from their arrival until their call asks again or ends. At the limit the question
// stays open.
func TestQuestions(t *testing.T) {
	table := tableOf(10, 10)
	table.o.AnswersTotal = 1000
	j, other := &host{1}, &host{2}
	table.mustRegister(t, 1, "1", j)
	table.mustRegister(t, 1, "2", other)
	ask := func(n int) (ids [][]byte) {
		t.Helper()
		asks := make([]mcp.Ask, n)
		for i := range asks {
			asks[i].Key = string(rune('a' + i))
		}
		first, err := table.Ask(keyOf(1), j, 7, asks, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range asks {
			ids = append(ids, AppendQuestionID(nil, first+uint64(i)))
		}
		return ids
	}
	wantBytes := func(why string, n int64) {
		t.Helper()
		if got := table.Stats().AnswerBytes; got != n {
			t.Errorf("%s: %d bytes of answers, want %d", why, got, n)
		}
		table.wantExact(t, 1, 0)
	}
	ids := ask(3)
	if string(ids[0]) == string(ids[1]) || string(ids[0]) != `"ask-1"` {
		t.Errorf("the ids are %q", ids)
	}
	if got, ok := table.Asked(keyOf(1), ids[1], 0); !ok || got != j {
		t.Errorf("asked %+v, %v", got, ok)
	}
	for _, unknown := range []string{`"ask-z"`, "", "1"} {
		if _, ok := table.Asked(keyOf(1), []byte(unknown), 0); ok {
			t.Errorf("%q was asked", unknown)
		}
		if _, err := table.Answer(keyOf(1), []byte(unknown), 1, 0); !errors.Is(err, ErrNoQuestion) {
			t.Errorf("an answer to %q: %v", unknown, err)
		}
	}
	if _, err := table.Answer(keyOf(2), ids[0], 1, 0); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("another session answers: %v", err)
	}
	if q, err := table.Answer(keyOf(1), ids[1], 200, 0); err != nil || q.Key != "b" || q.Job != j || q.Gen != 7 || q.Reply != nil {
		t.Errorf("answered %+v, %v", q, err)
	}
	wantBytes("one answer", 200)
	if _, err := table.Answer(keyOf(1), ids[1], 1, 0); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("a second answer: %v", err)
	}
	if _, err := table.Answer(keyOf(1), ids[0], 51, 0); !errors.Is(err, ErrManyAnswers) {
		t.Errorf("more than a quarter of what the others leave: %v", err)
	}
	if _, err := table.Answer(keyOf(1), ids[0], 50, 0); err != nil {
		t.Errorf("the question was not left open: %v", err)
	}
	wantBytes("two answers", 250)
	again := ask(1)
	wantBytes("the handler has run with them", 0)
	if _, err := table.Answer(keyOf(1), again[0], 100, 0); err != nil {
		t.Error(err)
	}
	table.Unregister(keyOf(1), j, 0)
	wantBytes("its call has ended", 0)
	if _, ok := table.Asked(keyOf(1), ids[2], 0); ok {
		t.Error("a question of a call that has ended is open")
	}
}

// What most sessions do allocates nothing in the table.
func TestTableAllocs(t *testing.T) {
	table := tableOf(10, 10)
	if _, _, err := table.TakeOver(keyOf(1), owner, somewhere, false, 0); err != nil {
		t.Fatal(err)
	}
	j := &host{1}
	if n := testing.AllocsPerRun(100, func() {
		if table.Level(keyOf(1), 0) != "" || table.Register(keyOf(1), "1", j, 7, false, 0) != nil {
			t.Error("refused")
		}
		_, _ = table.Cancel(keyOf(1), []byte("2"), 0)
		table.Unregister(keyOf(1), j, 0)
	}); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
}

// A question whose answer is waited for is answered once, or taken back, and so many may wait.
func TestAskOne(t *testing.T) {
	table, j := New[*host](Options{MaxSessions: 4, MaxRevoked: 4, AnswersTotal: 1 << 10}), new(host)
	k := keyOf(1)
	if err := table.Register(k, "1", j, 7, false, 0); err != nil {
		t.Fatal(err)
	}
	var got []string
	reply := func(result []byte, _ error) { got = append(got, string(result)) }
	var first uint64
	for i := range maxAsks {
		n, err := table.AskOne(k, j, 7, reply, 0)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = n
		}
	}
	if _, err := table.AskOne(k, j, 7, reply, 0); !errors.Is(err, ErrManyAsks) {
		t.Errorf("one question too many: %v", err)
	}
	id := AppendQuestionID(nil, first)
	q, err := table.Answer(k, id, 10, 0)
	if err != nil || q.Reply == nil {
		t.Fatalf("answered %+v, %v", q, err)
	}
	q.Reply([]byte("yes"), nil)
	if len(got) != 1 || got[0] != "yes" {
		t.Errorf("the handler got %q", got)
	}
	if table.TakeBack(k, first, 0) || !table.TakeBack(k, first+1, 0) || table.TakeBack(k, first+1, 0) || table.TakeBack(keyOf(2), first+2, 0) {
		t.Error("what is taken back is not what has no answer")
	}
	if _, err := table.Answer(k, AppendQuestionID(nil, first+1), 10, 0); !errors.Is(err, ErrNoQuestion) {
		t.Errorf("an answer to a question that was taken back: %v", err)
	}
	table.Unregister(k, j, 0)
	if table.TakeBack(k, first+2, 0) {
		t.Error("a question has outlived its call")
	}
}
