package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The errors for handlers are *jsonrpc.Error, so that middleware and tests can read their codes.
func TestErrorsOfHandlers(t *testing.T) {
	visit := &ElicitParams{Mode: ElicitModeURL, Message: "m", URL: "https://example.com", ElicitationID: "e"}
	for _, tt := range []struct {
		err  error
		code int64
		data string
	}{
		{ResourceNotFoundError("test://a\"b"), CodeResourceNotFound, `{"uri":"test://a\"b"}`},
		{MissingCapabilityError(&ClientCapabilities{Sampling: &SamplingCapabilities{}}), CodeMissingRequiredClientCapabilities, `{"requiredCapabilities":{"sampling":{}}}`},
		{URLElicitationRequiredError([]*ElicitParams{visit}), CodeURLElicitationRequired,
			`{"elicitations":[{"mode":"url","message":"m","url":"https://example.com","elicitationId":"e"}]}`},
	} {
		var wire *jsonrpc.Error
		if !errors.As(tt.err, &wire) || wire.Code != tt.code || string(wire.Data) != tt.data || !json.Valid(wire.Data) {
			t.Errorf("%v is %+v with data %s, want code %d, data %s", tt.err, wire, wire.Data, tt.code, tt.data)
		}
	}
	for _, bad := range []*ElicitParams{nil, {Message: "a form"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was taken for an elicitation by URL", bad)
				}
			}()
			_ = URLElicitationRequiredError([]*ElicitParams{bad})
		}()
	}
}

// The message of a missing capability names it.
func TestMissingCapabilityIsNamed(t *testing.T) {
	for want, need := range map[string]*ClientCapabilities{
		"Missing required client capability: sampling":              {Sampling: &SamplingCapabilities{}},
		"Missing required client capability: sampling, elicitation": {Sampling: &SamplingCapabilities{}, Elicitation: &ElicitationCapabilities{}},
		"Missing required client capability":                        {},
	} {
		if got := MissingCapabilityError(need).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// An error that wraps a *jsonrpc.Error has its code and data, and its own text.
func TestWrappedProtocolError(t *testing.T) {
	s := newTestServer(t, nil)
	s.AddResource(&Resource{Name: "r", URI: "test://r"}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return nil, fmt.Errorf("reading r: %w", ResourceNotFoundError("test://r"))
	})
	newClient(t, s).call("resources/read", `"uri":"test://r"`).
		wantError("newest", -32602, 400, `"message":"reading r: Resource not found"`, `"data":{"uri":"test://r"}`)
	everyLegacy(t, s, `{}`, func(t *testing.T, rev string, c *client) {
		c.call("resources/read", `"uri":"test://r"`).wantError(rev, -32002, 200, `"message":"reading r: Resource not found"`)
	})
}
