package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

const defaultURL = "http://127.0.0.1:8080/mcp"

// A client is a program whose configuration print-config can print.
type client struct {
	name string
	file string                  // the file that holds its configuration
	text func(url string) string // the content of that file
}

// clients returns the clients in the order in which the help lists them.
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

// object returns a JSON document with a server named mooring under key.
func object(key string, members ...string) string {
	return "{\n  \"" + key + "\": {\n    \"mooring\": {\n      " + strings.Join(members, ",\n      ") + "\n    }\n  }\n}\n"
}

// quote returns u as a string literal that is valid in JSON and in TOML. u must have been
// returned by checkURL, so it is printable ASCII.
func quote(u string) string { return strconv.Quote(u) }

func newPrintConfig() *cobra.Command {
	var target string
	var names []string
	for _, c := range clients() {
		names = append(names, c.name)
	}
	cmd := &cobra.Command{
		Use:       "print-config " + strings.Join(names, "|"),
		Short:     "Print a client's configuration for this server",
		Long:      "Print a client's configuration for this server to standard output, and the name of the file it belongs in to standard error.",
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("print-config needs one argument: %s", strings.Join(names, ", "))
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
			return fmt.Errorf("print-config: unknown client %q, want one of %s", args[0], strings.Join(names, ", "))
		},
	}
	cmd.Flags().StringVar(&target, "url", defaultURL, "`URL` of the MCP endpoint")
	return cmd
}

// checkURL returns s as an http or https URL in ASCII.
func checkURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", fmt.Errorf("url: %q is not an http or https URL", s)
	}
	text := u.String()
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return "", fmt.Errorf("url: %q is not ASCII", s)
		}
	}
	return text, nil
}
