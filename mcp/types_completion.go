package mcp

import (
	"errors"

	jsonv2 "github.com/goccy/go-json/v2"
)

// maxCompletions is the maximum number of values in one completion (server/utilities/completion,
// "Completion Results").
const maxCompletions = 100

// CompleteParams are the params of completion/complete.
type CompleteParams struct {
	Meta     `json:"_meta,omitempty"`
	Argument CompleteParamsArgument `json:"argument"`
	Context  *CompleteContext       `json:"context,omitzero"` // since 2025-06-18
	Ref      *CompleteReference     `json:"ref"`
}

// CompleteParamsArgument is the argument to complete and what the user has typed so far.
type CompleteParamsArgument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// CompleteContext holds the arguments whose values are already known.
type CompleteContext struct {
	Arguments map[string]string `json:"arguments,omitempty"`
}

// These are the types of a [CompleteReference].
const (
	RefPrompt   = "ref/prompt"
	RefResource = "ref/resource"
)

// CompleteReference says what the argument belongs to: the prompt with Name if Type is
// "ref/prompt", or the resource template with URI if Type is "ref/resource".
type CompleteReference struct {
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	URI  string `json:"uri,omitempty"`
}

// UnmarshalJSON refuses a reference of an unknown type and one without its name or URI.
func (r *CompleteReference) UnmarshalJSON(data []byte) error {
	type plain CompleteReference
	var p plain
	if err := jsonv2.Unmarshal(data, &p); err != nil {
		return err
	}
	switch {
	case p.Type == RefPrompt && p.Name == "":
		return errors.New("mcp: ref/prompt without a name")
	case p.Type == RefResource && p.URI == "":
		return errors.New("mcp: ref/resource without a uri")
	case p.Type != RefPrompt && p.Type != RefResource:
		return errors.New("mcp: unknown type of reference")
	}
	*r = CompleteReference(p)
	return nil
}

// CompleteResult is the result of completion/complete.
type CompleteResult struct {
	Meta       `json:"_meta,omitempty"`
	Completion CompletionResultDetails `json:"completion"`
}

// CompletionResultDetails holds the proposals. If there are more than 100 values, only the first
// 100 are sent, with HasMore set.
type CompletionResultDetails struct {
	HasMore bool     `json:"hasMore,omitzero"`
	Total   int      `json:"total,omitzero"` // number of all proposals; 0 if unknown
	Values  []string `json:"values"`
}

// appendMembers appends the members of a complete result without _meta and
// resultType, which depend on the revision.
func (r *CompleteResult) appendMembers(dst []byte) ([]byte, error) {
	values, more := r.Completion.Values, r.Completion.HasMore
	if len(values) > maxCompletions {
		values, more = values[:maxCompletions], true
	}
	dst = append(dst, `"completion":{"values":[`...)
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, v)
	}
	dst = append(dst, ']')
	if r.Completion.Total > 0 {
		var err error
		if dst, err = appendMember(dst, `,"total":`, r.Completion.Total); err != nil {
			return dst, err
		}
	}
	if more {
		dst = append(dst, `,"hasMore":true`...)
	}
	return append(dst, '}'), nil
}

// MarshalJSON writes the result in the form of revisions before 2026-07-28, without resultType.
func (r *CompleteResult) MarshalJSON() ([]byte, error) {
	return marshalMembers(r.Meta, r.appendMembers)
}
