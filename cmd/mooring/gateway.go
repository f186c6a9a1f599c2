package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/gateway"
	"github.com/mooring-mcp/mooring/server"
)

// A gatewayConfig holds the settings of gateway: those of the server, and which servers are behind
// it.
type gatewayConfig struct {
	config

	file        string
	only        []string
	watch       bool
	named       []string
	line        string
	headers     []string
	port        int
	maxChildren int
	demo        bool

	settings string // the YAML file
}

// flags adds the flags of gateway to cmd. They set the fields of c.
func (c *gatewayConfig) flags(cmd *cobra.Command) {
	c.hostFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&c.file, "config", "", "`file` of an MCP client that says which servers there are: mcpServers, as .mcp.json has them, or servers of VS Code")
	f.StringSliceVar(&c.only, "only", nil, "`name` of a server of the file; may be repeated (default all)")
	f.BoolVar(&c.watch, "watch", false, "look every 2 s whether the file has changed; SIGHUP makes the gateway look in any case")
	f.StringArrayVar(&c.named, "named-server", nil, "`NAME COMMAND`, or NAME=COMMAND: a server beside those of the file, whose command is one argument; may be repeated")
	f.StringVar(&c.line, "stdio", "", "`command` of the only server, as one argument; the same as what follows --")
	f.StringArrayVar(&c.headers, "header", nil, "`Name: value` of a header field for the URL, with ${VAR} for an environment variable; may be repeated")
	f.IntVar(&c.port, "port", 0, "`port` on 127.0.0.1 to listen on, in place of --listen")
	f.IntVar(&c.maxChildren, "max-children", 64, "maximum `number` of processes of all servers together")
	f.BoolVar(&c.demo, "demo", false, "serve the built-in features of serve too, at /servers/demo/mcp")
	f.StringVar(&c.settings, "settings", "", "`file` with settings, in YAML")
	c.names = append(c.names, "config", "only", "watch", "named-server", "stdio", "header", "port", "max-children", "demo")
}

// load takes the settings that are not on the command line from elsewhere, and checks them.
func (c *gatewayConfig) load(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("settings") {
		c.settings = os.Getenv(envPrefix + "SETTINGS")
	}
	if err := merge(cmd, c.names, c.settings, os.Getenv); err != nil {
		return err
	}
	if c.port != 0 {
		switch {
		case cmd.Flags().Changed("listen"):
			return errors.New("port: cannot be combined with listen")
		case c.port < 0 || c.port > 65535:
			return fmt.Errorf("port: %d is not a port", c.port)
		}
		c.listen = []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port))}
	}
	if c.maxChildren <= 0 {
		return fmt.Errorf("max-children: %d is not positive", c.maxChildren)
	}
	return c.config.check()
}

// sources are the servers that a command line names.
type sources struct {
	file    *gateway.ConfigFile // nil if there is none
	servers []gateway.Server
	single  bool // there is one, which is served without a prefix
}

// sources reads which servers there are. Command is what follows --, nil if there is no --, and
// urls is what comes before.
func (c *gatewayConfig) sources(urls, command []string) (*sources, error) {
	given := 0
	for _, is := range []bool{command != nil, len(urls) > 0, c.line != "", c.file != "" || len(c.named) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return nil, errors.New("no server: name one after --, a URL, or a file with --config; see mooring gateway --help")
	case given > 1:
		return nil, errors.New("a command after --, a URL, --stdio, and --config with --named-server exclude each other")
	case len(urls) > 1:
		return nil, fmt.Errorf("%q is one URL too many; a command comes after --", urls[1])
	case len(c.headers) > 0 && len(urls) == 0:
		return nil, errors.New("header: needs a URL; in a file, a server has headers of its own")
	case len(c.only) > 0 && c.file == "":
		return nil, errors.New("only: needs config")
	case c.watch && c.file == "":
		return nil, errors.New("watch: needs config")
	}
	if c.file != "" || len(c.named) > 0 {
		return c.several()
	}
	var s gateway.Server
	var err error
	switch {
	case command != nil:
		s, err = gateway.ServerFromCommand("", command)
	case c.line != "":
		s, err = gateway.ServerFromLine("", c.line)
	case !strings.Contains(urls[0], "://"):
		return nil, fmt.Errorf("%q is neither a URL nor a command, which comes after --: mooring gateway -- %s", urls[0], urls[0])
	default:
		s, err = gateway.ServerFromURL("", urls[0], c.headers)
	}
	if err != nil {
		return nil, err
	}
	return &sources{servers: []gateway.Server{s}, single: true}, c.checkPaths(nil)
}

// several reads the servers of the file, and those beside them.
func (c *gatewayConfig) several() (*sources, error) {
	src := new(sources)
	if c.file != "" {
		f, err := gateway.ReadConfig(c.file)
		if err != nil {
			return nil, err
		}
		src.file = f
	}
	var err error
	src.servers, err = c.serversOf(src.file)
	return src, err
}

// serversOf returns the servers of a file, which may be nil, and those beside them.
func (c *gatewayConfig) serversOf(f *gateway.ConfigFile) (list []gateway.Server, err error) {
	switch {
	case f == nil:
	case len(c.only) > 0:
		if list, err = f.Only(c.only); err != nil {
			return nil, err
		}
	default:
		list = slices.Clone(f.Servers)
	}
	for _, value := range c.named {
		s, err := gateway.ServerFromNamed(value)
		if err != nil {
			return nil, fmt.Errorf("named-server: %w", err)
		}
		list = append(list, s)
	}
	if err := gateway.CheckServers(list); err != nil {
		return nil, err
	}
	return list, c.checkPaths(list)
}

// demoPath is where --demo serves the built-in features.
const demoPath = "/servers/demo/mcp"

// checkPaths returns an error if a server cannot be served at its path, or if it needs scopes and
// nobody has any.
func (c *gatewayConfig) checkPaths(list []gateway.Server) error {
	taken := map[string]string{c.path: "the server as a whole", "/healthz": "health checks", "/readyz": "health checks"}
	if c.ssePath != "" {
		taken[c.ssePath], taken[c.ssePath+"/message"] = "HTTP+SSE", "HTTP+SSE"
	}
	if c.demo {
		if _, twice := taken[demoPath]; twice {
			return fmt.Errorf("demo: the path %s is taken", demoPath)
		}
		taken[demoPath] = "--demo"
	}
	for i := range list {
		s := &list[i]
		if by, is := taken[s.Path]; is {
			return fmt.Errorf("server %s: the path %s is taken by %s", s.Name, s.Path, by)
		}
		if err := (&server.Options{Path: s.Path}).Validate(); err != nil {
			return fmt.Errorf("server %s: %w", s.Name, err)
		}
		if len(s.Scopes)+len(s.ToolScopes) > 0 && !c.authenticates() {
			return fmt.Errorf("server %s: scopes need authentication: see auth-issuer, auth-introspection and auth-tokens-file", s.Name)
		}
	}
	return nil
}

func newGateway() *cobra.Command {
	cmd := gatewayCommand(runGateway, &cobra.Command{
		Use:   "gateway [URL | -- COMMAND [ARGUMENT...]]",
		Short: "Serve MCP servers of any kind to many clients",
		Long: "Serve MCP servers of any kind to many clients until SIGTERM or SIGINT: a command, which speaks over its standard\ninput and output; a URL; or all servers of a configuration file of an MCP client.\n\n" +
			"A single server is served at /mcp as it is. Those of a file are served at /servers/NAME/mcp, and all together at\n/mcp, where the names of tools and prompts begin with the server's and __. SIGHUP reads the file again: servers\nthat have not changed are not touched.\n\n" +
			"Each setting is taken from the first of these that has it: its flag (--max-body), the environment\n(MOORING_MAX_BODY), the YAML file of --settings (max-body: 4MiB), its default.",
		Example: "  mooring gateway -- npx -y @modelcontextprotocol/server-everything\n  mooring gateway http://127.0.0.1:8081/mcp --header 'Authorization: Bearer ${TOKEN}'\n" +
			"  mooring gateway --config .mcp.json --watch --admin 127.0.0.1:9464\n  mooring gateway check --config .mcp.json",
	})
	cmd.AddCommand(
		gatewayCommand(runGatewayCheck, &cobra.Command{
			Use:   "check [URL | -- COMMAND [ARGUMENT...]]",
			Short: "Connect to the servers and say what they are",
			Long:  "Connect to the servers and print a table of what they are. The exit code is 1 if one of them is not up.",
		}),
		gatewayCommand(printGateway, &cobra.Command{
			Use:   "print-config [URL | -- COMMAND [ARGUMENT...]]",
			Short: "Print the servers as a configuration file, without secrets",
		}),
	)
	return cmd
}

// gatewayCommand gives cmd the flags of gateway, and has it run f.
func gatewayCommand(f func(*cobra.Command, *gatewayConfig, *sources) error, cmd *cobra.Command) *cobra.Command {
	c := new(gatewayConfig)
	c.flags(cmd)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd); err != nil {
			return err
		}
		var command []string
		if n := cmd.ArgsLenAtDash(); n >= 0 {
			args, command = args[:n], append([]string{}, args[n:]...)
		}
		src, err := c.sources(args, command)
		if err != nil {
			return err
		}
		return f(cmd, c, src)
	}
	return cmd
}

func printGateway(cmd *cobra.Command, _ *gatewayConfig, src *sources) error {
	_, err := cmd.OutOrStdout().Write(gateway.PrintServers(src.servers))
	return err
}
