package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/cmd/mooring/demo"
	"github.com/mooring-mcp/mooring/gateway"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
	"github.com/mooring-mcp/mooring/server/admin"
)

// watchInterval is how often --watch looks at the file.
const watchInterval = 2 * time.Second

// closeTime is how long servers have to end if the gateway cannot start.
const closeTime = 5 * time.Second

func runGateway(cmd *cobra.Command, c *gatewayConfig, src *sources) error {
	return host(&c.config, cmd.ErrOrStderr(), func(ctx context.Context, logger *slog.Logger, keys [][]byte) (*program, error) {
		r, err := newGatewayRun(c, src, logger, keys)
		if err != nil {
			return nil, err
		}
		r.stderr = cmd.ErrOrStderr()
		return r.program(ctx, keys), nil
	})
}

// A gatewayRun is a gateway that is served.
type gatewayRun struct {
	c      *gatewayConfig
	src    *sources
	gw     *gateway.Gateway
	logger *slog.Logger
	stderr io.Writer

	forwards []string // the header fields that handlers get

	mu      sync.Mutex // guards what follows
	server  *server.Server
	served  map[string]*mcp.Server // by path, of the endpoints beside that of the settings
	watcher *gateway.ConfigWatcher
	reloads map[string]int // by result

	shutdown sync.Once
}

func newGatewayRun(c *gatewayConfig, src *sources, logger *slog.Logger, keys [][]byte) (*gatewayRun, error) {
	r := &gatewayRun{c: c, src: src, logger: logger, served: map[string]*mcp.Server{}, reloads: map[string]int{}}
	r.warn(src.file)
	so := &mcp.ServerOptions{Logger: logger}
	if len(keys) > 0 {
		so.StateKey, so.OldStateKeys = keys[0], keys[1:]
	}
	var err error
	r.gw, err = gateway.New(&gateway.Options{
		Servers: src.servers, MaxChildren: c.maxChildren, Logger: logger, ServerOptions: so,
		Implementation: &mcp.Implementation{Name: "mooring", Title: "Mooring", Version: build().Version},
	})
	return r, err
}

// warn logs what the gateway ignores in a file, which may be nil.
func (r *gatewayRun) warn(f *gateway.ConfigFile) {
	if f == nil {
		return
	}
	for _, w := range f.Warnings {
		r.logger.Warn(w.String())
	}
	if len(f.Servers) == 0 {
		r.logger.Warn("the file has no server that is enabled", "file", f.Path)
	}
}

func (r *gatewayRun) program(ctx context.Context, keys [][]byte) *program {
	p := &program{features: r.gw.Server(), options: r.options, greet: r.greet, admin: admin.Extra{Metrics: r.metrics}}
	p.admin.Pages = statusPages(r.statuses)
	if r.src.single {
		p.features = r.gw.Endpoints()[0].Server
	}
	var features *mcp.Server
	if r.c.demo {
		features = demo.New(ctx, build().Version, r.logger, keys...)
	}
	p.begin = func(s *server.Server) error {
		if features != nil {
			s.Handle(demoPath, features)
		}
		r.mu.Lock()
		r.server = s
		r.endpoints()
		r.mu.Unlock()
		r.follow(ctx)
		go r.progress(ctx)
		return nil
	}
	p.drain = r.end
	p.close = func() {
		r.stopWatching()
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		_ = r.end(ctx)
		if features != nil {
			features.Close()
		}
	}
	return p
}

// options sets the options of the server that depend on the gateway.
func (r *gatewayRun) options(o *server.Options) {
	r.forwards = r.gw.HandlerHeaders()
	o.HandlerHeaders = append(o.HandlerHeaders, r.forwards...)
}

// end shuts the gateway down, once.
func (r *gatewayRun) end(ctx context.Context) (err error) {
	r.shutdown.Do(func() {
		r.stopWatching()
		err = r.gw.Shutdown(ctx)
	})
	return err
}

func (r *gatewayRun) stopWatching() {
	r.mu.Lock()
	w := r.watcher
	r.watcher = nil
	r.mu.Unlock()
	if w != nil {
		w.Stop()
	}
}

// endpoints makes the server serve the upstreams that there are now, each at its path. The caller
// holds mu.
func (r *gatewayRun) endpoints() {
	if r.src.single {
		return
	}
	wanted := map[string]*mcp.Server{}
	for _, e := range r.gw.Endpoints() {
		wanted[e.Path] = e.Server
	}
	for path, m := range r.served {
		if wanted[path] != m {
			r.server.Remove(path)
			delete(r.served, path)
		}
	}
	for path, m := range wanted {
		if r.served[path] == nil {
			r.server.Handle(path, m)
			r.served[path] = m
		}
	}
}

// follow reads the file again at SIGHUP, and with --watch when it has changed, until ctx ends.
func (r *gatewayRun) follow(ctx context.Context) {
	if r.src.file == nil {
		return
	}
	every := time.Duration(0)
	if r.c.watch {
		every = watchInterval
	}
	w := gateway.WatchConfig(r.src.file, every, r.reload)
	r.mu.Lock()
	r.watcher = w
	r.mu.Unlock()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-hangups:
				w.Look()
			case <-ctx.Done():
				return
			}
		}
	}()
}

// reload applies a file that was read again, or logs what is wrong with it.
func (r *gatewayRun) reload(f *gateway.ConfigFile, err error) {
	var servers []gateway.Server
	if err == nil {
		servers, err = r.c.serversOf(f)
	}
	var changes gateway.Changes
	if err == nil {
		changes, err = r.gw.Reload(servers)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.reloads["error"]++
		r.logger.Error("the configuration stays as it was", "err", oneLine(err))
		return
	}
	r.reloads["ok"]++
	r.warn(f)
	r.endpoints()
	r.logger.Info("configuration read", "added", changes.Added, "removed", changes.Removed, "changed", changes.Changed, "unchanged", len(changes.Same))
	for _, name := range r.gw.HandlerHeaders() {
		if !slices.Contains(r.forwards, name) {
			r.logger.Warn("a header field is forwarded only after a restart", "field", name)
		}
	}
}

// greet prints where everything is served.
func (r *gatewayRun) greet(w io.Writer, ls []net.Listener) {
	if !r.src.single {
		var b strings.Builder
		for _, e := range r.gw.Endpoints() {
			for _, l := range ls {
				fmt.Fprintf(&b, "mooring serves %s on %s\n", e.Name, r.c.urlOf(l.Addr(), e.Path))
			}
		}
		_, _ = io.WriteString(w, b.String())
	}
	if r.c.demo {
		for _, l := range ls {
			fmt.Fprintf(w, "mooring serves its demonstration on %s\n", r.c.urlOf(l.Addr(), demoPath))
		}
	}
	greet(w, ls, &r.c.config)
}
