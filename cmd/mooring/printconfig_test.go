package main

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"
)

func TestPrintConfig(t *testing.T) {
	golden := map[string]struct{ file, text string }{
		"claude-code": {".mcp.json", `{
  "mcpServers": {
    "mooring": {
      "type": "http",
      "url": "http://127.0.0.1:8080/mcp"
    }
  }
}
`},
		"vscode": {".vscode/mcp.json", `{
  "servers": {
    "mooring": {
      "type": "http",
      "url": "http://127.0.0.1:8080/mcp"
    }
  }
}
`},
		"cursor": {".cursor/mcp.json", `{
  "mcpServers": {
    "mooring": {
      "url": "http://127.0.0.1:8080/mcp"
    }
  }
}
`},
		"codex": {"~/.codex/config.toml", `[mcp_servers.mooring]
url = "http://127.0.0.1:8080/mcp"
`},
		"inspector": {"~/.mcp-inspector/mcp.json", `{
  "mcpServers": {
    "mooring": {
      "type": "http",
      "url": "http://127.0.0.1:8080/mcp",
      "protocolEra": "modern"
    }
  }
}
`},
	}
	for name, want := range golden {
		var out, errs bytes.Buffer
		root := newRoot(&out, &errs)
		root.SetArgs([]string{"print-config", name})
		if err := root.Execute(); err != nil || out.String() != want.text || errs.String() != "# "+want.file+"\n" {
			t.Errorf("%s: %v, %q\n%s\nwant\n%s", name, err, errs.String(), out.String(), want.text)
		}
		if name != "codex" && !json.Valid(out.Bytes()) {
			t.Errorf("%s: not valid JSON", name)
		}
	}
	if len(golden) != len(clients()) {
		t.Errorf("%d clients are tested, but there are %d", len(golden), len(clients()))
	}
}

func TestPrintConfigURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://mcp.example.com/a?b=c&d": `"url": "https://mcp.example.com/a?b=c&d"`,
		"http://[::1]:8080/mcp":           `"url": "http://[::1]:8080/mcp"`,
		`http://h/a"b\ü`:                  `"url": "http://h/a%22b%5C%C3%BC"`,
		"ftp://h/":                        "",
		"h:8080/mcp":                      "",
		"http:///mcp":                     "",
		"http://ü/":                       `"url": "http://%C3%BC/"`,
		"http://h/?a\nb":                  "",
		"":                                "",
	} {
		var out, errs bytes.Buffer
		root := newRoot(&out, &errs)
		root.SetArgs([]string{"print-config", "cursor", "--url", in})
		err := root.Execute()
		if want == "" {
			if err == nil || out.Len() != 0 {
				t.Errorf("%q: %v, %s, want an error and no output", in, err, out.String())
			}
		} else if err != nil || !strings.Contains(out.String(), want) || !json.Valid(out.Bytes()) {
			t.Errorf("%q: %v\n%s\nwant %s", in, err, out.String(), want)
		}
	}
}

func TestPrintConfigToken(t *testing.T) {
	const object = `"headers": {
        "Authorization": "Bearer abc.-_~+/=="
      }`
	for name, want := range map[string]string{
		"claude-code": object, "vscode": object, "cursor": object, "inspector": object,
		"codex": `http_headers = { "Authorization" = "Bearer abc.-_~+/==" }` + "\n",
	} {
		for token, stdin := range map[string]string{"abc.-_~+/==": "", "-": "abc.-_~+/==\n"} {
			var out, errs bytes.Buffer
			root := newRoot(&out, &errs)
			root.SetIn(strings.NewReader(stdin))
			root.SetArgs([]string{"print-config", name, "--token", token})
			if err := root.Execute(); err != nil || !strings.Contains(out.String(), want) || strings.Contains(errs.String(), "abc") {
				t.Errorf("%s: %v, %q\n%s\nwant\n%s", name, err, errs.String(), out.String(), want)
			}
			if name != "codex" && !json.Valid(out.Bytes()) {
				t.Errorf("%s: not valid JSON: %s", name, out.String())
			}
		}
	}
	for _, token := range []string{"", "==", "secret two", `secret"`, "secret\n", "secretü", "sec=ret", "-"} {
		var out, errs bytes.Buffer
		root := newRoot(&out, &errs)
		root.SetIn(strings.NewReader("secret one\nsecret two\n"))
		root.SetArgs([]string{"print-config", "cursor", "--token", token})
		if err := root.Execute(); err == nil || out.Len() != 0 || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), "token: ") {
			t.Errorf("%q: %v, %s, want an error without the token", token, err, out.String())
		}
	}
}

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-11-22T00:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	b := readBuild("", info)
	if b.Version != "v1.2.3" || b.Commit != "0123456789abcdef" || b.Time != "2026-11-22T00:00:00Z" || !b.Modified {
		t.Errorf("build information of the module: %+v", b)
	}
	if !strings.HasPrefix(b.String(), "mooring v1.2.3 (commit 0123456789ab, modified) go1.") {
		t.Errorf("printed as %q", b)
	}
	if b := readBuild("v9", info); b.Version != "v9" {
		t.Errorf("the linker's version is not used: %+v", b)
	}
	if b := readBuild("", nil); b.Version != "(devel)" || b.Go == "" || b.Platform == "" {
		t.Errorf("without build information: %+v", b)
	}
}
