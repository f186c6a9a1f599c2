package mcp

import (
	"encoding/json"
	"errors"
	"fmt"

	jsonv2 "github.com/goccy/go-json/v2"
)

// ElicitParams asks the user for something. In form mode RequestedSchema describes an object of
// primitive properties (client/elicitation, "Requested Schema"); nil asks for a plain yes or no.
// In URL mode (since 2025-11-25) URL is required; ElicitationID is made if a revision wants one
// and it is "". Form mode must never ask for secrets.
type ElicitParams struct {
	Meta            `json:"_meta,omitempty"`
	Mode            string `json:"mode,omitempty"` // "form" or "url"; if "", the other fields decide
	Message         string `json:"message"`
	RequestedSchema any    `json:"requestedSchema,omitempty"`
	URL             string `json:"url,omitempty"`
	ElicitationID   string `json:"elicitationId,omitempty"`
}

// These are the modes of an [ElicitParams].
const (
	ElicitModeForm = "form"
	ElicitModeURL  = "url"
)

func (p *ElicitParams) askMethod() string { return askElicitation }

// mode returns the mode that p asks for.
func (p *ElicitParams) mode() string {
	if p.Mode == "" && (p.URL != "" || p.ElicitationID != "") {
		return ElicitModeURL
	}
	if p.Mode == "" {
		return ElicitModeForm
	}
	return p.Mode
}

// MarshalJSON always writes the mode. A form without a schema gets the empty one, which asks for a
// plain yes or no.
func (p *ElicitParams) MarshalJSON() ([]byte, error) {
	type plain ElicitParams
	q := plain(*p)
	q.Mode = p.mode()
	if q.Mode == ElicitModeForm && q.RequestedSchema == nil {
		q.RequestedSchema = emptyForm{Type: "object"}
	}
	return appendValue(nil, q)
}

// emptyForm marshals to the schema of an object without properties.
type emptyForm struct {
	Type       string   `json:"type"`
	Properties struct{} `json:"properties"`
}

// These are the actions of an [ElicitResult].
const (
	ElicitAccept  = "accept"
	ElicitDecline = "decline"
	ElicitCancel  = "cancel"
)

// ElicitResult is the user's answer. Content is set if Action is "accept" in form mode. The content
// that a handler gets conforms to its form.
type ElicitResult struct {
	Meta    `json:"_meta,omitempty"`
	Action  string         `json:"action"`
	Content map[string]any `json:"content,omitempty"`
}

func (*ElicitResult) isInputResponse() {}

// UnmarshalJSON refuses an unknown action and content that is not flat. Values must be strings,
// numbers, booleans or arrays of strings.
func (r *ElicitResult) UnmarshalJSON(data []byte) error {
	type plain ElicitResult
	var p plain
	if err := jsonv2.Unmarshal(data, &p, exactNumbers); err != nil {
		return err
	}
	switch p.Action {
	case ElicitAccept, ElicitDecline, ElicitCancel:
	default:
		return errors.New("mcp: unknown action of an elicitation")
	}
	for key, v := range p.Content {
		if !isFormValue(v) {
			return fmt.Errorf("mcp: elicitation content %q is not a primitive", key)
		}
	}
	*r = ElicitResult(p)
	return nil
}

func isFormValue(v any) bool {
	switch v := v.(type) {
	case string, float64, json.Number, bool:
		return true
	case []any:
		for _, e := range v {
			if _, ok := e.(string); !ok {
				return false
			}
		}
		return true
	}
	return false
}
