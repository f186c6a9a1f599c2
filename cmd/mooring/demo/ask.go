package demo

import (
	"context"
	"encoding/json"

	"github.com/mooring-mcp/mooring/mcp"
)

// askForm is the schema of the form that the client shows to its user.
const askForm = `{"type":"object","properties":{` +
	`"name":{"type":"string","title":"Name","description":"Name of the ship","maxLength":80},` +
	`"berth":{"type":"string","title":"Berth","enum":["north","south"],"enumNames":["North quay","South quay"],"default":"north"}},"required":["name"]}`

type askIn struct {
	Question string `json:"question,omitempty" jsonschema:"the question; if empty, the tool asks its own"`
}

// addAsk adds the tool that asks the user. The tool does not know how its question reaches the
// client: as a result that asks for input, or as a request.
func addAsk(s *mcp.Server) {
	mcp.AddTool(s, &mcp.Tool{
		Name: "ask", Title: "Ask", Description: "Asks the user for the name of a ship and its berth.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true},
	}, ask)
}

func ask(_ context.Context, req *mcp.CallToolRequest, in askIn) (*mcp.CallToolResult, any, error) {
	if req.ClientCapabilities().Elicitation == nil {
		return textResult("The client cannot ask its user."), nil, nil
	}
	answer, ok := req.Params.InputResponses["ship"].(*mcp.ElicitResult)
	if !ok {
		question := in.Question
		if question == "" {
			question = "Which ship comes in, and where does she moor?"
		}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{
			"ship": &mcp.ElicitParams{Message: question, RequestedSchema: json.RawMessage(askForm)},
		}}, nil, nil
	}
	if answer.Action != mcp.ElicitAccept {
		return textResult("The user did not answer."), nil, nil
	}
	// The content conforms to the form. Members that are not required may be missing.
	name, _ := answer.Content["name"].(string)
	berth, _ := answer.Content["berth"].(string)
	if berth != "south" {
		berth = "north"
	}
	return textResult(name + " moors at the " + berth + " quay."), nil, nil
}
