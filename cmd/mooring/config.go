package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/server"
)

// envPrefix begins the environment variables of settings.
const envPrefix = "MOORING_"

// A config holds the settings of serve. The method flags defines their names, defaults and
// meanings.
type config struct {
	access
	clientLimits

	stdio          bool
	listen         []string
	socketMode     mode
	path           string
	ssePath        string
	modernOnly     bool
	admin          string
	adminTokens    string
	allowedOrigins []string
	allowedHosts   []string
	heartbeat      time.Duration
	keepalive      time.Duration
	maxConnections int
	maxSessions    int
	maxBody        size
	unsentTotal    size
	keyFile        string
	lifetime       time.Duration
	replayBytes    size
	replayAge      time.Duration
	drainTimeout   time.Duration
	memoryReturn   time.Duration
	loops          int
	engine         string
	logLevel       string
	logFormat      string

	names []string // the names of the settings, which are the names of their flags
}

// flags adds the flags of serve to cmd. They set the fields of c.
func (c *config) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&c.stdio, "stdio", false, "serve one client on standard input and output; settings of HTTP do not apply")
	c.hostFlags(cmd)
	c.names = append(c.names, "stdio")
}

// hostFlags adds the flags that all commands have which serve over HTTP.
func (c *config) hostFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	c.maxBody, c.replayBytes, c.unsentTotal = 4<<20, 1<<20, 256<<20
	f.StringSliceVar(&c.listen, "listen", []string{"127.0.0.1:8080"}, "`address` to listen on: host:port or unix:/path; may be repeated")
	f.Var(&c.socketMode, "socket-mode", "octal `permissions` of a unix socket file, for example 0660 (default set by the umask)")
	f.StringVar(&c.path, "path", "/mcp", "`path` of the MCP endpoint")
	f.StringVar(&c.ssePath, "sse-path", "", "`path` of the HTTP+SSE transport of revision 2024-11-05, for example /sse (default off)")
	f.BoolVar(&c.modernOnly, "modern-only", false, "serve only revision 2026-07-28, without sessions")
	f.StringVar(&c.admin, "admin", "", "`address` for metrics, health and profiles, for example 127.0.0.1:9464 (default off)")
	f.StringVar(&c.adminTokens, "admin-token-file", "", "`file` of tokens, one per line, one of which requests for metrics and profiles must bring (default no token is needed)")
	f.StringSliceVar(&c.allowedOrigins, "allowed-origin", nil, "`origin` that browsers may call from, or * for any; may be repeated (default on a loopback address or unix socket: loopback origins; elsewhere: none)")
	f.StringSliceVar(&c.allowedHosts, "allowed-host", nil, "`host` that requests may name, or * for any; may be repeated (default on a loopback address: loopback names; elsewhere: any)")
	f.DurationVar(&c.heartbeat, "heartbeat", 15*time.Second, "`time` between comments on an idle stream; 0 disables them")
	f.DurationVar(&c.keepalive, "keepalive", time.Minute, "`time` without traffic before the kernel checks that a peer is still there; 0 disables the check")
	f.IntVar(&c.maxConnections, "max-connections", 1_000_000, "maximum `number` of open connections; 0 means no limit")
	f.StringVar(&c.keyFile, "session-key-file", "", "`file` of session ID keys, one per line in hex or base64: the first seals new IDs, all open existing ones (default a random key)")
	f.DurationVar(&c.lifetime, "session-lifetime", 24*time.Hour, "`time` after which a session expires, even if it is in use")
	f.IntVar(&c.maxSessions, "max-sessions", 1_000_000, "maximum `number` of sessions that hold state; 0 means no limit")
	f.Var(&c.replayBytes, "replay-bytes", "maximum `size` of the events kept from a call's stream for a client that reconnects; 0 disables replay")
	f.DurationVar(&c.replayAge, "replay-age", time.Minute, "`time` after a call's answer to keep the events of its stream")
	f.Var(&c.maxBody, "max-body", "maximum `size` of a request's content, in bytes or with a unit as in 4MiB")
	f.Var(&c.unsentTotal, "unsent-total", "maximum `size` of all data that waits for slow readers; beyond it, the clients with the most unsent data are disconnected; 0 means no limit")
	f.DurationVar(&c.drainTimeout, "drain-timeout", 10*time.Second, "`time` that calls and streams get to finish after SIGTERM")
	f.DurationVar(&c.memoryReturn, "memory-return", time.Second, "quiet `time` after a burst before its memory is returned to the operating system; 0 means never")
	f.IntVar(&c.loops, "loops", 0, "`number` of event loops; 0 means one per processor")
	f.StringVar(&c.engine, "engine", "", "`name` of the event loop to use: gnet, or epoll, which is Linux-only and needs less memory and processor time (default gnet)")
	f.StringVar(&c.logLevel, "log-level", "info", "minimum `level` to log: debug, info, warn or error")
	f.StringVar(&c.logFormat, "log-format", "text", "`format` of the log: text or json")
	c.names = append(append(c.access.flags(cmd), c.clientLimits.flags(cmd)...), []string{
		"listen", "socket-mode", "path", "sse-path", "modern-only", "admin", "admin-token-file", "allowed-origin", "allowed-host", "heartbeat", "keepalive",
		"max-connections", "session-key-file", "session-lifetime", "max-sessions", "replay-bytes", "replay-age",
		"max-body", "unsent-total", "drain-timeout", "memory-return", "loops", "engine", "log-level", "log-format",
	}...)
}

// check returns an error for the first invalid setting. The types of the values have already been
// checked. It strips white space around an address or a list entry.
func (c *config) check() error {
	c.admin = strings.TrimSpace(c.admin)
	for _, list := range [][]string{c.listen, c.allowedOrigins, c.allowedHosts} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
	}
	switch {
	case len(c.listen) == 0 || slices.Contains(c.listen, ""):
		return errors.New("listen: no address")
	case c.path == "":
		return errors.New("path: empty")
	case c.path == "/healthz" || c.path == "/readyz":
		return fmt.Errorf("path: %s is taken", c.path)
	case c.adminTokens != "" && c.admin == "":
		return errors.New("admin-token-file: needs admin")
	case c.memoryReturn < 0:
		return fmt.Errorf("memory-return: %v is negative", c.memoryReturn)
	case c.heartbeat < 0:
		return fmt.Errorf("heartbeat: %v is negative", c.heartbeat)
	case c.keepalive < 0:
		return fmt.Errorf("keepalive: %v is negative", c.keepalive)
	case c.maxConnections < 0:
		return fmt.Errorf("max-connections: %d is negative", c.maxConnections)
	case c.maxBody <= 0:
		return fmt.Errorf("max-body: %d is too small", int64(c.maxBody))
	case c.maxSessions < 0:
		return fmt.Errorf("max-sessions: %d is negative", c.maxSessions)
	case c.lifetime < time.Second:
		return fmt.Errorf("session-lifetime: %v is less than a second", c.lifetime)
	case c.replayAge <= 0:
		return fmt.Errorf("replay-age: %v is not positive", c.replayAge)
	case c.drainTimeout <= 0:
		return fmt.Errorf("drain-timeout: %v is not positive", c.drainTimeout)
	case c.loops < 0:
		return fmt.Errorf("loops: %d is negative", c.loops)
	case !slices.Contains([]server.Engine{"", server.EngineGnet, server.EngineEpoll}, server.Engine(c.engine)):
		return fmt.Errorf("engine: %q is neither gnet nor epoll", c.engine)
	case server.Engine(c.engine) == server.EngineEpoll && runtime.GOOS != "linux":
		return errors.New("engine: epoll is available only on Linux")
	}
	if err := c.checkStdio(); err != nil {
		return err
	}
	if err := c.checkSSE(); err != nil {
		return err
	}
	if err := c.access.check(); err != nil {
		return err
	}
	if err := c.clientLimits.check(c.authenticates()); err != nil {
		return err
	}
	if err := c.checkOptions(); err != nil {
		return err
	}
	if _, err := c.level(); err != nil {
		return err
	}
	if c.logFormat != "text" && c.logFormat != "json" {
		return fmt.Errorf("log-format: %q is neither text nor json", c.logFormat)
	}
	return nil
}

// checkStdio refuses settings that somebody could rely on although they do not apply to standard
// input and output.
func (c *config) checkStdio() error {
	switch {
	case !c.stdio:
		return nil
	case c.admin != "":
		return errors.New("stdio: cannot be combined with admin")
	case c.modernOnly:
		return errors.New("stdio: cannot be combined with modern-only")
	case c.ssePath != "":
		return errors.New("stdio: cannot be combined with sse-path")
	case c.access.used() != "":
		return fmt.Errorf("stdio: cannot be combined with %s", c.access.used())
	case c.limitsAddresses():
		return errors.New("stdio: cannot be combined with limits of an address")
	case c.maxBody > math.MaxInt32:
		return fmt.Errorf("max-body: %d is too large for stdio", int64(c.maxBody))
	}
	return nil
}

// checkSSE checks the path of HTTP+SSE, which occupies two paths: its own and that with /message.
func (c *config) checkSSE() error {
	switch p := c.ssePath; {
	case p == "":
		return nil
	case p == "/healthz" || p == "/readyz" || p == c.path || p+"/message" == c.path:
		return fmt.Errorf("sse-path: %s is taken", p)
	case c.modernOnly:
		return errors.New("sse-path: cannot be combined with modern-only")
	}
	return nil
}

// checkOptions runs the checks that the server makes itself and names the setting in their errors.
func (c *config) checkOptions() error {
	var e *server.OptionError
	err := c.options(nil).Validate()
	if errors.As(err, &e) {
		names := map[string]string{"Path": "path", "SSEPath": "sse-path", "AllowedOrigins": "allowed-origin", "AllowedHosts": "allowed-host", "PublicURL": "public-url"}
		return fmt.Errorf("%s: %q %s", names[e.Option], e.Value, e.Reason)
	}
	return err
}

func (c *config) level() (slog.Level, error) {
	switch c.logLevel {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log-level: %q is not one of debug, info, warn and error", c.logLevel)
}

// options converts the settings to the options of the server.
func (c *config) options(logger *slog.Logger) *server.Options {
	o := &server.Options{
		SocketMode: fs.FileMode(c.socketMode), Path: c.path, SSEPath: c.ssePath, ModernOnly: c.modernOnly, AllowedOrigins: c.allowedOrigins, AllowedHosts: c.allowedHosts, Heartbeat: c.heartbeat, KeepAlive: c.keepalive,
		MaxConnections: c.maxConnections, MaxBody: int64(c.maxBody), UnsentTotal: int(min(c.unsentTotal, math.MaxInt)), DrainTimeout: c.drainTimeout, Loops: c.loops, Engine: server.Engine(c.engine), Logger: logger,
		SessionLifetime: c.lifetime, MaxSessions: c.maxSessions, ReplayBytes: int(c.replayBytes), ReplayAge: c.replayAge,
		PublicURL: c.publicURL, Scopes: c.scopeRules(), TrustedProxies: c.proxies(),
	}
	c.clientLimits.apply(o)
	if c.proxyProtocol {
		o.ProxyProtocol = o.TrustedProxies
	}
	// For the server, zero means the default, and a negative value means none.
	if o.Heartbeat == 0 {
		o.Heartbeat = -1
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = -1
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = -1
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = -1
	}
	if o.UnsentTotal == 0 {
		o.UnsentTotal = -1
	}
	if o.ReplayBytes == 0 {
		o.ReplayBytes = 1 // every event is longer, so none is kept
	}
	return o
}

// A mode is the permissions of a file, written in octal. Zero means the default.
type mode fs.FileMode

// Set implements pflag.Value.
func (m *mode) Set(text string) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return errors.New("not octal permissions such as 0660")
	}
	*m = mode(n)
	return nil
}

// String implements pflag.Value.
func (m *mode) String() string {
	if *m == 0 {
		return ""
	}
	return fmt.Sprintf("%#o", uint32(*m))
}

// Type implements pflag.Value.
func (m *mode) Type() string { return "permissions" }

// A size is a number of bytes, written with or without the unit KiB, MiB or GiB.
type size int64

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	digits, shift := text, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if d, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = d, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n > math.MaxInt64>>shift || n < 0 {
		return errors.New("not a size such as 65536 or 4MiB")
	}
	*s = size(n << shift)
	return nil
}

// String implements pflag.Value.
func (s *size) String() string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if shift := 10 * (3 - i); *s > 0 && *s%(1<<shift) == 0 {
			return strconv.FormatInt(int64(*s)>>shift, 10) + unit
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type implements pflag.Value.
func (s *size) Type() string { return "size" }
