package mcp

import (
	"errors"

	jsonv2 "github.com/goccy/go-json/v2"
)

// ListRootsParams asks the client for its roots.
type ListRootsParams struct {
	Meta `json:"_meta,omitempty"`
}

func (*ListRootsParams) askMethod() string { return askRoots }

// ListRootsResult is the client's answer.
type ListRootsResult struct {
	Meta  `json:"_meta,omitempty"`
	Roots []*Root `json:"roots"`
}

func (*ListRootsResult) isInputResponse() {}

// UnmarshalJSON refuses a result without an array of roots, and a root without a URI.
func (r *ListRootsResult) UnmarshalJSON(data []byte) error {
	type plain ListRootsResult
	var p plain
	if err := jsonv2.Unmarshal(data, &p); err != nil {
		return err
	}
	if p.Roots == nil {
		return errors.New("mcp: roots missing")
	}
	for _, root := range p.Roots {
		if root == nil || root.URI == "" {
			return errors.New("mcp: root without a uri")
		}
	}
	*r = ListRootsResult(p)
	return nil
}

// A Root is a place where the server may work. URI is a file: URI.
type Root struct {
	Meta `json:"_meta,omitempty"`
	Name string `json:"name,omitempty"`
	URI  string `json:"uri"`
}

// RootsListChangedParams are the params of notifications/roots/list_changed, which clients send in
// revisions before 2026-07-28.
type RootsListChangedParams struct {
	Meta `json:"_meta,omitempty"`
}
