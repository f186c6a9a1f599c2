// Command gosdk drives a Mooring server with the official Go SDK's client: gosdk URL TRANSPORT
// REVISION. The transport is http, sse for HTTP+SSE of 2024-11-05, or stdio; for stdio URL is the
// command that starts the server, with its arguments.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mooring-mcp/mooring/test/clients/report"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: gosdk URL|COMMAND http|sse|stdio REVISION")
		os.Exit(2)
	}
	url, kind, revision := os.Args[1], os.Args[2], os.Args[3]
	var transport mcp.Transport = &mcp.StreamableClientTransport{Endpoint: url, MaxRetries: -1}
	switch kind {
	case "sse":
		transport = &mcp.SSEClientTransport{Endpoint: url}
	case "stdio":
		args := strings.Fields(url)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		transport = &mcp.CommandTransport{Command: cmd}
	}
	r := &report.Report{Client: "go-sdk " + kind + " " + revision}
	d := &driver{
		revision:    revision,
		listChanged: make(chan struct{}, 64),
		updated:     make(chan string, 64),
		progress:    make(chan float64, 64),
		asked:       make(chan string, 64),
	}
	if !r.Step("connect", func(ctx context.Context) error { return d.connect(ctx, transport, revision) }) {
		r.Exit()
	}
	r.Step("tools/list", d.list)
	r.Step("tools/call echo", d.echo)
	r.Step("tools/call add", d.add)
	r.Step("tools/call countdown (progress)", d.countdown)
	if revision >= report.Elicitation {
		r.Step("tools/call ask (elicitation)", d.ask)
	}
	r.Step("resources/read", d.read)
	r.Step("list_changed after toggle", d.toggle)
	r.Step("resources/updated of the clock", d.watch)
	r.Step("close", func(context.Context) error { return d.session.Close() })
	r.Exit()
}

type driver struct {
	revision    string
	session     *mcp.ClientSession
	listChanged chan struct{} // one value for each notifications/tools/list_changed
	updated     chan string   // the URI of each notifications/resources/updated
	progress    chan float64
	asked       chan string // the message of each question
	firstRead   string
}

// connect also opens the listen stream for list changes: the client does that itself if it has a
// handler for them.
func (d *driver) connect(ctx context.Context, transport mcp.Transport, revision string) error {
	client := mcp.NewClient(&mcp.Implementation{Name: "mooring-test", Version: "v1.0.0"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { d.listChanged <- struct{}{} },
		ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) {
			d.updated <- req.Params.URI
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			d.progress <- req.Params.Progress
		},
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			d.asked <- req.Params.Message
			return &mcp.ElicitResult{Action: "accept", Content: report.Ship()}, nil
		},
	})
	// The stream of HTTP+SSE lives as long as the context given to Connect: the step's context
	// would end it.
	session, err := client.Connect(context.WithoutCancel(ctx), transport, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		return err
	}
	d.session = session
	if got := session.InitializeResult().ProtocolVersion; got != revision {
		return fmt.Errorf("negotiated %s, want %s", got, revision)
	}
	return nil
}

func (d *driver) names(ctx context.Context) ([]string, error) {
	var names []string
	for tool, err := range d.session.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		names = append(names, tool.Name)
	}
	return names, nil
}

func (d *driver) list(ctx context.Context) error {
	names, err := d.names(ctx)
	if err != nil {
		return err
	}
	return report.Listed(names)
}

func (d *driver) call(ctx context.Context, name string, args map[string]any) (*mcp.CallToolResult, error) {
	result, err := d.session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		return nil, err
	}
	if result.IsError {
		return nil, fmt.Errorf("%s answered with an error: %v", name, result.GetError())
	}
	return result, nil
}

func (d *driver) echo(ctx context.Context) error {
	const text = "ahoy, ü \u2028"
	result, err := d.call(ctx, "echo", map[string]any{"text": text})
	if err != nil {
		return err
	}
	if len(result.Content) == 0 {
		return fmt.Errorf("no content")
	}
	if got, ok := result.Content[0].(*mcp.TextContent); !ok || got.Text != text {
		return fmt.Errorf("want the text %q, got %#v", text, result.Content[0])
	}
	return nil
}

func (d *driver) ask(ctx context.Context) error {
	result, err := d.call(ctx, "ask", map[string]any{"question": report.Question})
	if err != nil {
		return err
	}
	if got, ok := result.Content[0].(*mcp.TextContent); !ok || got.Text != report.Answer {
		return fmt.Errorf("want the text %q, got %#v", report.Answer, result.Content[0])
	}
	return report.Asked(d.asked)
}

func (d *driver) add(ctx context.Context) error {
	result, err := d.call(ctx, "add", map[string]any{"a": 2, "b": 3})
	if err != nil {
		return err
	}
	if len(result.Content) == 0 {
		return fmt.Errorf("no content")
	}
	var text string
	if c, ok := result.Content[0].(*mcp.TextContent); ok {
		text = c.Text
	}
	return report.Sum(d.revision, result.StructuredContent, text, 5)
}

func (d *driver) countdown(ctx context.Context) error {
	params := &mcp.CallToolParams{Name: "countdown", Arguments: map[string]any{"seconds": 2}}
	params.SetProgressToken("countdown-1")
	result, err := d.session.CallTool(ctx, params)
	if err != nil {
		return err
	}
	if result.IsError {
		return fmt.Errorf("countdown answered with an error: %v", result.GetError())
	}
	return report.Await(ctx, d.progress, 2, "notifications/progress")
}

func (d *driver) clock(ctx context.Context) (string, error) {
	result, err := d.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: report.Clock})
	if err != nil {
		return "", err
	}
	if len(result.Contents) != 1 || result.Contents[0].URI != report.Clock || result.Contents[0].Text == "" {
		return "", fmt.Errorf("want one text of %s, got %+v", report.Clock, result.Contents)
	}
	return result.Contents[0].Text, nil
}

func (d *driver) read(ctx context.Context) (err error) {
	d.firstRead, err = d.clock(ctx)
	return err
}

// toggle adds and removes the tool extra (or the other way round), so that the server is left
// unchanged.
func (d *driver) toggle(ctx context.Context) error {
	names, err := d.names(ctx)
	if err != nil {
		return err
	}
	before := report.Extra(names, true) == nil
	for _, extra := range []bool{!before, before} {
		report.Drain(d.listChanged)
		if _, err := d.call(ctx, "toggle", map[string]any{}); err != nil {
			return err
		}
		if err := report.Await(ctx, d.listChanged, 1, "notifications/tools/list_changed"); err != nil {
			return err
		}
		if names, err = d.names(ctx); err != nil {
			return err
		}
		if err := report.Extra(names, extra); err != nil {
			return err
		}
	}
	return nil
}

// watch waits for two updates, so that at least a second passes between the first read and the
// last.
func (d *driver) watch(ctx context.Context) error {
	if err := d.session.Subscribe(ctx, &mcp.SubscribeParams{URI: report.Clock}); err != nil {
		return err
	}
	if err := report.Await(ctx, d.updated, 2, "notifications/resources/updated"); err != nil {
		return err
	}
	now, err := d.clock(ctx)
	if err != nil {
		return err
	}
	if now == d.firstRead {
		return fmt.Errorf("the clock still reads %q", now)
	}
	return d.session.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: report.Clock})
}
