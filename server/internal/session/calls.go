package session

import (
	"context"
	"slices"
	"strconv"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// maxCalls is the maximum number of calls in flight in one session.
const maxCalls = 1024

// maxAsks is the number of questions of one session without an answer above which a handler cannot
// ask and wait.
const maxAsks = 1024

// Call names a call in flight.
type Call[J comparable] struct {
	Job J
	Gen uint32 // if the generation of Job is another, the call has ended
	// Stop ends the context of a request in a batch, and may be called from any goroutine. It is
	// nil for other calls.
	Stop *context.CancelCauseFunc
}

func callsOf[J comparable](calls []call[J]) (all []Call[J]) {
	for i := range calls {
		all = append(all, Call[J]{calls[i].job, calls[i].gen, calls[i].stop})
	}
	return all
}

// Register enters a call of session k behind those in flight. id is the JSON text of its ID, which
// need not be unique, or empty. If needsStream, the session must have an open stream. The error is
// ErrGone, ErrFull, ErrManyCalls or nil.
func (t *Table[J]) Register(k Key, id string, j J, gen uint32, needsStream bool, now wheel.Tick) (err error) {
	if needsStream {
		err = ErrGone // unless there is an entry with a stream
	}
	refused := t.with(k, !needsStream, now, func(s *entry[J]) {
		switch {
		case needsStream && s.stream.IsZero():
		case len(s.calls) >= maxCalls:
			err = ErrManyCalls
		default:
			err = nil
			s.calls = append(s.calls, call[J]{id: id, job: j, gen: gen})
		}
	})
	if refused != nil {
		return refused
	}
	return err
}

// Unregister takes a call that has ended, and its questions, from session k.
func (t *Table[J]) Unregister(k Key, j J, now wheel.Tick) {
	t.look(k, now, func(s *entry[J]) {
		t.forgetAnswers(s, j)
		s.calls = slices.DeleteFunc(s.calls, func(c call[J]) bool { return c.job == j })
		s.asks = slices.DeleteFunc(s.asks, func(a ask[J]) bool { return a.job == j })
	})
}

// RegisterPart enters a request in a batch of session k, so that it can be cancelled alone. j is
// the job of the batch. It does nothing if the session has no entry any more.
func (t *Table[J]) RegisterPart(k Key, id string, j J, gen uint32, stop *context.CancelCauseFunc, now wheel.Tick) {
	t.look(k, now, func(s *entry[J]) {
		s.calls = append(s.calls, call[J]{id: id, job: j, gen: gen, stop: stop})
	})
}

// UnregisterPart takes a request that RegisterPart entered from session k.
func (t *Table[J]) UnregisterPart(k Key, stop *context.CancelCauseFunc, now wheel.Tick) {
	t.look(k, now, func(s *entry[J]) {
		s.calls = slices.DeleteFunc(s.calls, func(c call[J]) bool { return c.stop == stop })
	})
}

// InFlight returns the number of calls in flight in session k.
func (t *Table[J]) InFlight(k Key, now wheel.Tick) (n int) {
	t.look(k, now, func(s *entry[J]) { n = len(s.calls) })
	return n
}

// Cancel returns the call of session k to cancel: of those whose ID, JSON text, is id, the newest
// that Cancel has not returned before.
func (t *Table[J]) Cancel(k Key, id []byte, now wheel.Tick) (found Call[J], ok bool) {
	t.look(k, now, func(s *entry[J]) {
		for i := len(s.calls) - 1; i >= 0; i-- {
			if c := &s.calls[i]; c.id == string(id) && !c.cancelled {
				c.cancelled = true
				found, ok = Call[J]{c.job, c.gen, c.stop}, true
				return
			}
		}
	})
	return found, ok
}

// Ask enters the questions of call j of session k. The ID of asks[i] is question first+i, as
// AppendQuestionID writes it. The handler has run with the answers to its earlier questions, so
// they no longer count. The error is ErrGone, ErrFull or nil.
func (t *Table[J]) Ask(k Key, j J, gen uint32, asks []mcp.Ask, now wheel.Tick) (first uint64, err error) {
	n := uint64(len(asks))
	first = t.questions.Add(n) - n + 1
	err = t.with(k, true, now, func(s *entry[J]) {
		t.forgetAnswers(s, j)
		for i := range asks {
			var id [32]byte
			s.asks = append(s.asks, ask[J]{string(AppendQuestionID(id[:0], first+uint64(i))), asks[i].Key, j, gen, nil})
		}
	})
	return first, err
}

// AskOne enters a question of call j of session k whose answer reply takes. Its ID is question n.
// The error is ErrGone, ErrFull, ErrManyAsks or nil.
func (t *Table[J]) AskOne(k Key, j J, gen uint32, reply Reply, now wheel.Tick) (n uint64, err error) {
	n = t.questions.Add(1)
	refused := t.with(k, true, now, func(s *entry[J]) {
		if len(s.asks) >= maxAsks {
			err = ErrManyAsks
			return
		}
		t.forgetAnswers(s, j)
		var id [32]byte
		s.asks = append(s.asks, ask[J]{string(AppendQuestionID(id[:0], n)), "", j, gen, reply})
	})
	if refused != nil {
		return 0, refused
	}
	return n, err
}

// TakeBack takes back question n of session k. It reports whether it had no answer.
func (t *Table[J]) TakeBack(k Key, n uint64, now wheel.Tick) (open bool) {
	var id [32]byte
	text := AppendQuestionID(id[:0], n)
	t.look(k, now, func(s *entry[J]) {
		if i := s.asked(text); i >= 0 {
			s.asks = slices.Delete(s.asks, i, i+1)
			open = true
		}
	})
	return open
}

// AppendQuestionID appends the request ID of question n, as JSON text.
func AppendQuestionID(dst []byte, n uint64) []byte {
	dst = strconv.AppendUint(append(dst, `"ask-`...), n, 36)
	return append(dst, '"')
}

// Question is a question that was answered.
type Question[J comparable] struct {
	Key string // the handler's name for it
	Job J
	Gen uint32

	Reply Reply // takes the answer; nil if it is for Job
}

// Asked returns the call of session k that waits for the answer with the given ID, JSON text.
func (t *Table[J]) Asked(k Key, id []byte, now wheel.Tick) (j J, ok bool) {
	t.look(k, now, func(s *entry[J]) {
		if i := s.asked(id); i >= 0 {
			j, ok = s.asks[i].job, true
		}
	})
	return j, ok
}

// Answer takes the question with the given ID, JSON text, from session k, because an answer of n
// bytes has come. The bytes count until the call asks again or ends. The error is ErrNoQuestion,
// or ErrManyAnswers, which leaves the question open.
func (t *Table[J]) Answer(k Key, id []byte, n int, now wheel.Tick) (q Question[J], err error) {
	err = ErrNoQuestion
	t.look(k, now, func(s *entry[J]) {
		i := s.asked(id)
		if i < 0 {
			return
		}
		a := s.asks[i]
		if !t.takeAnswer(s, a.job, int64(n)) {
			err = ErrManyAnswers
			return
		}
		q, err = Question[J]{a.key, a.job, a.gen, a.reply}, nil
		s.asks = slices.Delete(s.asks, i, i+1)
	})
	return q, err
}

// asked returns the index of the question with the ID, or -1.
func (s *entry[J]) asked(id []byte) int {
	for i := range s.asks {
		if s.asks[i].id == string(id) {
			return i
		}
	}
	return -1
}

// takeAnswer counts an answer of n bytes to a question of j, if there is room for it: within
// AnswersTotal for all sessions, and for one session within a quarter of what the others leave.
func (t *Table[J]) takeAnswer(s *entry[J], j J, n int64) bool {
	mine, at := n, -1
	for i := range s.calls {
		mine += s.calls[i].answers
		if s.calls[i].job == j && s.calls[i].stop == nil {
			at = i
		}
	}
	used := t.answers.Add(n)
	if at < 0 || mine > (int64(t.o.AnswersTotal)-(used-mine))/4 {
		t.answers.Add(-n)
		return at < 0 // its call has ended: the answer is dropped where it arrives
	}
	s.calls[at].answers += n
	return true
}

// forgetAnswers takes the answers of j out of the count: its handler has run with them, or will
// not.
func (t *Table[J]) forgetAnswers(s *entry[J], j J) {
	for i := range s.calls {
		if c := &s.calls[i]; c.job == j {
			t.answers.Add(-c.answers)
			c.answers = 0
		}
	}
}
