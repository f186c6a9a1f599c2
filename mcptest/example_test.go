package mcptest_test

import (
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

type berthArgs struct {
	Ship string `json:"ship"`
}

type berth struct {
	Quay int `json:"quay"`
}

// assign asks the user which quay a ship that it does not know shall have.
func assign(_ context.Context, req *mcp.CallToolRequest, in berthArgs) (*mcp.CallToolResult, berth, error) {
	if in.Ship == "Rose" {
		return nil, berth{Quay: 7}, nil
	}
	answer, ok := req.Params.InputResponses["quay"].(*mcp.ElicitResult)
	if !ok {
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"quay": &mcp.ElicitParams{Message: "Which quay for " + in.Ship + "?"}}}, berth{}, nil
	}
	quay, _ := answer.Content["quay"].(float64)
	return nil, berth{Quay: int(quay)}, nil
}

func newHarbour() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "harbour", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "assign", Description: "Assign a quay to a ship."}, assign)
	return s
}

func ExampleCall() {
	_, out, err := mcptest.Call[berth](context.Background(), newHarbour(), "assign", berthArgs{Ship: "Rose"})
	fmt.Println(out.Quay, err)
	// Output: 7 <nil>
}

// The client answers what the handler asks.
func ExampleClient() {
	client := &mcptest.Client{
		Answer: func(_ context.Context, _ string, ask mcp.InputRequest) (mcp.InputResponse, error) {
			fmt.Println(ask.(*mcp.ElicitParams).Message)
			return &mcp.ElicitResult{Action: mcp.ElicitAccept, Content: map[string]any{"quay": 3}}, nil
		},
	}
	_, out, err := mcptest.Call[berth](context.Background(), newHarbour(), "assign", berthArgs{Ship: "Tulip"}, client)
	fmt.Println(out.Quay, err)
	// Output:
	// Which quay for Tulip?
	// 3 <nil>
}
