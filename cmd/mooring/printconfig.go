package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

const defaultURL = "http://127.0.0.1:8080/mcp"

// A client is a program that print-config knows.
type client struct {
	name string
	file string                  // where its configuration stands
	text func(url string) string // what stands there
}

// clients returns the clients in the order of the help.
func clients() []client {
	return []client{
		{"claude-code", ".mcp.json", func(u string) string {
			return object("mcpServers", `"type": "http"`, `"url": `+quote(u))
		}},
		{"vscode", ".vscode/mcp.json", func(u string) string {
			return object("servers", `"type": "http"`, `"url": `+quote(u))
		}},
		{"cursor", ".cursor/mcp.json", func(u string) string {
			return object("mcpServers", `"url": `+quote(u))
		}},
		{"codex", "~/.codex/config.toml", func(u string) string {
			return "[mcp_servers.mooring]\nurl = " + quote(u) + "\n"
		}},
		{"inspector", "~/.mcp-inspector/mcp.json", func(u string) string {
			return object("mcpServers", `"type": "http"`, `"url": `+quote(u), `"protocolEra": "modern"`)
		}},
	}
}

// object returns the JSON file that names the server mooring under key.
func object(key string, members ...string) string {
	return "{\n  \"" + key + "\": {\n    \"mooring\": {\n      " + strings.Join(members, ",\n      ") + "\n    }\n  }\n}\n"
}

// quote returns u, a checked URL and so printable ASCII, as a string of JSON and TOML.
func quote(u string) string { return strconv.Quote(u) }

func newPrintConfig() *cobra.Command {
	var target string
	var names []string
	for _, c := range clients() {
		names = append(names, c.name)
	}
	cmd := &cobra.Command{
		Use:       "print-config " + strings.Join(names, "|"),
		Short:     "Print what a client needs to find the server",
		Long:      "Print what a client needs to find the server. It goes to the standard output, and the name of its file to the standard error.",
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("print-config needs one of %s", strings.Join(names, ", "))
			}
			u, err := checkURL(target)
			if err != nil {
				return err
			}
			for _, c := range clients() {
				if c.name == args[0] {
					fmt.Fprintf(cmd.ErrOrStderr(), "# %s\n", c.file)
					_, err := fmt.Fprint(cmd.OutOrStdout(), c.text(u))
					return err
				}
			}
			return fmt.Errorf("print-config knows no client %q, only %s", args[0], strings.Join(names, ", "))
		},
	}
	cmd.Flags().StringVar(&target, "url", defaultURL, "`URL` of the MCP endpoint")
	return cmd
}

// checkURL returns the URL that s spells, in ASCII.
func checkURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", fmt.Errorf("url: %q is no http or https URL", s)
	}
	text := u.String()
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return "", fmt.Errorf("url: %q is not in ASCII", s)
		}
	}
	return text, nil
}
