package mcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// answerResult answers what the result in text asks, and sends the request again until there is a
// result that does not ask. Params are those of the request.
func (cs *ClientSession) answerResult(ctx context.Context, method string, params, text []byte) ([]byte, error) {
	switch method {
	case MethodCallTool.String(), MethodGetPrompt.String(), MethodReadResource.String():
	default:
		return text, nil
	}
	for range maxAskRounds {
		requests, state := member(text, "inputRequests"), member(text, "requestState")
		if requests == nil && state == nil {
			return text, nil
		}
		again := []byte{'{'}
		if requests != nil {
			answers, err := cs.answerAll(ctx, requests)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", method, err)
			}
			again = append(append(again, `"inputResponses":`...), answers...)
		}
		if state != nil {
			if len(again) > 1 {
				again = append(again, ',')
			}
			again = append(append(again, `"requestState":`...), state...)
		}
		for name, value := range jsonrpc.Members(params) {
			switch string(unescaped(name)) {
			case "inputResponses", "requestState":
			default:
				again = appendRawMember(again, name, value)
			}
		}
		var err error
		if text, err = cs.roundTrip(ctx, method, append(again, '}')); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: %w", method, errTooManyRounds)
}

var errTooManyRounds = errors.New("mcp: the server asks without end")

// answerAll returns the inputResponses to the inputRequests in text.
func (cs *ClientSession) answerAll(ctx context.Context, text []byte) ([]byte, error) {
	var requests InputRequestMap
	if err := requests.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	dst := []byte{'{'}
	for _, key := range slices.Sorted(maps.Keys(requests)) {
		if hasNull(requests[key]) {
			return nil, fmt.Errorf("answering %q: %w", key, errNullEntry)
		}
		res, err := cs.receive(ctx, requests[key].askMethod(), askRequest(cs, requests[key]))
		if err != nil {
			return nil, fmt.Errorf("answering %q: %w", key, err)
		}
		answer, err := marshal(res)
		if err != nil {
			return nil, fmt.Errorf("answering %q: %w", key, err)
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(append(jsonrpc.AppendString(dst, key), ':'), answer...)
	}
	return append(dst, '}'), nil
}

// askRequest returns the request that asks q.
func askRequest(cs *ClientSession, q InputRequest) Request {
	switch q := q.(type) {
	case *ElicitParams:
		return &ElicitRequest{Session: cs, Params: q}
	case *CreateMessageParams:
		return &CreateMessageRequest{Session: cs, Params: q}
	case *CreateMessageWithToolsParams:
		return &CreateMessageWithToolsRequest{Session: cs, Params: q}
	}
	return &ListRootsRequest{Session: cs, Params: q.(*ListRootsParams)}
}
