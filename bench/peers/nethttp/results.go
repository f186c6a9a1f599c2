package main

import (
	"context"
	"crypto/rand"

	"github.com/mooring-mcp/mooring/bench/peers/internal/serve"
)

const (
	codeNoMethod  = -32601
	codeBadParams = -32602
)

// newSession returns an ID that is not remembered.
func newSession() string { return rand.Text() }

type object = map[string]any

var (
	info         = object{"name": "peer-nethttp", "version": "1"}
	capabilities = object{"tools": object{"listChanged": true}}
	meta         = object{"io.modelcontextprotocol/serverInfo": info}
)

func discovered() any {
	return object{
		"resultType": "complete", "supportedVersions": []string{modern, "2025-11-25", "2025-06-18"},
		"capabilities": capabilities, "ttlMs": 0, "cacheScope": "private", "_meta": meta,
	}
}

func initialized(asked string) any {
	if asked != "2025-06-18" {
		asked = "2025-11-25"
	}
	return object{"protocolVersion": asked, "capabilities": capabilities, "serverInfo": info}
}

type tool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	InputSchema object `json:"inputSchema"`
}

func newTool(name, description, argument, kind string) tool {
	schema := object{"type": "object"}
	if argument != "" {
		schema["properties"] = object{argument: object{"type": kind}}
		schema["required"] = []string{argument}
	}
	return tool{name, description, schema}
}

func toolsList(extra, isModern bool) any {
	tools := []tool{
		newTool("echo", "Says the text back.", "text", "string"),
		newTool("large", "Answers with a long text.", "bytes", "integer"),
		newTool("sleep", "Answers after a time.", "milliseconds", "integer"),
		newTool("toggle", "Adds the tool extra, or removes it.", "", ""),
	}
	if extra {
		tools = append(tools, newTool("extra", "Exists until toggle is called again.", "", ""))
	}
	if isModern {
		return object{"tools": tools, "resultType": "complete", "ttlMs": 0, "cacheScope": "private", "_meta": meta}
	}
	return object{"tools": tools}
}

type textContent struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type callResult struct {
	Content    []textContent `json:"content"`
	IsError    bool          `json:"isError,omitempty"`
	ResultType string        `json:"resultType,omitempty"`
	Meta       any           `json:"_meta,omitempty"`
}

func call(ctx context.Context, req *request, isModern bool) (any, *rpcError) {
	var said string
	var err error
	in := req.Params.Arguments
	switch req.Params.Name {
	case "echo":
		said = in.Text
	case "sleep":
		said, err = serve.Sleep(ctx, in.Milliseconds)
	case "large":
		said, err = serve.Large(in.Bytes)
	case "toggle":
		said = "toggled"
	default:
		return nil, &rpcError{Code: codeBadParams, Message: "unknown tool"}
	}
	res := callResult{Content: []textContent{{"text", said}}}
	if err != nil {
		res.Content[0].Text, res.IsError = err.Error(), true
	}
	if isModern {
		res.ResultType, res.Meta = "complete", meta
	}
	return res, nil
}
