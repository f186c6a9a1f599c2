package port

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A record is what came of a step.
type record struct {
	step   string
	answer any // JSON
}

const stepLimit = 15 * time.Second

// take takes a step and returns its record.
func (d *driver) take(s step, program *process) record {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	d.await(0)
	select {
	case <-d.more:
	default:
	}
	res, err := d.do(ctx, cancel, s, program)
	var answer any
	switch {
	case err != nil:
		answer = map[string]any{"error": failure(err)}
	default:
		answer = map[string]any{"result": res}
	}
	if sent := d.await(s.want); len(sent) > 0 {
		slices.SortStableFunc(sent, func(a, b notification) int { return strings.Compare(a.Kind, b.Kind) })
		answer.(map[string]any)["sent"] = plain(sent)
	}
	return record{s.text, answer}
}

// failure returns what is known of an error.
func failure(err error) any {
	var wire *jsonrpc.Error
	switch {
	case errors.As(err, &wire):
		return plain(wire)
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return map[string]any{"text": err.Error()}
}

func (d *driver) do(ctx context.Context, cancel func(), s step, program *process) (any, error) {
	switch s.verb {
	case "stdio":
		return d.connect(&mcp.CommandTransport{Command: program.command(), TerminateDuration: 2 * time.Second})
	case "http", "sse":
		return d.dial(s.verb, program.url+s.arg(0))
	case "connect":
		return d.dial(s.arg(0), program.url+s.arg(1))
	case "header":
		d.header.Set(strings.TrimSuffix(s.arg(0), ":"), strings.Join(s.args[1:], " "))
		return nil, nil
	case "meta":
		return nil, json.Unmarshal([]byte(`{"`+s.arg(0)+`":`+s.arg(1)+`}`), &d.meta)
	case "answer":
		d.answer = new(mcp.ElicitResult)
		return nil, json.Unmarshal([]byte(s.json), d.answer)
	case "pause": // for what servers do in the background
		time.Sleep(300 * time.Millisecond)
		return nil, nil
	case "GET", "POST", "PUT", "DELETE", "OPTIONS":
		return d.raw(ctx, s.verb, program, s.arg(0))
	}
	if d.session == nil {
		return nil, errors.New("not connected")
	}
	switch s.verb {
	case "list":
		return d.list(ctx, s.arg(0))
	case "call", "progress", "cancel", "loglevel":
		return d.call(ctx, cancel, s)
	case "read":
		return result(d.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: s.arg(0)}))
	case "prompt":
		p := &mcp.GetPromptParams{Name: s.name(0)}
		if err := json.Unmarshal([]byte(s.json), &p.Arguments); err != nil {
			return nil, err
		}
		return result(d.session.GetPrompt(ctx, p))
	case "complete":
		return d.complete(ctx, s)
	case "level":
		return nil, d.session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: mcp.LoggingLevel(s.arg(0))})
	case "ping":
		return nil, d.session.Ping(ctx, nil)
	case "subscribe":
		return nil, d.session.Subscribe(ctx, &mcp.SubscribeParams{URI: s.arg(0)})
	case "unsubscribe":
		return nil, d.session.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: s.arg(0)})
	case "root":
		d.client.AddRoots(&mcp.Root{URI: s.arg(1)})
		return nil, nil
	case "custom":
		p := new(customParams)
		if err := json.Unmarshal([]byte(s.json), p); err != nil {
			return nil, err
		}
		return result(mcp.CallCustomMethod[*customParams, *customResult](ctx, d.session, s.arg(0), p))
	}
	return nil, fmt.Errorf("unknown step %q", s.text)
}

func result[R any](res R, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return plain(res), nil
}

func (d *driver) dial(kind, url string) (any, error) {
	client := &http.Client{Transport: d}
	if kind == "sse" {
		return d.connect(&mcp.SSEClientTransport{Endpoint: url, HTTPClient: client})
	}
	return d.connect(&mcp.StreamableClientTransport{Endpoint: url, HTTPClient: client, MaxRetries: -1})
}

func (d *driver) call(ctx context.Context, cancel func(), s step) (any, error) {
	if s.verb == "loglevel" {
		s.args = s.args[1:]
	}
	p := &mcp.CallToolParams{Name: s.name(0), Arguments: json.RawMessage(s.json), Meta: maps.Clone(d.meta)}
	switch s.verb {
	case "loglevel":
		p.Meta[mcp.MetaKeyLogLevel] = s.arg(1)
	case "progress":
		p.SetProgressToken("token")
	case "cancel":
		p.SetProgressToken("token")
		go func() {
			select {
			case <-d.more:
			case <-time.After(stepLimit / 2):
			}
			cancel()
		}()
	}
	return result(d.session.CallTool(ctx, p))
}

// list returns all pages.
func (d *driver) list(ctx context.Context, kind string) (any, error) {
	var pages []any
	cursor := ""
	for {
		var page any
		var err error
		switch kind {
		case "tools":
			page, err = result(d.session.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor}))
		case "prompts":
			page, err = result(d.session.ListPrompts(ctx, &mcp.ListPromptsParams{Cursor: cursor}))
		case "resources":
			page, err = result(d.session.ListResources(ctx, &mcp.ListResourcesParams{Cursor: cursor}))
		case "templates":
			page, err = result(d.session.ListResourceTemplates(ctx, &mcp.ListResourceTemplatesParams{Cursor: cursor}))
		}
		if err != nil {
			return nil, err
		}
		pages = append(pages, page)
		fields, _ := page.(map[string]any)
		cursor, _ = fields["nextCursor"].(string)
		if cursor == "" {
			return pages, nil
		}
		fields["nextCursor"] = "…" // any text will do
	}
}

func (d *driver) complete(ctx context.Context, s step) (any, error) {
	p := &mcp.CompleteParams{
		Ref:      &mcp.CompleteReference{Type: "ref/prompt", Name: s.name(1)},
		Argument: mcp.CompleteParamsArgument{Name: s.arg(2), Value: s.arg(3)},
	}
	if s.arg(0) == "resource" {
		p.Ref = &mcp.CompleteReference{Type: "ref/resource", URI: s.arg(1)}
	}
	if s.json != "" {
		p.Context = new(mcp.CompleteContext)
		if err := json.Unmarshal([]byte(s.json), &p.Context.Arguments); err != nil {
			return nil, err
		}
	}
	return result(d.session.Complete(ctx, p))
}

// raw sends a request without the client. The texts of refusals are not compared.
func (d *driver) raw(ctx context.Context, method string, program *process, path string) (any, error) {
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`)
	}
	req, err := http.NewRequestWithContext(ctx, method, program.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	res, err := d.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"status": float64(res.StatusCode)}
	for _, name := range []string{"Www-Authenticate", "Access-Control-Allow-Origin", "Access-Control-Allow-Headers"} {
		if v := res.Header.Get(name); v != "" {
			out[name] = strings.ReplaceAll(v, program.host, "HOST")
		}
	}
	if res.StatusCode == http.StatusOK {
		out["body"] = strings.TrimSpace(string(text))
	}
	return out, nil
}

// self runs a program that needs no client and returns what it prints.
func self(program *process) record {
	cmd := program.command()
	out, err := cmd.Output()
	answer := map[string]any{"output": string(out)}
	if err != nil {
		answer["error"] = err.Error()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			answer["error"] = string(exit.Stderr)
		}
	}
	return record{"self", answer}
}
