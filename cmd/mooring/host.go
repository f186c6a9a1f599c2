package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
	"github.com/mooring-mcp/mooring/server/admin"
)

// A program is what a command serves. Only features is required.
type program struct {
	features *mcp.Server // at the path of the settings
	options  func(*server.Options)
	begin    func(*server.Server) error // before anything is served
	greet    func(stderr io.Writer, ls []net.Listener)
	admin    admin.Extra
	drain    func(context.Context) error // after the server has drained
	close    func()                      // in any case
}

// host serves what open returns until a signal ends it, and then returns nil. It returns an error
// if the server cannot start or a listener fails. The context of open ends with host.
func host(c *config, stderr io.Writer, open func(context.Context, *slog.Logger, [][]byte) (*program, error)) error {
	// There is room for two signals: the first drains the server, the second ends the process.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	keys, err := readKeys(c.keyFile)
	if err != nil {
		return err
	}
	adminTokens, err := readAdminTokens(c.adminTokens)
	if err != nil {
		return err
	}
	logger := newLogger(c, stderr)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := c.options(logger)
	o.SessionKeys = keys
	if o.Authenticate, err = c.authentication(logger); err != nil {
		return err
	}
	secure, err := c.certificates(logger)
	if err != nil {
		return err
	}
	p, err := open(ctx, logger, keys)
	if err != nil {
		return err
	}
	if p.close != nil {
		defer p.close()
	}
	if p.options != nil {
		p.options(o)
	}
	spareProcessor(o)
	s := server.New(p.features, o)
	if p.begin != nil {
		if err := p.begin(s); err != nil {
			return err
		}
	}

	listeners, err := listen(s, c.listen)
	if err != nil {
		return err
	}
	failed := make(chan error, len(listeners)+8)
	if c.admin != "" {
		stop, err := serveAdmin(c.admin, guard(admin.Handler(s, p.admin), adminTokens), s, failed)
		if err != nil {
			closeAll(listeners)
			return err
		}
		defer stop()
	}
	for _, l := range listeners {
		go func() {
			if c.encrypts(l.Addr()) {
				failed <- s.ServeTLS(l, secure)
			} else {
				failed <- s.Serve(l)
			}
		}()
	}
	if err := awaitReady(s, failed); err != nil {
		closeAll(listeners)
		return err
	}
	if p.greet != nil {
		p.greet(stderr, listeners)
	} else {
		greet(stderr, listeners, c)
	}
	warnIfOpen(c, listeners, logger)
	manager := serviceManager(os.Getenv("NOTIFY_SOCKET"))
	manager.report(stateReady, logger)
	if c.memoryReturn > 0 {
		returnMemory(ctx, s, c.memoryReturn)
	}

	select {
	case err = <-failed: // until Shutdown is called, only failures arrive
	case sig := <-signals:
		logger.Info("draining", "signal", sig.String(), "timeout", c.drainTimeout.String())
	}
	go func() {
		<-signals
		os.Exit(1)
	}()
	manager.report(stateStopping, logger)
	if e := p.end(s, c.drainTimeout); e != nil {
		logger.Warn("not everything finished in time", "err", e)
	}
	return err
}

// drainShare is the part of the drain that is left for what the program itself ends: one in
// drainShare.
const drainShare = 4

// end ends the server, and then the program, in limit together.
func (p *program) end(s *server.Server, limit time.Duration) error {
	if p.drain == nil {
		return s.Shutdown(context.Background())
	}
	end := time.Now().Add(limit)
	first, cancel := context.WithDeadline(context.Background(), end.Add(-limit/drainShare))
	defer cancel()
	err := s.Shutdown(first)
	last, stop := context.WithDeadline(context.Background(), end)
	defer stop()
	if e := p.drain(last); err == nil {
		err = e
	}
	return err
}
