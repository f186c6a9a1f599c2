package upstream

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A Question is a request of a legacy upstream for the front of a call. Its methods may be called
// from any goroutine.
type Question struct {
	Key    string // names it among the questions of its call
	Method string // elicitation/create, sampling/createMessage or roots/list
	Params []byte // an object, or nil; nobody may change it

	// The rest is guarded by the lock of the call's Server.
	call     *Call
	conn     *conn
	id       []byte // the upstream's id
	answered bool
}

// Answer answers with the result, an object that nobody may change. It reports whether the
// upstream still waits.
func (q *Question) Answer(result []byte) bool {
	return q.respond(jsonrpc.AppendResult(nil, q.id, oneLine(result)))
}

// Refuse answers with an error.
func (q *Question) Refuse(code jsonrpc.Code, message string) bool {
	return q.respond(jsonrpc.AppendError(nil, q.id, &jsonrpc.Error{Code: code, Message: message}))
}

// Cancel answers that the user gives no answer.
func (q *Question) Cancel() bool {
	if q.Method == methodElicit {
		return q.Answer([]byte(`{"action":"cancel"}`))
	}
	return q.Refuse(errNoAnswer.Code, errNoAnswer.Message)
}

func (q *Question) respond(body []byte) bool {
	s := q.call.srv
	s.mu.Lock()
	defer s.unlock()
	if !q.settle() {
		return false
	}
	q.conn.answer(body)
	return true
}

// settle takes q out of the questions of its call, and reports whether it was without an answer.
func (q *Question) settle() bool {
	if q.answered {
		return false
	}
	q.answered = true
	delete(q.conn.questions, string(q.id))
	if i := slices.Index(q.call.questions, q); i >= 0 {
		q.call.questions = slices.Delete(q.call.questions, i, i+1)
	}
	return q.conn.state != connClosed
}

const (
	methodElicit   = "elicitation/create"
	methodSampling = "sampling/createMessage"
	methodRoots    = "roots/list"
)

var (
	errNoMethod = &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "Method not found"}
	errTooMany  = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: too many requests at a time"}
	errTwice    = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: the id is in use"}
	errNoAnswer = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the client gives no answer"}
)

// answer sends a response to the upstream.
func (k *conn) answer(body []byte) {
	k.link.Send(&link.Message{Kind: link.Response, Body: body})
}

// question handles a request of the upstream.
func (k *conn) question(on int64, env *jsonrpc.Envelope) {
	s := k.srv
	s.mu.Lock()
	defer s.unlock()
	if k.state == connClosed {
		return
	}
	method := string(env.Method)
	if method == "ping" {
		k.answer(jsonrpc.AppendResult(nil, env.ID, nil))
		return
	}
	s.counts.Questions++
	c := k.callOf(on, neededFor(method, env.Params))
	switch {
	case c == nil:
		s.counts.Refused++
		k.answer(jsonrpc.AppendError(nil, env.ID, errNoMethod))
		return
	case len(c.questions) >= maxQuestions:
		s.counts.Refused++
		k.answer(jsonrpc.AppendError(nil, env.ID, errTooMany))
		return
	}
	if k.questions[string(env.ID)] != nil {
		s.counts.Refused++
		k.answer(jsonrpc.AppendError(nil, env.ID, errTwice))
		return
	}
	c.asked++
	c.begun = true
	q := &Question{
		Key: strconv.Itoa(c.asked), Method: method, Params: bytes.Clone(oneLine(env.Params)),
		call: c, conn: k, id: bytes.Clone(env.ID),
	}
	c.questions = append(c.questions, q)
	k.questions[string(q.id)] = q
	s.deliver(c, event{kind: eventQuestion, question: q})
}

// neededFor returns what a front must have declared to be asked, or 0 if it is never asked.
func neededFor(method string, params []byte) Class {
	switch method {
	case methodElicit:
		if mode, _ := jsonrpc.Member(params, "mode"); jsonrpc.EqualString(mode, "url") {
			return ClassURLs
		}
		return ClassForms
	case methodSampling:
		if _, ok := jsonrpc.Member(params, "tools"); ok {
			return ClassSamplingTools
		}
		return ClassSampling
	case methodRoots:
		return ClassRoots
	}
	return 0
}

// callOf returns the call that a question on a stream belongs to, if that is certain and its front
// can be asked.
func (k *conn) callOf(on int64, need Class) *Call {
	if need == 0 || k.modern || k.sess.key.class&need == 0 {
		return nil
	}
	var found *Call
	switch {
	case on != 0:
		found = k.pending[on].call
	case k.exclusive():
		// The oldest is the most likely to be there when the answer comes.
		for _, p := range k.pending {
			if c := p.call; c != nil && c.Class&need != 0 && (found == nil || c.id < found.id) {
				found = c
			}
		}
	}
	if found == nil || found.Class&need == 0 {
		return nil
	}
	return found
}

// withdraw handles notifications/cancelled of the upstream for a question.
func (k *conn) withdraw(params []byte) {
	id, _ := jsonrpc.Member(params, "requestId")
	if q := k.questions[string(id)]; q != nil {
		q.settle()
		k.srv.deliver(q.call, event{kind: eventWithdrawn, question: q})
	}
}

// refuseQuestions answers the questions of a call that the front gives up, so that the upstream
// does not wait.
func (s *Server) refuseQuestions(c *Call) {
	for _, q := range slices.Clone(c.questions) {
		if !q.settle() {
			continue
		}
		if q.Method == methodElicit {
			q.conn.answer(jsonrpc.AppendResult(nil, q.id, []byte(`{"action":"cancel"}`)))
		} else {
			q.conn.answer(jsonrpc.AppendError(nil, q.id, errNoAnswer))
		}
	}
}

// dropQuestions forgets the questions of a call that the upstream has ended.
func (s *Server) dropQuestions(c *Call) {
	for _, q := range slices.Clone(c.questions) {
		q.settle()
	}
}
