package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

type ForecastIn struct {
	City string `json:"city" jsonschema:"city name, for example Oslo"`
	Days int    `json:"days,omitempty" jsonschema:"1 to 14"`
}

type ForecastOut struct {
	Celsius []float64 `json:"celsius"`
}

// A worker tool: it runs on a goroutine of its own and may block.
func forecast(_ context.Context, req *mcp.CallToolRequest, in ForecastIn) (*mcp.CallToolResult, ForecastOut, error) {
	if err := req.Progress(1, 2, "asking the station in "+in.City); err != nil {
		return nil, ForecastOut{}, err
	}
	return nil, ForecastOut{Celsius: []float64{-3.5, 1}}, nil
}

type AddIn struct {
	A int `json:"a"`
	B int `json:"b"`
}

type AddOut struct {
	Sum int `json:"sum"`
}

// An inline tool: it runs where the message was read and must not wait.
func add(_ *mcp.CallToolRequest, in AddIn) (AddOut, error) { return AddOut{in.A + in.B}, nil }

// A printer is the smallest transport: it prints what a client would receive.
type printer struct{}

func (printer) Notify(msg []byte) bool { fmt.Printf("notify  %s\n", msg); return true }

func (printer) Respond(msg []byte, code jsonrpc.Code) {
	// The form that was sent is sealed in requestState, which is different each time.
	fmt.Printf("respond %d %s\n", code, sealed.ReplaceAll(msg, []byte(`"requestState":"…"`)))
}

var sealed = regexp.MustCompile(`"requestState":"[^"]*"`)

// serve answers one message in process, as a transport does with each.
func serve(s *mcp.Server, text string) {
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(text)); err != nil {
		fmt.Println(err)
		return
	}
	var call mcp.Call
	if e := s.Prepare(&call, &m, &mcp.RequestMeta{}); e != nil {
		fmt.Printf("refuse  %d %s\n", call.Status(e.Code), jsonrpc.AppendError(nil, call.ID(), e))
		return
	}
	if call.Kind() == mcp.CallRequest {
		call.Run(context.Background(), printer{})
	}
}

// A collector is a Sink that keeps the response.
type collector struct{ response []byte }

func (c *collector) Notify([]byte) bool                 { return true }
func (c *collector) Respond(msg []byte, _ jsonrpc.Code) { c.response = append(c.response, msg...) }

// request sends a request of 2026-07-28 to s and prints the members of its result, or its error.
// params are the members of the params apart from _meta.
func request(s *mcp.Server, method, params string) {
	if params != "" {
		params = "," + params
	}
	text := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"docs","version":"v1.0.0"},` +
		`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}` + params + `}}`
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(text)); err != nil {
		fmt.Println(err)
		return
	}
	var call mcp.Call
	if e := s.Prepare(&call, &m, &mcp.RequestMeta{}); e != nil {
		fmt.Println("error:", int64(e.Code), e.Message)
		return
	}
	var c collector
	call.Run(context.Background(), &c)
	if err := m.Decode(c.response); err != nil {
		fmt.Println(err)
		return
	}
	if m.Kind == jsonrpc.KindErrorResponse {
		e := m.ErrorObject()
		fmt.Println("error:", int64(e.Code), e.Message)
		return
	}
	result := m.Result
	for name, value := range jsonrpc.Members(result) {
		switch string(name) {
		case "resultType", "_meta":
		case "ttlMs", "cacheScope":
			if method == "server/discover" {
				fmt.Printf("%s: %s\n", name, value)
			}
		default:
			fmt.Printf("%s: %s\n", name, value)
		}
	}
	fmt.Println()
}

func Example() {
	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "forecast", Description: "Daily temperatures."}, forecast)
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add", Description: "Sum of two integers."}, add)

	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":7}`
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{META,"name":"add","arguments":{"a":40,"b":2}}}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{META,"name":"forecast","arguments":{"city":"Oslo"}}}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{META,"name":"tide"}}`,
	} {
		serve(s, strings.Replace(text, "META", meta, 1))
	}
	// Output:
	// respond 0 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"weather","version":"v1.0.0"}},"content":[{"type":"text","text":"{\"sum\":42}"}],"structuredContent":{"sum":42}}}
	// notify  {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1,"total":2,"message":"asking the station in Oslo"}}
	// respond 0 {"jsonrpc":"2.0","id":2,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"weather","version":"v1.0.0"}},"content":[{"type":"text","text":"{\"celsius\":[-3.5,1]}"}],"structuredContent":{"celsius":[-3.5,1]}}}
	// refuse  400 {"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"Invalid params: unknown tool \"tide\""}}
}

// A handler that needs something from the client returns its questions. The client calls again with
// the answers.
func ExampleElicitParams() {
	s := mcp.NewServer(&mcp.Implementation{Name: "harbour", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "moor"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		answer, ok := req.Params.InputResponses["ship"].(*mcp.ElicitResult)
		if !ok {
			question := &mcp.ElicitParams{
				Message:         "Which ship?",
				RequestedSchema: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`),
			}
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"ship": question}}, nil, nil
		}
		if answer.Action != mcp.ElicitAccept { // the user declined, or closed the form
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Nothing is moored."}}}, nil, nil
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint("moored: ", answer.Content["name"])}}}, nil, nil
	})
	const head = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}},"name":"moor"`
	serve(s, head+`}}`)
	serve(s, head+`,"inputResponses":{"ship":{"action":"accept","content":{"name":"Fram"}}}}}`)
	serve(s, head+`,"inputResponses":{"ship":{"action":"decline"}}}}`)
	// Output:
	// respond 0 {"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"harbour","version":"v1.0.0"}},"inputRequests":{"ship":{"method":"elicitation/create","params":{"mode":"form","message":"Which ship?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}}}},"requestState":"…"}}
	// respond 0 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"harbour","version":"v1.0.0"}},"content":[{"type":"text","text":"moored: Fram"}]}}
	// respond 0 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"harbour","version":"v1.0.0"}},"content":[{"type":"text","text":"Nothing is moored."}]}}
}
