package mcp

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// dialHostile connects a client to a server that answers every request after initialize with the
// result, and that asks with each of questions first. The answers to them go to the result.
func dialHostile(t *testing.T, opts *ClientOptions, result string, questions ...string) (*ClientSession, <-chan string) {
	t.Helper()
	ours, theirs := NewInMemoryTransports()
	answers := make(chan string, len(questions))
	go func() {
		lines := bufio.NewScanner(theirs)
		for lines.Scan() {
			var m jsonrpc.Envelope
			switch err := m.Decode(lines.Bytes()); {
			case err != nil:
				t.Errorf("%v: %s", err, lines.Text())
			case m.Method == nil:
				answers <- lines.Text()
			case string(m.Method) == "notifications/initialized":
				for i, q := range questions {
					fmt.Fprintf(theirs, `{"jsonrpc":"2.0","id":%d,"method":"sampling/createMessage","params":%s}`+"\n", i, q)
				}
			case string(m.Method) == "initialize":
				fmt.Fprintf(theirs, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}`+"\n", m.ID)
			case m.ID != nil:
				fmt.Fprintf(theirs, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID, result)
			}
		}
	}()
	cs, err := NewClient(&Implementation{Name: "c", Version: "1"}, opts).Connect(t.Context(), ours, &ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cs.Close() })
	return cs, answers
}

// A null in a list of a server's result is an error of the request, and not a nil pointer.
func TestClientNullEntries(t *testing.T) {
	opts := &ClientOptions{CreateMessageHandler: func(context.Context, *CreateMessageRequest) (*CreateMessageResult, error) {
		t.Error("the handler was called")
		return nil, nil
	}}
	ask := `{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"maxTokens":1,"messages":[null]}}}}`
	for _, tt := range []struct {
		result string
		send   func(*ClientSession) error
	}{
		{`{"tools":[null]}`, func(cs *ClientSession) error { _, err := cs.ListTools(t.Context(), nil); return err }},
		{`{"prompts":[null]}`, func(cs *ClientSession) error { _, err := cs.ListPrompts(t.Context(), nil); return err }},
		{`{"resources":[null]}`, func(cs *ClientSession) error { _, err := cs.ListResources(t.Context(), nil); return err }},
		{`{"resourceTemplates":[null]}`, func(cs *ClientSession) error { _, err := cs.ListResourceTemplates(t.Context(), nil); return err }},
		{`{"messages":[null]}`, func(cs *ClientSession) error { _, err := cs.GetPrompt(t.Context(), nil); return err }},
		{`{"contents":[null]}`, func(cs *ClientSession) error { _, err := cs.ReadResource(t.Context(), nil); return err }},
		{ask, func(cs *ClientSession) error { _, err := cs.CallTool(t.Context(), nil); return err }},
	} {
		cs, _ := dialHostile(t, opts, tt.result)
		if err := tt.send(cs); err == nil || !strings.Contains(err.Error(), "null") {
			t.Errorf("%s: %v", tt.result, err)
		}
	}
	questions := []string{`{"maxTokens":1,"messages":[null]}`, `{"maxTokens":1,"messages":[],"tools":[null]}`}
	_, answers := dialHostile(t, opts, "{}", questions...)
	for range questions {
		if line := <-answers; !strings.Contains(line, "-32602") {
			t.Errorf("an answer to a bad question: %s", line)
		}
	}
}
