package main

import (
	"errors"
	"fmt"
	"io"
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
	text func(e endpoint) string // the content of that file
}

// An endpoint is what a client needs in order to connect. Both fields are printable ASCII.
type endpoint struct {
	url   string
	token string // the bearer token, or "" if there is none
}

// members returns the members of a JSON object for the endpoint.
func (e endpoint) members() []string {
	list := []string{`"url": ` + quote(e.url)}
	if e.token != "" {
		list = append(list, "\"headers\": {\n        \"Authorization\": "+quote("Bearer "+e.token)+"\n      }")
	}
	return list
}

// clients returns the clients in the order in which the help lists them.
func clients() []client {
	return []client{
		{"claude-code", ".mcp.json", func(e endpoint) string {
			return object("mcpServers", append([]string{`"type": "http"`}, e.members()...))
		}},
		{"vscode", ".vscode/mcp.json", func(e endpoint) string {
			return object("servers", append([]string{`"type": "http"`}, e.members()...))
		}},
		{"cursor", ".cursor/mcp.json", func(e endpoint) string {
			return object("mcpServers", e.members())
		}},
		{"codex", "~/.codex/config.toml", func(e endpoint) string {
			text := "[mcp_servers.mooring]\nurl = " + quote(e.url) + "\n"
			if e.token != "" {
				text += `http_headers = { "Authorization" = ` + quote("Bearer "+e.token) + " }\n"
			}
			return text
		}},
		{"inspector", "~/.mcp-inspector/mcp.json", func(e endpoint) string {
			return object("mcpServers", append(append([]string{`"type": "http"`}, e.members()...), `"protocolEra": "modern"`))
		}},
	}
}

// object returns a JSON document with a server named mooring under key.
func object(key string, members []string) string {
	return "{\n  \"" + key + "\": {\n    \"mooring\": {\n      " + strings.Join(members, ",\n      ") + "\n    }\n  }\n}\n"
}

// quote returns s, which must be printable ASCII, as a string literal that is valid in JSON and in
// TOML.
func quote(s string) string { return strconv.Quote(s) }

func newPrintConfig() *cobra.Command {
	var target, token string
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
			e := endpoint{u, ""}
			if cmd.Flags().Changed("token") {
				if e.token, err = checkToken(token, cmd.InOrStdin()); err != nil {
					return err
				}
			}
			for _, c := range clients() {
				if c.name == args[0] {
					fmt.Fprintf(cmd.ErrOrStderr(), "# %s\n", c.file)
					_, err := fmt.Fprint(cmd.OutOrStdout(), c.text(e))
					return err
				}
			}
			return fmt.Errorf("print-config: unknown client %q, want one of %s", args[0], strings.Join(names, ", "))
		},
	}
	cmd.Flags().StringVar(&target, "url", defaultURL, "`URL` of the MCP endpoint")
	cmd.Flags().StringVar(&token, "token", "", "bearer `token` that the client sends; - reads it from standard input")
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

// checkToken returns a bearer token (RFC 6750, section 2.1), which it reads from stdin if token is
// "-". Its errors do not contain the token.
func checkToken(token string, stdin io.Reader) (string, error) {
	if token == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, maxFile))
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	if body := strings.TrimRight(token, "="); body == "" || strings.Trim(body, letters) != "" {
		return "", errors.New("token: not a bearer token: letters, digits and -._~+/, then any number of =")
	}
	return token, nil
}
