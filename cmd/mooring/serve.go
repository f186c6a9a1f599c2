package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/cmd/mooring/demo"
	"github.com/mooring-mcp/mooring/server"
)

func newServe() *cobra.Command {
	var c config
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the built-in features over Streamable HTTP, or over stdio",
		Long: "Serve the built-in features over Streamable HTTP until SIGTERM or SIGINT. The first signal drains the server, a second one ends it at once.\n\n" +
			"With --stdio, serve one client on standard input and output, until the input ends or a signal comes. The log goes to standard error.\n\n" +
			"Each setting is taken from the first of these that has it: its flag (--max-body), the environment\n(MOORING_MAX_BODY), the YAML file of --config (max-body: 4MiB), its default.",
		Example: "  mooring serve --listen 127.0.0.1:8080 --listen unix:/run/mooring.sock --admin 127.0.0.1:9464\n  mooring serve --stdio",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("config") {
				file = os.Getenv(envPrefix + "CONFIG")
			}
			if err := merge(cmd, c.names, file, os.Getenv); err != nil {
				return err
			}
			if err := c.check(); err != nil {
				return err
			}
			if c.stdio {
				return serveStdio(&c, cmd.ErrOrStderr())
			}
			return serve(&c, cmd.ErrOrStderr())
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&file, "config", "", "`file` with settings, in YAML")
	return cmd
}

// serve runs the server until a signal ends it, and then returns nil. It returns an error if the
// server cannot start or a listener fails.
func serve(c *config, stderr io.Writer) error {
	return host(c, stderr, func(ctx context.Context, logger *slog.Logger, keys [][]byte) (*program, error) {
		features := demo.New(ctx, build().Version, logger, keys...)
		return &program{features: features, close: features.Close}, nil
	})
}

// listen listens on all addresses. If one of them fails, it closes the others.
func listen(s *server.Server, addrs []string) ([]net.Listener, error) {
	var ls []net.Listener
	for _, addr := range addrs {
		all, err := s.ListenAll(addr)
		if err != nil {
			closeAll(ls)
			return nil, err
		}
		ls = append(ls, all...)
	}
	return ls, nil
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close()
	}
}

// serveAdmin serves h on addr until stop is called.
func serveAdmin(addr string, h http.Handler, s *server.Server, failed chan<- error) (stop func(), err error) {
	ls, err := s.ListenAll(addr)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	hs := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	for _, l := range ls {
		go func() {
			if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("admin: %w", err)
			}
		}()
	}
	return func() { _ = hs.Close() }, nil
}

func newLogger(c *config, w io.Writer) *slog.Logger {
	level, _ := c.level() // check has ruled out an error
	o := &slog.HandlerOptions{Level: level}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// awaitReady waits until s is ready, which takes a moment, or returns the error that came first.
func awaitReady(s *server.Server, failed <-chan error) error {
	for !s.Ready() {
		select {
		case err := <-failed:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// greet prints the addresses of the server and the configuration of a client.
func greet(w io.Writer, ls []net.Listener, c *config) {
	var first string
	var b strings.Builder
	for _, l := range ls {
		where := c.urlOf(l.Addr(), c.path)
		if first == "" && strings.HasPrefix(where, "http") {
			first = where
		}
		fmt.Fprintf(&b, "mooring serves MCP on %s\n", where)
		if c.ssePath != "" {
			fmt.Fprintf(&b, "mooring serves MCP over HTTP+SSE on %s\n", c.urlOf(l.Addr(), c.ssePath))
		}
	}
	if first != "" {
		fmt.Fprintf(&b, "\nFor Claude Code, in .mcp.json (others: mooring print-config --help):\n\n%s\n", clients()[0].text(endpoint{url: first}))
	}
	_, _ = io.WriteString(w, b.String())
}

// encrypts reports whether a listener serves TLS. A unix socket does not.
func (c *config) encrypts(a net.Addr) bool {
	_, tcp := a.(*net.TCPAddr)
	return tcp && len(c.tlsCerts) > 0
}

// urlOf returns addressOf, with the scheme that is served there.
func (c *config) urlOf(a net.Addr, path string) string {
	where := addressOf(a, path)
	if rest, ok := strings.CutPrefix(where, "http:"); ok && c.encrypts(a) {
		return "https:" + rest
	}
	return where
}

// warnIfOpen logs a warning if others than this machine can reach a listener and nothing asks them
// who they are.
func warnIfOpen(c *config, ls []net.Listener, logger *slog.Logger) {
	addrs := make([]net.Addr, len(ls))
	for i, l := range ls {
		addrs[i] = l.Addr()
	}
	if addr := c.open(addrs); addr != "" {
		logger.Warn("ANYONE WHO REACHES THIS ADDRESS MAY USE THE SERVER, AND THE NETWORK CAN READ ALONG: it has neither authentication nor TLS; see --auth-issuer, --auth-tokens-file and --tls-cert", "address", addr)
	}
}

// addressOf returns the URL of the endpoint at path. For a unix socket it returns the path of the
// socket and that of the endpoint. An unspecified address, such as 0.0.0.0, is shown as localhost.
func addressOf(a net.Addr, path string) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return "unix:" + a.String() + " at " + path
	}
	host := "localhost"
	if !tcp.IP.IsUnspecified() {
		host = tcp.IP.String()
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port)) + path
}
