package mcp

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-json/jsontext"
	jsonv2 "github.com/goccy/go-json/v2"
)

// The methods by which a server asks its client. Before 2026-07-28 they are
// requests of their own, since then entries of inputRequests.
const (
	askElicitation = "elicitation/create"
	askSampling    = "sampling/createMessage"
	askRoots       = "roots/list"
)

// An InputRequest is what a handler may ask of the client: [ElicitParams],
// [CreateMessageParams], [CreateMessageWithToolsParams] or [ListRootsParams],
// by pointer.
type InputRequest interface {
	// askMethod returns the method that asks it.
	askMethod() string
}

// InputRequestMap holds requests under keys of the handler's choice. The
// answers arrive under the same keys.
type InputRequestMap map[string]InputRequest

// An InputResponse is a client's answer: [ElicitResult], [CreateMessageResult]
// or [ListRootsResult], by pointer.
type InputResponse interface{ isInputResponse() }

// InputResponseMap holds the answers under the keys of the requests.
type InputResponseMap map[string]InputResponse

// MarshalJSON writes each entry as {"method":…,"params":…}, keys in order.
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

// UnmarshalJSON decodes each answer by its shape, for those who do not know what was
// asked; a [Server] does. An answer without a known shape is left out, so that the handler
// sees it as missing and may ask again (basic/patterns/mrtr, "Error Handling"); one
// whose shape does not hold is an error. The map is nil when nothing is left.
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

// shapeOfResponse guesses the method that value answers by the member that
// only its result has. It reports whether it could.
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

// decodeInputResponse decodes value as the result of method. Its errors fit
// behind the key's name.
func decodeInputResponse(method string, value jsontext.Value) (InputResponse, error) {
	switch method {
	case askElicitation:
		r := new(ElicitResult)
		return r, jsonv2.Unmarshal(value, r)
	case askSampling:
		r := new(CreateMessageResult)
		return r, jsonv2.Unmarshal(value, r)
	case askRoots:
		r := new(ListRootsResult)
		return r, jsonv2.Unmarshal(value, r)
	}
	return nil, errors.New("unknown method")
}
