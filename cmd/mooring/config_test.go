package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/server"
)

// load merges a command line, an environment and the content of a file as serve does. There is no
// file if file is "".
func load(t *testing.T, args []string, env map[string]string, file string) (*config, error) {
	t.Helper()
	c := new(config)
	cmd := &cobra.Command{RunE: func(cmd *cobra.Command, _ []string) error {
		path := ""
		if file != "" {
			path = filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := merge(cmd, c.names, path, func(name string) string { return env[name] }); err != nil {
			return err
		}
		return c.check()
	}}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(io.Discard)
	c.flags(cmd)
	cmd.SetArgs(args)
	return c, cmd.Execute()
}

func defaults() config {
	tracked := server.ClientLimits{MaxTracked: 1_000_000}
	return config{
		clientLimits: clientLimits{tracked, tracked},
		listen:       []string{"127.0.0.1:8080"}, path: "/mcp", heartbeat: 15 * time.Second, keepalive: time.Minute, maxConnections: 1_000_000, maxBody: 4 << 20, unsentTotal: 256 << 20,
		maxSessions: 1_000_000, lifetime: 24 * time.Hour, replayBytes: 1 << 20, replayAge: time.Minute,
		drainTimeout: 10 * time.Second, memoryReturn: time.Second, logLevel: "info", logFormat: "text",
	}
}

func TestPrecedence(t *testing.T) {
	const file = "listen: [127.0.0.1:1, 'unix:/f']\npath: /file\nheartbeat: 1s\nmax-body: 1MiB\nloops: 1\nlog-format: json # comment\n" +
		"allowed-origin:\n  - https://a.example\n  - https://b.example\n"
	env := map[string]string{
		"MOORING_PATH": "/env", "MOORING_HEARTBEAT": "2s", "MOORING_MAX_BODY": "2MiB", "MOORING_ALLOWED_HOST": "a.example,b.example",
		"MOORING_LOOPS": "", "MOORING_PORT": "tcp://10.0.0.1:80",
	}
	args := []string{"--heartbeat=3s", "--max-body", "3MiB", "--admin", "127.0.0.1:9464"}
	tests := []struct {
		why  string
		args []string
		env  map[string]string
		file string
		want func(*config)
	}{
		{"no settings", nil, nil, "", func(*config) {}},
		{"an empty file", nil, nil, "# nothing\n", func(*config) {}},
		{"a file", nil, nil, file, func(c *config) {
			c.listen, c.path, c.heartbeat, c.maxBody, c.loops, c.logFormat = []string{"127.0.0.1:1", "unix:/f"}, "/file", time.Second, 1<<20, 1, "json"
			c.allowedOrigins = []string{"https://a.example", "https://b.example"}
		}},
		{"the environment overrides the file", nil, env, file, func(c *config) {
			c.listen, c.path, c.heartbeat, c.maxBody, c.loops, c.logFormat = []string{"127.0.0.1:1", "unix:/f"}, "/env", 2*time.Second, 2<<20, 1, "json"
			c.allowedOrigins, c.allowedHosts = []string{"https://a.example", "https://b.example"}, []string{"a.example", "b.example"}
		}},
		{"flags override both", args, env, file, func(c *config) {
			c.listen, c.path, c.heartbeat, c.maxBody, c.loops, c.logFormat = []string{"127.0.0.1:1", "unix:/f"}, "/env", 3*time.Second, 3<<20, 1, "json"
			c.allowedOrigins, c.allowedHosts = []string{"https://a.example", "https://b.example"}, []string{"a.example", "b.example"}
			c.admin = "127.0.0.1:9464"
		}},
		{"settings of sessions, from all three sources", []string{"--session-lifetime=1h", "--modern-only"}, map[string]string{"MOORING_MAX_SESSIONS": "7", "MOORING_SESSION_KEY_FILE": "/k", "MOORING_SESSION_LIFETIME": "2h"},
			"replay-bytes: 64KiB\nreplay-age: 5s\nmodern-only: false\nmax-sessions: 8\n", func(c *config) {
				c.lifetime, c.modernOnly, c.maxSessions, c.keyFile, c.replayBytes, c.replayAge = time.Hour, true, 7, "/k", 64<<10, 5*time.Second
			}},
		{"limits of clients, from all three sources", []string{"--address-call-rate=0.5"}, map[string]string{"MOORING_PRINCIPAL_STREAMS": "3"},
			"auth-tokens-file: /t\nprincipal-list-rate: 2.5\naddress-call-burst: 7\n", func(c *config) {
				c.tokensFile, c.perPrincipal.Streams, c.perPrincipal.ListRate = "/t", 3, 2.5
				c.perAddress.CallRate, c.perAddress.CallBurst = 0.5, 7
			}},
		{"HTTP+SSE, from the file", nil, nil, "sse-path: /sse\n", func(c *config) { c.ssePath = "/sse" }},
		{"a flag that repeats the default counts", []string{"--heartbeat=15s"}, env, "", func(c *config) {
			c.path, c.maxBody, c.allowedHosts = "/env", 2<<20, []string{"a.example", "b.example"}
		}},
		{"a mode", []string{"--socket-mode=0660"}, nil, "", func(c *config) { c.socketMode = 0o660 }},
		{"a byte order mark", nil, nil, "\ufeffpath: /bom\n", func(c *config) { c.path = "/bom" }},
		{"white space in lists", []string{"--listen= 127.0.0.1:1 , unix:/x "}, map[string]string{"MOORING_ALLOWED_HOST": "a.example, localhost", "MOORING_ALLOWED_ORIGIN": "https://a.example ,\thttps://b.example"}, "admin: ' 127.0.0.1:2 '\n",
			func(c *config) {
				c.listen, c.admin = []string{"127.0.0.1:1", "unix:/x"}, "127.0.0.1:2"
				c.allowedHosts, c.allowedOrigins = []string{"a.example", "localhost"}, []string{"https://a.example", "https://b.example"}
			}},
		{"lists replace, they do not append", []string{"--listen", "127.0.0.1:2", "--listen", "unix:/x"}, map[string]string{"MOORING_LISTEN": "127.0.0.1:3"}, file,
			func(c *config) {
				c.listen, c.path, c.heartbeat, c.maxBody, c.loops, c.logFormat = []string{"127.0.0.1:2", "unix:/x"}, "/file", time.Second, 1<<20, 1, "json"
				c.allowedOrigins = []string{"https://a.example", "https://b.example"}
			}},
	}
	for _, tt := range tests {
		got, err := load(t, tt.args, tt.env, tt.file)
		if err != nil {
			t.Errorf("%s: %v", tt.why, err)
			continue
		}
		want := defaults()
		tt.want(&want)
		want.names = got.names
		if diff := cmp.Diff(&want, got, cmp.AllowUnexported(config{}, access{}, clientLimits{}), equateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.why, diff)
		}
	}
}

// equateEmpty makes a nil list equal to an empty one.
func equateEmpty() cmp.Option {
	return cmp.Transformer("list", func(s []string) string { return strings.Join(s, "\n") })
}

func TestRefusedSettings(t *testing.T) {
	tests := []struct {
		why  string
		args []string
		env  map[string]string
		file string
		want string
	}{
		{"unknown in the file", nil, nil, "path: /x\nheartbeet: 1s\n", `c.yaml:2: unknown setting "heartbeet"`},
		{"case matters", nil, nil, "Path: /x\n", `unknown setting "Path"`},
		{"twice", nil, nil, "path: /x\npath: /y\n", `already defined`},
		{"a wrong type", nil, nil, "loops: [1]\npath:\n  a: b\n", `c.yaml:2: path: not a value`},
		{"null", nil, nil, "path:\n", `c.yaml:1: path: not a value`},
		{"a list in a list", nil, nil, "listen: [[a]]\n", `not a value or a list`},
		{"a bad value", nil, nil, "\nheartbeat: soon\n", `c.yaml:2: heartbeat: time: invalid duration "soon"`},
		{"a bad number", nil, nil, "loops: many\n", `c.yaml:1: loops:`},
		{"not a mapping", nil, nil, "- a\n", `not a mapping`},
		{"two documents", nil, nil, "path: /x\n---\npath: /y\n", `more than one document`},
		{"an anchor", nil, nil, "path: &a /x\n", `not a value`},
		{"a merge key", nil, nil, "<<: {path: /x}\n", `unknown setting`},
		{"not YAML", nil, nil, "listen: [a\n", `c.yaml: [1:`},
		{"a bad variable", nil, map[string]string{"MOORING_MAX_CONNECTIONS": "x"}, "", `MOORING_MAX_CONNECTIONS:`},
		{"a bad flag", []string{"--max-body=4MB"}, nil, "", `not a size`},
		{"a relative path", []string{"--path=mcp"}, nil, "", `path: "mcp"`},
		{"a query", []string{"--path=/mcp?x"}, nil, "", `path:`},
		{"a reserved path", []string{"--path=/healthz"}, nil, "", `taken`},
		{"no address", []string{"--listen="}, nil, "", `listen: no address`},
		{"an empty address", nil, nil, "listen: ['']\n", `listen: no address`},
		{"a path that needs encoding", []string{"--path=/hafen/anlegen-ü"}, nil, "", `path: "/hafen/anlegen-ü" has a character`},
		{"no path", []string{"--path="}, nil, "", `path: empty`},
		{"an origin with a path", nil, map[string]string{"MOORING_ALLOWED_ORIGIN": "https://a.example/x"}, "", `allowed-origin: "https://a.example/x" has more than`},
		{"an origin with a slash", []string{"--allowed-origin=https://a.example/"}, nil, "", `allowed-origin: "https://a.example/" has more than`},
		{"a host with a port", nil, nil, "allowed-host: [a.example, 'b.example:8080']\n", `allowed-host: "b.example:8080" has a port`},
		{"an empty host", nil, map[string]string{"MOORING_ALLOWED_HOST": "a.example,"}, "", `allowed-host: "" is empty`},
		{"a negative heartbeat", []string{"--heartbeat=-1s"}, nil, "", `negative`},
		{"a negative number of connections", []string{"--max-connections=-1"}, nil, "", `negative`},
		{"a zero maximum for the body", []string{"--max-body=0"}, nil, "", `too small`},
		{"no time to drain", []string{"--drain-timeout=0"}, nil, "", `not positive`},
		{"a relative SSE path", []string{"--sse-path=sse"}, nil, "", `sse-path: "sse"`},
		{"an SSE path with a query", nil, map[string]string{"MOORING_SSE_PATH": "/sse?x"}, "", `sse-path: "/sse?x"`},
		{"the SSE path is the path", []string{"--sse-path=/mcp"}, nil, "", `sse-path: /mcp is taken`},
		{"the path is where SSE messages go", []string{"--sse-path=/a", "--path=/a/message"}, nil, "", `sse-path: /a is taken`},
		{"SSE without sessions", nil, nil, "sse-path: /sse\nmodern-only: true\n", `sse-path: cannot be combined`},
		{"a boolean that is neither true nor false", nil, map[string]string{"MOORING_MODERN_ONLY": "perhaps"}, "", `MOORING_MODERN_ONLY:`},
		{"a negative number of sessions", []string{"--max-sessions=-1"}, nil, "", `max-sessions: -1`},
		{"limits of principals without any", []string{"--principal-calls=3"}, nil, "", `limits of a principal: need auth-issuer`},
		{"limits on standard input", []string{"--stdio", "--address-calls=3"}, nil, "", `stdio: cannot be combined with limits of an address`},
		{"a negative limit", []string{"--address-streams=-1"}, nil, "", `address-streams: -1`},
		{"a rate that is not a number", nil, nil, "address-call-rate: NaN\n", `address-call-rate: NaN`},
		{"a burst without a rate", nil, nil, "address-list-burst: 3\n", `address-list-burst: needs address-list-rate`},
		{"nobody may be remembered", []string{"--address-tracked=0"}, nil, "", `address-tracked: 0`},
		{"no lifetime", []string{"--session-lifetime=0"}, nil, "", `session-lifetime: 0s`},
		{"no replay age", []string{"--replay-age=0"}, nil, "", `replay-age: 0s`},
		{"a negative replay size", nil, nil, "replay-bytes: -1\n", `c.yaml:1: replay-bytes: not a size`},
		{"a negative number of loops", []string{"--loops=-1"}, nil, "", `negative`},
		{"an unknown engine", []string{"--engine=kqueue"}, nil, "", `engine: "kqueue"`},
		{"a mode that is not octal", nil, map[string]string{"MOORING_SOCKET_MODE": "rw"}, "", `MOORING_SOCKET_MODE: not octal permissions`},
		{"a mode that nobody can use", []string{"--socket-mode=0"}, nil, "", `not octal permissions`},
		{"a mode with too many bits", nil, nil, "socket-mode: '01777'\n", `c.yaml:1: socket-mode: not octal permissions`},
		{"tokens without an admin address", []string{"--admin-token-file=/t"}, nil, "", `admin-token-file: needs admin`},
		{"an unknown level", []string{"--log-level=INFO"}, nil, "", `log-level: "INFO"`},
		{"an unknown format", []string{"--log-format=xml"}, nil, "", `log-format: "xml"`},
	}
	for _, tt := range tests {
		if _, err := load(t, tt.args, tt.env, tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.why, err, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	c := defaults()
	c.allowedHosts, c.loops = []string{"a.example"}, 2
	want := server.Options{
		Path: "/mcp", AllowedHosts: []string{"a.example"}, Heartbeat: 15 * time.Second, KeepAlive: time.Minute, MaxConnections: 1_000_000, MaxBody: 4 << 20, UnsentTotal: 256 << 20,
		SessionLifetime: 24 * time.Hour, MaxSessions: 1_000_000, ReplayBytes: 1 << 20, ReplayAge: time.Minute,
		DrainTimeout: 10 * time.Second, Loops: 2, Logger: logger,
	}
	if diff := cmp.Diff(want, *c.options(logger), cmp.Comparer(func(a, b *slog.Logger) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	c.heartbeat, c.maxConnections, c.maxSessions, c.replayBytes, c.unsentTotal = 0, 0, 0, 0, 0
	if o := c.options(logger); o.Heartbeat >= 0 || o.MaxConnections >= 0 || o.MaxSessions >= 0 || o.ReplayBytes != 1 || o.UnsentTotal >= 0 {
		t.Errorf("zero does not mean none: heartbeat %v, connections %d, sessions %d, replay %d, unsent %d", o.Heartbeat, o.MaxConnections, o.MaxSessions, o.ReplayBytes, o.UnsentTotal)
	}
	c = defaults()
	c.ssePath, c.modernOnly = "/sse", true
	if o := c.options(logger); o.SSEPath != "/sse" || !o.ModernOnly {
		t.Errorf("SSE path %q, modern only %v", o.SSEPath, o.ModernOnly)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "65536": 65536, "1KiB": 1 << 10, "4MiB": 4 << 20, "3 GiB": 3 << 30, "8589934591GiB": 8589934591 << 30} {
		var s size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("Set(%q) = %d, %v, want %d", text, s, err, want)
		}
		var again size
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%q is written as %q, which is read as %d", text, s.String(), again)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "-1KiB", "1.5MiB", "4MB", "1KiBMiB", "8589934592GiB", "99999999999999999999", "0x10"} {
		s := size(7)
		if err := s.Set(text); err == nil || s != 7 {
			t.Errorf("Set(%q) = %v, size is now %d", text, err, s)
		}
	}
}

func TestEverySettingHasItsFlagAndTheReverse(t *testing.T) {
	serve := newServe()
	var c config
	c.flags(new(cobra.Command))
	for _, name := range c.names {
		if serve.Flags().Lookup(name) == nil {
			t.Errorf("no flag --%s", name)
		}
	}
	help := serve.Flags().FlagUsages()
	if n := strings.Count(help, "      --"); n != len(c.names)+1 { // --config
		t.Errorf("%d flags in the help, %d settings", n, len(c.names))
	}
}
