package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// A Message is a message as transports that work with Go values see it: a *[Request] or a
// *[Response]. This module's own transports use [Envelope], which does not allocate.
type Message interface {
	// appendTo appends the members of the message after jsonrpc.
	appendTo(dst []byte) ([]byte, error)
}

// An ID is the id of a request. The zero ID means that there is none. IDs may be compared with ==.
type ID struct {
	text string // as JSON; a string is written as AppendString does, so that equal ids are equal
}

// MakeID returns the ID with the value that encoding/json decodes an id to: a string, an integral
// float64, or nil for none. It also accepts an int or an int64.
func MakeID(v any) (ID, error) {
	switch v := v.(type) {
	case nil:
		return ID{}, nil
	case string:
		return stringID(v)
	case int:
		return ID{strconv.Itoa(v)}, nil
	case int64:
		return ID{strconv.FormatInt(v, 10)}, nil
	case float64:
		if n := int64(v); float64(n) == v {
			return ID{strconv.FormatInt(n, 10)}, nil
		}
	}
	return ID{}, fmt.Errorf("jsonrpc: %T %v: %w", v, v, errID)
}

func stringID(s string) (ID, error) {
	if len(s) > MaxIDLength {
		return ID{}, fmt.Errorf("jsonrpc: an id of %d bytes is too long: %w", len(s), errID)
	}
	return ID{string(AppendString(nil, s))}, nil
}

// idOf returns the ID with the text raw, which is a valid id or nil.
func idOf(raw []byte) ID {
	if s, ok := StringValue(raw); ok {
		return ID{string(AppendString(nil, s))}
	}
	return ID{string(raw)}
}

// IsValid reports whether id is an id and not the zero ID.
func (id ID) IsValid() bool { return id.text != "" }

// Raw returns the value of id: a string, an int64, or nil for the zero ID. An integer beyond the
// range of int64 is a json.Number.
func (id ID) Raw() any {
	if id.text == "" {
		return nil
	}
	if s, ok := StringValue([]byte(id.text)); ok {
		return s
	}
	if n, err := strconv.ParseInt(id.text, 10, 64); err == nil {
		return n
	}
	return json.Number(id.text)
}

// String returns the JSON text of id, or "null" for the zero ID.
func (id ID) String() string {
	if id.text == "" {
		return "null"
	}
	return id.text
}

// A Request is a request, or a notification if it has no ID.
type Request struct {
	ID     ID
	Method string
	Params json.RawMessage // an object, or nil
	Extra  any             // for the transport's own use; it is not sent
}

// IsCall reports whether r wants a response.
func (r *Request) IsCall() bool { return r.ID.IsValid() }

func (r *Request) appendTo(dst []byte) ([]byte, error) {
	if r.ID.IsValid() {
		dst = append(append(dst, `"id":`...), r.ID.text...)
		dst = append(dst, ',')
	}
	dst = AppendString(append(dst, `"method":`...), r.Method)
	if len(r.Params) > 0 {
		return appendCompact(append(dst, `,"params":`...), r.Params)
	}
	return dst, nil
}

// A Response is the answer to the request with its ID: an error if Error is not nil, otherwise a
// result.
type Response struct {
	ID     ID
	Result json.RawMessage
	Error  error // decoded, it is an *Error
	Extra  any   // for the transport's own use; it is not sent
}

func (r *Response) appendTo(dst []byte) ([]byte, error) {
	if r.ID.IsValid() {
		dst = append(append(dst, `"id":`...), r.ID.text...)
		dst = append(dst, ',')
	}
	if r.Error == nil {
		if len(r.Result) == 0 {
			return append(dst, `"result":{}`...), nil
		}
		return appendCompact(append(dst, `"result":`...), r.Result)
	}
	e := wireError(r.Error)
	dst = append(append(dst, `"error":{"code":`...), strconv.FormatInt(int64(e.Code), 10)...)
	dst = AppendString(append(dst, `,"message":`...), e.Message)
	if len(e.Data) > 0 {
		var err error
		if dst, err = appendCompact(append(dst, `,"data":`...), e.Data); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// wireError returns the error object that err becomes. An error that wraps an *Error keeps its own
// text; one that wraps none is an internal error.
func wireError(err error) *Error {
	var e *Error
	switch {
	case !errors.As(err, &e) || e == nil:
		return &Error{Code: CodeInternalError, Message: err.Error()}
	case error(e) == err:
		return e
	}
	return &Error{Code: e.Code, Message: err.Error(), Data: e.Data}
}

// appendCompact appends text, one JSON value, without white space, so that a message has no line
// ends.
func appendCompact(dst, text []byte) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	if err := json.Compact(b, text); err != nil {
		return dst, err
	}
	return b.Bytes(), nil
}

// EncodeMessage returns the JSON text of m on one line, without a line end. It returns an error if
// params, result or data is not JSON.
func EncodeMessage(m Message) ([]byte, error) {
	b, err := m.appendTo([]byte(`{"jsonrpc":"2.0",`))
	if err != nil {
		return nil, fmt.Errorf("jsonrpc: %w", err)
	}
	return append(b, '}'), nil
}

// DecodeMessage returns the message that data holds: a *[Request] for a request or a notification,
// otherwise a *[Response]. It copies what it keeps. The error is like that of [Envelope.Decode].
func DecodeMessage(data []byte) (Message, error) {
	var m Envelope
	if err := m.Decode(data); err != nil {
		return nil, err
	}
	id := idOf(m.ID)
	switch m.Kind {
	case KindRequest, KindNotification:
		return &Request{ID: id, Method: string(m.Method), Params: bytes.Clone(m.Params)}, nil
	case KindErrorResponse:
		return &Response{ID: id, Error: m.ErrorObject()}, nil
	}
	return &Response{ID: id, Result: bytes.Clone(m.Result)}, nil
}
