package mcp_test

import (
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A transport decodes a message, prepares a call and runs it. printer, its Sink, gets what the
// client is sent.
func ExampleCall() {
	s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add"}, add)

	var m jsonrpc.Envelope
	err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":40,"b":2}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	// The message came with the ID of a session, which the transport has opened.
	meta := &mcp.RequestMeta{Session: &mcp.SessionInfo{Revision: "2025-11-25"}}
	var call mcp.Call
	if e := s.Prepare(&call, &m, meta); e != nil {
		fmt.Println(call.Status(e.Code), e)
		return
	}
	fmt.Println(call.Method(), call.Kind() == mcp.CallRequest, call.Inline())
	call.Run(context.Background(), printer{})
	// Output:
	// tools/call true true
	// respond 0 {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"sum\":42}"}],"structuredContent":{"sum":42}}}
}
