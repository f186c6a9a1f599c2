package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"
)

// Whatever bytes come, in whatever pieces: each line that is written is JSON, nothing panics or
// stays, and a request between two hostile lines is answered.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("{\n"), []byte("}\n"), byte(3))
	f.Add([]byte(call(`1`, "wait", `{}`)+"\n"), []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`), byte(1))
	f.Add([]byte(modernLine(`1`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)+"\n"), []byte("[]"), byte(0))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`+"\n"),
		[]byte(`[{"jsonrpc":"2.0","id":2,"method":"ping"},`+call(`3`, "echo", `{"text":"x"}`)+`,7]`), byte(9))
	s := NewServer(&Implementation{Name: "echo", Version: "v1"}, &ServerOptions{Logger: quiet})
	f.Cleanup(s.Close)
	AddTool(s, &Tool{Name: "echo"}, func(_ context.Context, _ *CallToolRequest, in lineIn) (*CallToolResult, lineOut, error) {
		return nil, lineOut(in), nil
	})
	AddTool(s, &Tool{Name: "wait"}, func(ctx context.Context, _ *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	})
	f.Fuzz(func(t *testing.T, before, after []byte, piece byte) {
		ours, theirs := NewInMemoryTransports()
		ss, err := s.Connect(context.Background(), ours, nil)
		if err != nil {
			t.Fatal(err)
		}
		input := append(append(bytes.Clone(before), "\n"+modernCall(`"mark"`, "echo", `{"text":"found"}`)+"\n"...), after...)
		go func() {
			size := max(int(piece), 1)
			for rest := input; len(rest) > 0; {
				n := min(size, len(rest))
				if _, err := theirs.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			ours.in.close() // the end of the input
		}()
		output, err := io.ReadAll(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if err := ss.Wait(); err != nil {
			t.Errorf("Wait returned %v", err)
		}
		for line := range eachLine(output) {
			if !json.Valid(line) {
				t.Errorf("not JSON: %q", line)
			}
		}
		if !bytes.Contains(output, []byte(`"id":"mark","result"`)) && !bytes.Contains(before, []byte("mark")) {
			t.Errorf("the request between is not answered: %q", output)
		}
		if n := len(s.peers.all()); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}
