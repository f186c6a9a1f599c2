// Command mcpgo drives a Mooring server with mcp-go's client: mcpgo URL TRANSPORT REVISION. The
// transport is http, or sse for HTTP+SSE of 2024-11-05.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mooring-mcp/mooring/test/clients/report"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: mcpgo URL http|sse REVISION")
		os.Exit(2)
	}
	url, kind, revision := os.Args[1], os.Args[2], os.Args[3]
	r := &report.Report{Client: "mcp-go " + kind + " " + revision}
	d := &driver{
		revision:     revision,
		old:          revision != report.Revision,
		acknowledged: make(chan struct{}, 64),
		listChanged:  make(chan struct{}, 64),
		updated:      make(chan struct{}, 64),
		progress:     make(chan struct{}, 64),
		asked:        make(chan string, 64),
	}
	if !r.Step("connect", func(ctx context.Context) error { return d.connect(ctx, url, kind, revision) }) {
		r.Exit()
	}
	r.Step("tools/list", d.list)
	r.Step("tools/call echo", d.echo)
	r.Step("tools/call add", d.add)
	r.Step("tools/call countdown (progress)", d.countdown)
	// The client's SSE transport receives requests of the server, but cannot answer them.
	if revision >= report.Elicitation && kind != "sse" {
		r.Step("tools/call ask (elicitation)", d.ask)
	}
	r.Step("resources/read", d.read)
	if d.old || r.Step("subscriptions/listen", d.listen) {
		r.Step("list_changed after toggle", d.toggle)
		r.Step("resources/updated of the clock", d.watch)
	}
	r.Step("close", d.close)
	r.Exit()
}

type driver struct {
	revision     string
	old          bool // uses a session
	client       *client.Client
	acknowledged chan struct{} // one value for each notification of a kind
	listChanged  chan struct{}
	updated      chan struct{}
	progress     chan struct{}
	asked        chan string // the message of each question
	stopListen   func()
	firstRead    string
}

func (d *driver) connect(ctx context.Context, url, kind, revision string) error {
	options := []client.ClientOption{client.WithElicitationHandler(d)}
	if d.old {
		options = append(options, client.WithLegacyProtocolOnly())
	} else {
		options = append(options, client.WithProtocolVersion(revision))
	}
	var t transport.Interface
	var err error
	switch {
	case kind == "sse":
		t, err = transport.NewSSE(url)
	case d.old:
		t, err = transport.NewStreamableHTTP(url, transport.WithContinuousListening())
	default: // a client that listens on a GET stream does not request a revision without one
		t, err = transport.NewStreamableHTTP(url)
	}
	if err != nil {
		return err
	}
	d.client = client.NewClient(t, options...)
	d.client.OnNotification(func(n mcp.JSONRPCNotification) {
		switch n.Method {
		case "notifications/subscriptions/acknowledged":
			d.acknowledged <- struct{}{}
		case "notifications/tools/list_changed":
			d.listChanged <- struct{}{}
		case "notifications/resources/updated":
			if n.Params.AdditionalFields["uri"] == report.Clock {
				d.updated <- struct{}{}
			}
		case "notifications/progress":
			d.progress <- struct{}{}
		}
	})
	// The transport lives as long as the context given to Start: the step's context would end it.
	if err := d.client.Start(context.Background()); err != nil {
		return err
	}
	var req mcp.InitializeRequest
	req.Params.ProtocolVersion = revision
	req.Params.ClientInfo = mcp.Implementation{Name: "mooring-test", Version: "v1.0.0"}
	if _, err := d.client.Initialize(ctx, req); err != nil {
		return err
	}
	// The client falls back to an earlier revision by itself, but must not have done so here.
	if got := d.client.ProtocolVersion(); got != revision {
		return fmt.Errorf("negotiated %s, want %s", got, revision)
	}
	return nil
}

// Elicit implements client.ElicitationHandler.
func (d *driver) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	d.asked <- req.Params.Message
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept, Content: report.Ship()}}, nil
}

func (d *driver) ask(ctx context.Context) error {
	result, err := d.call(ctx, "ask", map[string]any{"question": report.Question}, nil)
	if err != nil {
		return err
	}
	if got, ok := result.Content[0].(mcp.TextContent); !ok || got.Text != report.Answer {
		return fmt.Errorf("want the text %q, got %#v", report.Answer, result.Content[0])
	}
	return report.Asked(d.asked)
}

func (d *driver) names(ctx context.Context) ([]string, error) {
	result, err := d.client.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, tool := range result.Tools {
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

func (d *driver) call(ctx context.Context, name string, args map[string]any, meta *mcp.Meta) (*mcp.CallToolResult, error) {
	var req mcp.CallToolRequest
	req.Params.Name = name
	req.Params.Arguments = args
	req.Params.Meta = meta
	result, err := d.client.CallTool(ctx, req)
	if err != nil {
		return nil, err
	}
	if result.IsError {
		return nil, fmt.Errorf("%s answered with an error: %v", name, result.Content)
	}
	return result, nil
}

func (d *driver) echo(ctx context.Context) error {
	const text = "ahoy, ü \u2028"
	result, err := d.call(ctx, "echo", map[string]any{"text": text}, nil)
	if err != nil {
		return err
	}
	if len(result.Content) == 0 {
		return fmt.Errorf("no content")
	}
	if got, ok := result.Content[0].(mcp.TextContent); !ok || got.Text != text {
		return fmt.Errorf("want the text %q, got %#v", text, result.Content[0])
	}
	return nil
}

func (d *driver) add(ctx context.Context) error {
	result, err := d.call(ctx, "add", map[string]any{"a": 2, "b": 3}, nil)
	if err != nil {
		return err
	}
	if len(result.Content) == 0 {
		return fmt.Errorf("no content")
	}
	text, _ := result.Content[0].(mcp.TextContent)
	return report.Sum(d.revision, result.StructuredContent, text.Text, 5)
}

func (d *driver) countdown(ctx context.Context) error {
	if _, err := d.call(ctx, "countdown", map[string]any{"seconds": 2}, &mcp.Meta{ProgressToken: "countdown-1"}); err != nil {
		return err
	}
	return report.Await(ctx, d.progress, 2, "notifications/progress")
}

func (d *driver) clock(ctx context.Context) (string, error) {
	var req mcp.ReadResourceRequest
	req.Params.URI = report.Clock
	result, err := d.client.ReadResource(ctx, req)
	if err != nil {
		return "", err
	}
	if len(result.Contents) != 1 {
		return "", fmt.Errorf("want one text of %s, got %+v", report.Clock, result.Contents)
	}
	contents, ok := result.Contents[0].(mcp.TextResourceContents)
	if !ok || contents.URI != report.Clock || contents.Text == "" {
		return "", fmt.Errorf("want a text of %s, got %#v", report.Clock, result.Contents[0])
	}
	return contents.Text, nil
}

func (d *driver) read(ctx context.Context) (err error) {
	d.firstRead, err = d.clock(ctx)
	return err
}

// listen opens one stream for both kinds of notification and waits for its acknowledgement.
func (d *driver) listen(ctx context.Context) error {
	failed := make(chan error, 1)
	filter := mcp.SubscriptionFilter{ToolsListChanged: true, ResourceSubscriptions: []string{report.Clock}}
	stop, err := d.client.ListenAsync(context.Background(), filter, func(err error) { failed <- err })
	if err != nil {
		return err
	}
	select {
	case <-d.acknowledged:
		d.stopListen = stop
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no acknowledgement within the time limit")
	}
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
		if _, err := d.call(ctx, "toggle", map[string]any{}, nil); err != nil {
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
	report.Drain(d.updated)
	if d.old {
		var req mcp.SubscribeRequest
		req.Params.URI = report.Clock
		if err := d.client.Subscribe(ctx, req); err != nil {
			return err
		}
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
	return nil
}

func (d *driver) close(context.Context) error {
	if d.stopListen != nil {
		d.stopListen()
	}
	return d.client.Close()
}
