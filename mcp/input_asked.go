package mcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

// The answers of a client are checked against the questions. Each is decoded as the result of the
// method that asked it, and the content of a form is validated against the form. Answers to
// questions that were not asked are ignored.

// An askedInput is the part of a question that its answer is checked against.
type askedInput struct {
	key    string
	method string
	form   []byte // the JSON Schema of a form's content; nil if the question has no form
}

// questions returns the requests, sorted by key, in the form that the revision sends them, and
// what their answers are checked against. A form that is not a valid schema is an error, because
// no answer could be checked against it.
func (w *wire) questions(requests InputRequestMap) (asks []Ask, asked []askedInput, err error) {
	for _, key := range slices.Sorted(maps.Keys(requests)) {
		request := requests[key]
		if request == nil {
			return nil, nil, fmt.Errorf("mcp: inputRequests[%q]: %w", key, errNilContent)
		}
		params, err := w.askParams(request)
		if err != nil {
			return nil, nil, fmt.Errorf("mcp: inputRequests[%q]: %w", key, err)
		}
		a := askedInput{key: key, method: request.askMethod()}
		if e, ok := request.(*ElicitParams); ok && e.mode() != ElicitModeURL {
			a.form = bytes.Clone(member(params, "requestedSchema"))
			if _, err := schema.CompileUnchecked(a.form); err != nil {
				return nil, nil, fmt.Errorf("mcp: inputRequests[%q]: requestedSchema: %w", key, err)
			}
		}
		asks = append(asks, Ask{key, a.method, params})
		asked = append(asked, a)
	}
	return asks, asked, nil
}

// held reports whether the client must bring asked back, so that its answers can be checked. That
// is so unless all are elicitations by URL or by a form without fields, which asks for a yes or
// no.
func held(asked []askedInput) bool {
	return slices.ContainsFunc(asked, func(a askedInput) bool {
		return a.method != askElicitation || a.form != nil && !emptyObject(member(a.form, "properties"))
	})
}

// A contentError says why a form does not allow its content.
type contentError struct{ err error }

func (e *contentError) Error() string { return "content: " + e.err.Error() }

// decodeAnswers returns the answers to asked in responses, an object. An answer that is not valid
// is an error, which names its key. If whole is true, so is an answer that is missing or whose
// form does not allow its content. Otherwise such an answer is left out, so that the handler asks
// again: "the server SHOULD respond with a new InputRequiredResult requesting the missing
// information again" (basic/patterns/mrtr, "Error Handling").
func decodeAnswers(asked []askedInput, responses []byte, whole bool) (InputResponseMap, error) {
	var out InputResponseMap
	for i := range asked {
		a := &asked[i]
		answer := member(responses, a.key)
		if !a.isAnswer(answer) {
			if whole {
				return nil, fmt.Errorf("%q: it is not a result of %s", a.key, a.method)
			}
			continue
		}
		r, err := a.decode(answer)
		if !whole && errors.As(err, new(*contentError)) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", a.key, err)
		}
		if out == nil {
			out = make(InputResponseMap, len(asked))
		}
		out[a.key] = r
	}
	return out, nil
}

// isAnswer reports whether answer has the member that every result of the method has.
func (a *askedInput) isAnswer(answer []byte) bool {
	name := ""
	switch a.method {
	case askElicitation:
		name = "action"
	case askSampling:
		name = "role"
	case askRoots:
		name = "roots"
	}
	return isObject(answer) && member(answer, name) != nil
}

// decode returns the answer, an object, to a.
func (a *askedInput) decode(answer []byte) (InputResponse, error) {
	if a.method != askElicitation {
		return decodeInputResponse(a.method, answer)
	}
	// Only an accepted form has content; elsewhere nobody asked for it.
	action := member(answer, "action")
	accepted := a.form != nil && jsonrpc.EqualString(action, ElicitAccept)
	text := append([]byte(`{"action":`), action...)
	if meta := member(answer, "_meta"); meta != nil {
		text = append(append(text, `,"_meta":`...), meta...)
	}
	if accepted {
		content, err := a.content(member(answer, "content"))
		if err != nil {
			return nil, err
		}
		text = append(append(text, `,"content":`...), content...)
	}
	return decodeInputResponse(a.method, append(text, '}'))
}

// content returns content, which is that of an accepted form or nil, without the fields that are
// null: those count as absent. It refuses what the form does not allow.
func (a *askedInput) content(content []byte) ([]byte, error) {
	if content != nil && !isObject(content) {
		return nil, &contentError{errors.New("it must be an object")}
	}
	fields := []byte{'{'}
	for name, value := range jsonrpc.Members(content) {
		if !isNull(value) {
			fields = append(appendName(fields, name), value...)
		}
	}
	fields = append(fields, '}')
	form, err := schema.CompileUnchecked(a.form)
	if err == nil {
		err = form.Validate(fields)
	}
	if err != nil {
		return nil, &contentError{err}
	}
	return fields, nil
}

// askCodes are the codes of the methods in a sealed state. They never change.
var askCodes = map[byte]string{'e': askElicitation, 's': askSampling, 'r': askRoots}

// appendAsked appends asked in the form that readAsked reads.
func appendAsked(dst []byte, asked []askedInput) []byte {
	text := func(s string) {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(asked)))
	for _, a := range asked {
		text(a.key)
		for code, method := range askCodes {
			if method == a.method {
				dst = append(dst, code)
			}
		}
		text(string(a.form))
	}
	return dst
}

// readAsked returns what appendAsked wrote at the start of b, and the rest of b.
func readAsked(b []byte) (asked []askedInput, rest []byte, ok bool) {
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if ok = size > 0; !ok {
			return 0
		}
		b = b[size:]
		return n
	}
	text := func() (s []byte) {
		n := number()
		if ok = ok && n <= uint64(len(b)); !ok {
			return nil
		}
		s, b = b[:n], b[n:]
		return s
	}
	for n := number(); ok && n > 0; n-- {
		key := text()
		if ok = ok && len(b) > 0; !ok {
			return nil, nil, false
		}
		a := askedInput{key: string(key), method: askCodes[b[0]]}
		b = b[1:]
		if form := text(); len(form) > 0 {
			a.form = bytes.Clone(form)
		}
		asked = append(asked, a)
	}
	return asked, b, ok
}
