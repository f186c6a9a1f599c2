package port

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// blocks returns the code blocks of a page of docs, of the language.
func blocks(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		list = append(list, m[1])
	}
	return list
}

// Code of the pages compiles, and does what they say, in programs that have what the pages take for
// granted. A %s stands for a block.
var pagePrograms = map[string]string{
	"net-http.md": `package page

import (
	"log"
	"net/http"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

func serve(features *mcp.Server) {
%s}
`,
	"stdio.md": `package page

import (
	"context"

	"github.com/mooring-mcp/mooring/mcp"
)

func greet(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return nil, nil, nil
}

func serve() error {
%s	return err
}
`,
	"moving.md": `package page

import "github.com/mooring-mcp/mooring/mcp"

%s`,
	"testing.md": `package page

import (
	"context"
	"net/http"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

type Args struct {
	Ship string ` + "`json:\"ship,omitempty\"`" + `
	Path string ` + "`json:\"path,omitempty\"`" + `
}

type Berth struct {
	Quay int ` + "`json:\"quay\"`" + `
}

func importFiles(_ context.Context, req *mcp.CallToolRequest, in Args) (*mcp.CallToolResult, any, error) {
	req.Progress(1, 2, "half")
	req.Log(mcp.LevelInfo, "import", in.Path)
	text := req.Extra.TokenInfo.UserID + req.Extra.Header.Get("X-Tenant")
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func ask(_ context.Context, req *mcp.CallToolRequest, _ Args) (*mcp.CallToolResult, Berth, error) {
	if _, ok := req.Params.InputResponses["quay"]; ok {
		return nil, Berth{3}, nil
	}
	question := &mcp.ElicitParams{Message: "Which quay?"}
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"quay": question}}, Berth{}, nil
}

func newServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "harbour"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "assign"}, func(context.Context, *mcp.CallToolRequest, Args) (*mcp.CallToolResult, Berth, error) {
		return nil, Berth{7}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "import"}, importFiles)
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, ask)
	return s
}

%s
func TestClient(t *testing.T) {
	s, args := newServer(), Args{Path: "/tmp"}
%s	if err != nil || res.IsError || len(ann.Progress()) != 1 || len(ann.Logs()) != 1 {
		t.Errorf("%%v, %%v; was sent %%v, %%v", res, err, ann.Progress(), ann.Logs())
	}
%s	if _, berth, err := mcptest.Call[Berth](t.Context(), s, "ask", args, user); err != nil || berth.Quay != 3 {
		t.Errorf("with Answer: %%v, %%v", berth, err)
	}
	{
%s		if err != nil || berth.Quay != 3 || asked.InputRequests["quay"] == nil {
			t.Errorf("without Answer: %%v, %%v, %%v", asked, berth, err)
		}
	}
	{
%s		if err != nil || out != nil || res.Content[0].(*mcp.TextContent).Text != "annblue" {
			t.Errorf("the handler alone: %%v, %%v", res, err)
		}
	}
	ctx := t.Context()
%s	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if list, err := session.ListTools(ctx, nil); err != nil || len(list.Tools) != 3 {
		t.Errorf("the SDK's client: %%v, %%v", list, err)
	}
}
`,
}

func TestPages(t *testing.T) {
	dir := t.TempDir()
	for page, program := range pagePrograms {
		var parts []any
		for _, block := range blocks(t, page, "go") {
			parts = append(parts, block)
		}
		folder := filepath.Join(dir, strings.TrimSuffix(page, ".md"))
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "page_test.go"), fmt.Appendf(nil, program, parts...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	own(t, dir)
	command(t, dir, "go", "test", "./...")
}

func TestMovingFromMCPGo(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "main.go")
	if err := os.WriteFile(name, []byte(`import (
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)
func h(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText("a"), mcp.NewToolResultError("b")
	s.DeleteTools("x"); s.RemoveResource("y"); s.DeleteResources("z")
	err := server.ServeStdio(s)
`), 0o644); err != nil {
		t.Fatal(err)
	}
	commands := blocks(t, "moving.md", "sh")
	command(t, dir, "bash", "-euc", commands[len(commands)-1])
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const want = `import (
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)
func h(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return textResult("a"), errorResult("b")
	s.RemoveTools("x"); s.RemoveResources("y"); s.RemoveResources("z")
	err := s.Run(context.Background(), &mcp.StdioTransport{})
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
