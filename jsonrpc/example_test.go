package jsonrpc_test

import (
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

func ExampleEnvelope_Decode() {
	var m jsonrpc.Envelope
	err := m.Decode([]byte(`{"jsonrpc":"2.0","id":"a-1","method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v %s %s\n", m.Kind, m.ID, m.Method)
	for name, value := range jsonrpc.Members(m.Params) {
		fmt.Printf("%s = %s\n", name, value)
	}
	// Output:
	// request "a-1" tools/call
	// name = "echo"
	// arguments = {"text":"hello"}
}

func ExampleEnvelope_Decode_refused() {
	var m jsonrpc.Envelope
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[1]}`,
		`{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}`,
	} {
		if err, ok := m.Decode([]byte(text)).(*jsonrpc.Error); ok {
			fmt.Printf("%s\n", jsonrpc.AppendError(nil, m.ID, err))
		}
	}
	// Output:
	// {"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Invalid Request: params must be an object"}}
	// {"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error: an object names a member twice"}}
}

func ExampleDecodeBatch() {
	data := []byte(`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},"x"]`)
	if !jsonrpc.IsBatch(data) {
		return
	}
	batch, err := jsonrpc.DecodeBatch(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	var m jsonrpc.Envelope
	for err := range batch.Messages(&m) {
		fmt.Println(m.Kind, err)
	}
	// Output:
	// request <nil>
	// notification <nil>
	// invalid Invalid Request: a message must be an object
}

func ExampleAppendResult() {
	text := jsonrpc.AppendString([]byte(`{"content":[{"type":"text","text":`), "two\nlines")
	fmt.Printf("%s\n", jsonrpc.AppendResult(nil, []byte(`7`), append(text, `}]}`...)))
	// Output:
	// {"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"two\nlines"}]}}
}
