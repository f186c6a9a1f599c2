// Command customtransport has a transport of its own: lines of JSON, from standard input and to
// standard output.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A lineTransport is newline-delimited JSON, written by hand.
type lineTransport struct {
	in  io.ReadCloser
	out io.Writer
}

func (t *lineTransport) Connect(context.Context) (mcp.Connection, error) {
	return &lineConn{r: bufio.NewReader(t.in), t: t}, nil
}

type lineConn struct {
	t  *lineTransport
	r  *bufio.Reader
	mu sync.Mutex // guards writes
}

func (c *lineConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, err := c.r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		msg, err := jsonrpc.DecodeMessage(line)
		if err != nil {
			return nil, fmt.Errorf("decoding: %w", err)
		}
		if req, ok := msg.(*jsonrpc.Request); ok && req.Method == "dropped" {
			continue
		}
		return msg, nil
	}
}

func (c *lineConn) Write(_ context.Context, msg jsonrpc.Message) error {
	data, err := jsonrpc.EncodeMessage(msg)
	if err != nil {
		return err
	}
	if res, ok := msg.(*jsonrpc.Response); ok && res.Error != nil {
		log.Printf("answering %v with %v", res.ID, res.Error)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.t.out.Write(append(data, '\n'))
	return err
}

func (c *lineConn) Close() error      { return c.t.in.Close() }
func (c *lineConn) SessionID() string { return "" }

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "framed", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "greet"}, func(_ context.Context, _ *mcp.CallToolRequest, in struct {
		Name string `json:"name"`
	}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hi " + in.Name}}}, nil, nil
	})
	var t mcp.Transport = &lineTransport{in: os.Stdin, out: os.Stdout}
	if err := server.Run(context.Background(), t); err != nil && !errors.Is(err, io.EOF) {
		log.Print(err)
	}
}
