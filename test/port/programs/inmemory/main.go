// Command inmemory connects a server to clients in its own process: over a pair of transports, and
// over pipes.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp" // the client stays that of the SDK
)

func newServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "in memory", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "greet"}, func(_ context.Context, _ *mcp.CallToolRequest, in struct {
		Name string `json:"name"`
	}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hi " + in.Name}}}, nil, nil
	})
	return s
}

// byHand talks to the other end of a pair of transports.
func byHand(ctx context.Context) error {
	ours, theirs := mcp.NewInMemoryTransports()
	session, err := newServer().Connect(ctx, theirs, nil)
	if err != nil {
		return err
	}
	conn, err := ours.Connect(ctx)
	if err != nil {
		return err
	}
	for i, text := range []string{
		`"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"hand","version":"1"}}`,
		`"method":"tools/call","params":{"name":"greet","arguments":{"name":"hand"}}`,
	} {
		msg, err := jsonrpc.DecodeMessage([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,%s}`, i+1, text)))
		if err != nil {
			return err
		}
		if err := conn.Write(ctx, msg); err != nil {
			return err
		}
		answer, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		res, ok := answer.(*jsonrpc.Response)
		if !ok || res.Error != nil {
			return fmt.Errorf("answered with %v", answer)
		}
		var result struct {
			ProtocolVersion string          `json:"protocolVersion"`
			Content         json.RawMessage `json:"content"`
		}
		if err := json.Unmarshal(res.Result, &result); err != nil {
			return err
		}
		fmt.Println(res.ID.Raw(), result.ProtocolVersion, string(result.Content))
		if i == 0 {
			initialized := &jsonrpc.Request{Method: "notifications/initialized"}
			if err := conn.Write(ctx, initialized); err != nil {
				return err
			}
		}
	}
	if err := conn.Close(); err != nil {
		return err
	}
	return session.Wait()
}

// byClient connects the SDK's client over two pipes.
func byClient(ctx context.Context) error {
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	session, err := newServer().Connect(ctx, &mcp.IOTransport{Reader: fromClient, Writer: toClient}, nil)
	if err != nil {
		return err
	}
	client := sdk.NewClient(&sdk.Implementation{Name: "piped", Version: "v1.0.0"}, nil)
	cs, err := client.Connect(ctx, &sdk.IOTransport{Reader: fromServer, Writer: toServer}, nil)
	if err != nil {
		return err
	}
	fmt.Println("client:", cs.InitializeResult().ProtocolVersion)
	res, err := cs.CallTool(ctx, &sdk.CallToolParams{Name: "greet", Arguments: map[string]any{"name": "pipe"}})
	if err != nil {
		return err
	}
	fmt.Println("client:", res.Content[0].(*sdk.TextContent).Text)
	if err := cs.Close(); err != nil {
		return err
	}
	return session.Wait()
}

func main() {
	for _, run := range []func(context.Context) error{byHand, byClient} {
		if err := run(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
}
