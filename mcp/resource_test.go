package mcp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestResources(t *testing.T) {
	s := newTestServer(t, &ServerOptions{Cache: CacheHints{ReadResource: Cacheable{TTLMs: 7, CacheScope: CachePublic}}})
	shared := &ResourceContents{Text: "the text"}
	s.AddResource(&Resource{Name: "text", URI: "test://text", MIMEType: "text/plain"}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Meta: Meta{"x": 1}, Contents: []*ResourceContents{shared}}, nil
	})
	s.AddResource(&Resource{Name: "blob", URI: "test://blob"}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Cacheable: Cacheable{TTLMs: 9}, Contents: []*ResourceContents{{Blob: []byte{1, 2, 3}, MIMEType: "image/png"}}}, nil
	})
	for uri, err := range map[string]error{"test://gone": ResourceNotFoundError("test://gone"), "test://broken": errors.New("disk on fire")} {
		s.AddResource(&Resource{Name: "n", URI: uri}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
			return nil, fmt.Errorf("wrapped: %w", err)
		})
	}
	s.AddResource(&Resource{Name: "nil", URI: "test://nil"}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) { return nil, nil })
	s.AddResource(&Resource{Name: "none", URI: "test://none"}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{}, nil
	})
	s.AddResource(&Resource{Name: "hole", URI: "test://hole"}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Contents: []*ResourceContents{nil}}, nil
	})
	s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "test://template/{id}/data", MIMEType: "application/json"}, func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Contents: []*ResourceContents{{Text: req.Extra.Variables["id"]}}}, nil
	})
	c := newClient(t, s)
	read := func(uri string) *answer { return c.call("resources/read", fmt.Sprintf(`"uri":%q`, uri)) }
	read("test://text").wantResult("text", `{"uri":"test://text","mimeType":"text/plain","text":"the text"}`, `"ttlMs":7,"cacheScope":"public"`, `"x":1`)
	read("test://blob").wantResult("blob", `"blob":"AQID"`, `"mimeType":"image/png"`, `"ttlMs":9,"cacheScope":"private"`)
	read("test://template/12%2F3/data").wantResult("template", `"uri":"test://template/12%2F3/data"`, `"text":"12/3"`, `application/json`)
	if shared.URI != "" {
		t.Error("the handler's contents were changed")
	}
	read("test://unknown").wantError("unknown", -32602, 400, `"data":{"uri":"test://unknown"}`)
	read("test://gone").wantError("not found by its handler", -32602, 400, `"data":{"uri":"test://gone"}`)
	read("test://broken").wantError("an error", -32603, 200, "disk on fire")
	read("test://nil").wantError("nothing", -32603, 200)
	read("test://none").wantError("no contents", -32603, 200)
	read("test://hole").wantError("nil contents", -32603, 200)
	c.call("resources/read", `"uri":1`).wantError("no string", -32602, 400)
	c.call("resources/read", "").wantError("no uri", -32602, 400)

	s.RemoveResources("test://text")
	read("test://text").wantError("removed", -32602, 400)
	s.RemoveResourceTemplates("test://template/{id}/data")
	read("test://template/1/data").wantError("removed", -32602, 400)
}

func TestPrompts(t *testing.T) {
	s := newTestServer(t, nil)
	args := []*PromptArgument{{Name: "a", Required: true}, {Name: "b"}}
	s.AddPrompt(&Prompt{Name: "p", Arguments: args}, func(_ context.Context, req *GetPromptRequest) (*GetPromptResult, error) {
		text := fmt.Sprintf("%s:%s:%d", req.Params.Arguments["a"], req.Params.Arguments["b"], len(req.Params.Arguments))
		return &GetPromptResult{Description: "d", Messages: []*PromptMessage{{Role: RoleUser, Content: &TextContent{Text: text}}}}, nil
	})
	s.AddPrompt(&Prompt{Name: "nil"}, func(context.Context, *GetPromptRequest) (*GetPromptResult, error) { return nil, nil })
	s.AddPrompt(&Prompt{Name: "hole"}, func(context.Context, *GetPromptRequest) (*GetPromptResult, error) {
		return &GetPromptResult{Messages: []*PromptMessage{nil}}, nil
	})
	s.AddPrompt(&Prompt{Name: "fails"}, func(context.Context, *GetPromptRequest) (*GetPromptResult, error) { return nil, errors.New("no") })
	args[0].Name = "changed behind the server's back"
	c := newClient(t, s)
	c.call("prompts/get", `"name":"p","arguments":{"a":"1","\u0062":"\u0032"}`).wantResult("both", `"text":"1:2:2"`, `"description":"d"`)
	c.call("prompts/get", `"name":"nil","arguments":null`).wantResult("nil", `"messages":[]`)
	c.call("prompts/get", `"name":"p"`).wantError("missing", -32602, 400, "required argument a")
	c.call("prompts/get", `"name":"p","arguments":{"a":1}`).wantError("no string", -32602, 400)
	c.call("prompts/get", `"name":"p","arguments":[]`).wantError("no object", -32602, 400)
	c.call("prompts/get", `"name":"q"`).wantError("unknown", -32602, 400)
	c.call("prompts/get", ``).wantError("nameless", -32602, 400)
	c.call("prompts/get", `"name":"hole"`).wantError("unwritable", -32603, 200)
	c.call("prompts/get", `"name":"fails"`).wantError("an error", -32603, 200, `"message":"no"`)
	s.RemovePrompts("p", "nil", "hole", "fails")
	c.call("prompts/get", `"name":"p"`).wantError("removed", -32602, 400)
}

func TestCompletion(t *testing.T) {
	s := newTestServer(t, &ServerOptions{CompletionHandler: func(_ context.Context, req *CompleteRequest) (*CompleteResult, error) {
		p := req.Params
		if p.Argument.Value == "fail" {
			return nil, errors.New("no completion")
		}
		if p.Argument.Value == "many" {
			return &CompleteResult{Completion: CompletionResultDetails{Values: make([]string, 101)}}, nil
		}
		if p.Argument.Value == "nil" {
			return nil, nil
		}
		v := p.Ref.Type + p.Ref.Name + p.Ref.URI + p.Argument.Name + p.Argument.Value
		if p.Context != nil {
			v += p.Context.Arguments["x"]
		}
		return &CompleteResult{Completion: CompletionResultDetails{Values: []string{v}}}, nil
	}})
	s.AddPrompt(&Prompt{Name: "p"}, nil)
	s.AddResource(&Resource{Name: "r", URI: "test://r"}, noRead)
	s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "test://{id}"}, noRead)
	c := newClient(t, s)
	const prompt, tmpl = `"ref":{"type":"ref/prompt","name":"p"}`, `"ref":{"type":"ref/resource","uri":"test://{id}"}`
	c.call("completion/complete", prompt+`,"argument":{"name":"a","value":"v"},"context":{"arguments":{"x":"y"}}`).wantResult("prompt", `"values":["ref/promptpavy"]`)
	c.call("completion/complete", tmpl+`,"argument":{"name":"a","value":""}`).wantResult("template", `"values":["ref/resourcetest://{id}a"]`)
	c.call("completion/complete", `"ref":{"type":"ref/resource","uri":"test://r"},"argument":{"name":"a","value":"nil"}`).wantResult("resource", `"values":[]`)
	a := c.call("completion/complete", prompt+`,"argument":{"name":"a","value":"many"}`)
	a.wantResult("many", `"hasMore":true`)
	if n := strings.Count(a.body, `""`); n != 100 {
		t.Errorf("%d values", n)
	}
	c.call("completion/complete", prompt+`,"argument":{"name":"a","value":"fail"}`).wantError("fails", -32603, 200)
	for _, bad := range []string{
		``, prompt, `"argument":{"name":"a","value":"v"}`, prompt + `,"argument":{"name":"a"}`, prompt + `,"argument":{"name":"a","value":1}`,
		prompt + `,"argument":{"name":"a","value":"v"},"context":1`, prompt + `,"argument":{"name":"a","value":"v"},"context":{"arguments":{"x":1}}`,
		`"ref":{"type":"ref/prompt","name":"q"},"argument":{"name":"a","value":"v"}`, `"ref":{"type":"ref/prompt"},"argument":{"name":"a","value":"v"}`,
		`"ref":{"type":"ref/resource"},"argument":{"name":"a","value":"v"}`, `"ref":{"type":"ref/resource","uri":"other://x"},"argument":{"name":"a","value":"v"}`,
		`"ref":{"type":"ref/other","name":"p"},"argument":{"name":"a","value":"v"}`, `"ref":{"name":"p"},"argument":{"name":"a","value":"v"}`,
	} {
		c.call("completion/complete", bad).wantError(bad, -32602, 400)
	}

	s = newTestServer(t, &ServerOptions{Capabilities: &ServerCapabilities{Completions: &CompletionCapabilities{}}})
	s.AddPrompt(&Prompt{Name: "p"}, nil)
	a = newClient(t, s).call("completion/complete", prompt+`,"argument":{"name":"a","value":"v"}`)
	if a.wantResult("declared without a handler", `"values":[]`); !a.inline {
		t.Error("not inline")
	}
}

// Templates of level 4 serve resources, and their handlers get the values.
func TestExplodedTemplate(t *testing.T) {
	s := newTestServer(t, nil)
	s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "repo://{owner}/contents{/path*}{?ref:8,more*}"},
		func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
			return &ReadResourceResult{Contents: []*ResourceContents{{Text: fmt.Sprint(req.Extra.Variables)}}}, nil
		})
	c := newClient(t, s)
	for uri, want := range map[string]string{
		"repo://o/contents/src/main.go":       `map[owner:o path:src/main.go]`,
		"REPO://O/contents/a%20b?ref=abc&x=1": `map[more:x=1 owner:O path:a b ref:abc]`,
		"repo://o/contents":                   `map[owner:o]`,
	} {
		c.call("resources/read", fmt.Sprintf(`"uri":%q`, uri)).wantResult(uri, `"text":"`+want+`"`)
	}
	c.call("resources/read", `"uri":"repo://o/contents?ref=123456789#x"`).wantError("a fragment", -32602, 400)
	c.call("resources/templates/list", "").wantResult("list", `"uriTemplate":"repo://{owner}/contents{/path*}{?ref:8,more*}"`)
}
