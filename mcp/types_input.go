package mcp

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-json/jsontext"
	jsonv2 "github.com/goccy/go-json/v2"
)

// These are the methods with which a server asks its client. Before 2026-07-28 they are requests of
// their own; since then they are entries of inputRequests.
const (
	askElicitation = "elicitation/create"
	askSampling    = "sampling/createMessage"
	askRoots       = "roots/list"
)

// An InputRequest is a question of a handler to the client: a pointer to an [ElicitParams],
// [CreateMessageParams], [CreateMessageWithToolsParams] or [ListRootsParams].
type InputRequest interface {
	// askMethod returns the method that asks the question.
	askMethod() string
}

// InputRequestMap holds questions under keys that the handler chooses. The answers arrive under the
// same keys.
type InputRequestMap map[string]InputRequest

// An InputResponse is a client's answer: a pointer to an [ElicitResult],
// [CreateMessageWithToolsResult] or [ListRootsResult].
type InputResponse interface{ isInputResponse() }

// InputResponseMap holds the answers under the keys of the requests.
type InputResponseMap map[string]InputResponse

// MarshalJSON writes each entry as {"method":…,"params":…}, sorted by key.
func (m InputRequestMap) MarshalJSON() ([]byte, error) { return m.appendJSON(nil) }

func (m InputRequestMap) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, key), ':')
		var err error
		if dst, err = appendInputRequest(dst, m[key]); err != nil {
			return dst, fmt.Errorf("mcp: inputRequests[%q]: %w", key, err)
		}
	}
	return append(dst, '}'), nil
}

func appendInputRequest(dst []byte, r InputRequest) ([]byte, error) {
	if r == nil {
		return dst, errors.New("nil request")
	}
	// Only the revisions without sessions have inputRequests.
	params, err := newest().wire.askParams(r)
	if err != nil {
		return dst, err
	}
	dst = appendString(append(dst, `{"method":`...), r.askMethod())
	return append(append(append(dst, `,"params":`...), params...), '}'), nil
}

// UnmarshalJSON decodes each question by its method. It refuses an unknown method.
func (m *InputRequestMap) UnmarshalJSON(data []byte) error {
	var raw map[string]struct {
		Method string         `json:"method"`
		Params jsontext.Value `json:"params"`
	}
	if err := jsonv2.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("mcp: inputRequests: %w", err)
	}
	if raw == nil {
		return nil
	}
	out := make(InputRequestMap, len(raw))
	for key, q := range raw {
		var r InputRequest
		switch q.Method {
		case askElicitation:
			r = new(ElicitParams)
		case askSampling:
			r = new(CreateMessageWithToolsParams)
		case askRoots:
			r = new(ListRootsParams)
		default:
			return fmt.Errorf("mcp: inputRequests[%q]: unknown method", key)
		}
		if q.Params != nil {
			if err := jsonv2.Unmarshal(q.Params, r); err != nil {
				return fmt.Errorf("mcp: inputRequests[%q]: %w", key, err)
			}
		}
		out[key] = r
	}
	*m = out
	return nil
}

// UnmarshalJSON decodes each answer by its shape, for callers that do not know what was asked,
// unlike a [Server]. An answer without a known shape is left out, so that the handler sees it as
// missing and may ask again (basic/patterns/mrtr, "Error Handling"). An answer with a known shape
// that is not valid is an error. The map is nil if no answer is left.
func (m *InputResponseMap) UnmarshalJSON(data []byte) error {
	var raw map[string]jsontext.Value
	if err := jsonv2.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("mcp: inputResponses: %w", err)
	}
	var out InputResponseMap
	for key, value := range raw {
		method, known := shapeOfResponse(value)
		if !known {
			continue
		}
		r, err := decodeInputResponse(method, value)
		if err != nil {
			return fmt.Errorf("mcp: inputResponses[%q]: %w", key, err)
		}
		if out == nil {
			out = make(InputResponseMap, len(raw))
		}
		out[key] = r
	}
	*m = out
	return nil
}

// shapeOfResponse guesses which method value answers, from the member that only the result of that
// method has. It returns false if there is no such member.
func shapeOfResponse(value jsontext.Value) (string, bool) {
	var probe struct {
		Action jsontext.Value `json:"action"`
		Role   jsontext.Value `json:"role"`
		Roots  jsontext.Value `json:"roots"`
	}
	if value.Kind() != '{' || jsonv2.Unmarshal(value, &probe) != nil {
		return "", false
	}
	switch {
	case probe.Roots != nil:
		return askRoots, true
	case probe.Action != nil:
		return askElicitation, true
	case probe.Role != nil:
		return askSampling, true
	}
	return "", false
}

// decodeInputResponse decodes value as the result of method. Its errors can follow the name of the
// key.
func decodeInputResponse(method string, value jsontext.Value) (InputResponse, error) {
	switch method {
	case askElicitation:
		r := new(ElicitResult)
		return r, jsonv2.Unmarshal(value, r)
	case askSampling:
		r := new(CreateMessageWithToolsResult)
		return r, jsonv2.Unmarshal(value, r)
	case askRoots:
		r := new(ListRootsResult)
		return r, jsonv2.Unmarshal(value, r)
	}
	return nil, errors.New("unknown method")
}
