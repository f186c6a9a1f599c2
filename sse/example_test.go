package sse_test

import (
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/sse"
)

func ExampleAppendEvent() {
	// A priming event: it has an id to resume from, and no data.
	fmt.Printf("%q\n", sse.AppendEvent(nil, &sse.Event{ID: "s1-0", Retry: 3 * time.Second}))
	fmt.Printf("%q\n", sse.AppendEvent(nil, &sse.Event{Type: "message", ID: "s1-1", Data: []byte(`{"a":1}`)}))
	// Output:
	// "id: s1-0\nretry: 3000\ndata: \n\n"
	// "id: s1-1\nevent: message\ndata: {\"a\":1}\n\n"
}

func ExampleAppendData() {
	stream := sse.AppendData(nil, []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`))
	stream = sse.AppendComment(stream, "") // keep-alive
	fmt.Printf("%s", stream)
	// Output:
	// data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}
	//
	// :
}

func ExampleDecoder() {
	var d sse.Decoder
	for _, piece := range []string{"id: 1\nda", "ta: {\"a\":1}\n", "\n:\n\nevent: bye\rdata: x\r", "\r"} {
		for event, err := range d.Decode([]byte(piece)) {
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("%q %s %s\n", event.Type, event.ID, event.Data)
		}
	}
	fmt.Println("resume from", d.LastEventID())
	// Output:
	// "" 1 {"a":1}
	// "bye" 1 x
	// resume from 1
}
