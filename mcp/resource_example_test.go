package mcp_test

import (
	"context"

	"github.com/mooring-mcp/mooring/mcp"
)

// A Resource is contents under one URI.
func ExampleResource() {
	s := mcp.NewServer(&mcp.Implementation{Name: "harbour", Version: "v1.0.0"}, nil)
	s.AddResource(&mcp.Resource{URI: "harbour://rules", Name: "rules", MIMEType: "text/plain"},
		func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			contents := &mcp.ResourceContents{Text: "Three knots in the basin."}
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{contents}}, nil
		})

	request(s, "resources/list", "")
	request(s, "resources/read", `"uri":"harbour://rules"`)
	request(s, "resources/read", `"uri":"harbour://tides"`)
	// Output:
	// resources: [{"mimeType":"text/plain","name":"rules","uri":"harbour://rules"}]
	//
	// contents: [{"uri":"harbour://rules","mimeType":"text/plain","text":"Three knots in the basin."}]
	//
	// error: -32602 Resource not found
}

// A ResourceTemplate serves all URIs that match it. The handler finds their variables in Extra.
func ExampleResourceTemplate() {
	ships := map[string]string{"fram": "Berth 4", "gjoa": "Berth 9"}
	s := mcp.NewServer(&mcp.Implementation{Name: "harbour", Version: "v1.0.0"}, nil)
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "harbour://ships/{name}", Name: "ships"},
		func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			berth, ok := ships[req.Extra.Variables["name"]]
			if !ok {
				return nil, mcp.ResourceNotFoundError(req.Params.URI)
			}
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{Text: berth}}}, nil
		})

	request(s, "resources/read", `"uri":"harbour://ships/fram"`)
	request(s, "resources/read", `"uri":"harbour://ships/maud"`)
	// Output:
	// contents: [{"uri":"harbour://ships/fram","text":"Berth 4"}]
	//
	// error: -32602 Resource not found
}
