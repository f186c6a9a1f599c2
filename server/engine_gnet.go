//go:build !linux || !epoll

package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
)

// engine is the gnet engine below the server: this file and accept.go alone know gnet. It has no listeners of gnet's own, whose accept error of EMFILE ends the whole engine; accept.go
// enrols what it accepts.
//
// It is level-triggered: data first, then FIN. Edges would save nothing, and hide a FIN behind unread data.
type engine struct {
	gnet.BuiltinEventEngine
	srv    *Server
	client *gnet.Client
	events []gnet.EventLoop // by loop index

	spares     spares
	enrolments chan enrolment
	enroller   sync.WaitGroup // ends before the engine
}

// startEngine starts the loops and learns them: gnet does not list them, but every connection names its own.
func (s *Server) startEngine() (err error) {
	s.engine.srv = s
	s.engine.client, err = gnet.NewClient(&s.engine,
		gnet.WithNumEventLoop(s.opts.Loops),
		gnet.WithLogger(gnetLogger{s.opts.Logger}),
		gnet.WithReadBufferCap(64<<10),
		gnet.WithWriteBufferCap(64<<10),
	)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if err = s.engine.client.Start(); err != nil {
		return fmt.Errorf("server: start the event loops: %w", err)
	}
	if err = s.engine.learn(s.opts.Loops); err != nil {
		_ = s.engine.client.Stop()
		return err
	}
	loops := make([]*loop, len(s.engine.events))
	for i, el := range s.engine.events {
		loops[i] = newLoop(s, i, gnetLoop{el})
	}
	s.loops = loops
	return nil
}

// learn enrols one socket pair a loop: the loop with the fewest connections is next, so each lands on another.
func (e *engine) learn(n int) error {
	var held []net.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	seen := make(map[gnet.EventLoop]bool)
	for tries := 0; len(e.events) < n; tries++ {
		if tries > 4*n {
			return fmt.Errorf("server: found %d of %d event loops", len(e.events), n)
		}
		ours, theirs, err := socketPair()
		if err != nil {
			return fmt.Errorf("server: socket pair: %w", err)
		}
		held = append(held, ours)
		gc, err := e.client.EnrollContext(theirs, probeContext{})
		if err != nil {
			return fmt.Errorf("server: enrol on an event loop: %w", err)
		}
		if el := gc.EventLoop(); !seen[el] {
			seen[el] = true
			e.events = append(e.events, el)
		}
	}
	return nil
}

// probeContext marks the connections of learn.
type probeContext struct{}

// stop closes what is left and ends the loops.
func (e *engine) stop() { _ = e.client.Stop() }

// enrol gives nc to l. It owns nc from here on. The result says whether the enrolment failed; then OnOpen was never called.
func (s *Server) enrol(l *loop, c *conn, nc net.Conn) (<-chan gnet.RegisteredResult, error) {
	return s.engine.events[l.idx].Enroll(gnet.NewContext(context.Background(), c), nc)
}

// OnOpen implements gnet.EventHandler.
func (e *engine) OnOpen(gc gnet.Conn) (out []byte, action gnet.Action) {
	c, ok := gc.Context().(*conn)
	if !ok {
		return nil, gnet.None
	}
	defer e.recoverConn(c)
	c.open(gc, c.loop.now)
	return nil, gnet.None
}

// OnTraffic implements gnet.EventHandler.
func (e *engine) OnTraffic(gc gnet.Conn) (action gnet.Action) {
	c, ok := gc.Context().(*conn)
	if !ok {
		_, _ = gc.Discard(-1)
		return gnet.None
	}
	defer e.recoverConn(c)
	c.recv(c.loop.now)
	return gnet.None
}

// OnClose implements gnet.EventHandler.
func (e *engine) OnClose(gc gnet.Conn, err error) (action gnet.Action) {
	c, ok := gc.Context().(*conn)
	if !ok {
		return gnet.None
	}
	defer e.recoverConn(c)
	c.closed(err)
	return gnet.None
}

// gnetLoop is a gnet event loop as a reactor.
type gnetLoop struct{ el gnet.EventLoop }

func (g gnetLoop) execute(t task) {
	_ = g.el.Execute(context.Background(), runnable(t)) // fails after the engine has stopped: then nothing is left to serve
}

func (g gnetLoop) closeSocket(sk socket) {
	_ = g.el.Close(sk.(gnet.Conn))
}

func (g gnetLoop) closeWrite(sk socket) error { return shutdownWrite(sk.(gnet.Conn).Fd()) }

// runnable is a task as a gnet.Runnable.
type runnable task

// Run implements gnet.Runnable. An error would end the engine.
func (r runnable) Run(context.Context) error {
	r()
	return nil
}

// gnetLogger passes what gnet logs on to the server's logger: gnet's own writes to standard output, where it would corrupt a protocol.
type gnetLogger struct{ log *slog.Logger }

var _ logging.Logger = gnetLogger{}

func (g gnetLogger) Debugf(string, ...any)             {}
func (g gnetLogger) Infof(format string, args ...any)  { g.log.Debug(fmt.Sprintf(format, args...)) }
func (g gnetLogger) Warnf(format string, args ...any)  { g.log.Warn(fmt.Sprintf(format, args...)) }
func (g gnetLogger) Errorf(format string, args ...any) { g.log.Error(fmt.Sprintf(format, args...)) }
func (g gnetLogger) Fatalf(format string, args ...any) { g.log.Error(fmt.Sprintf(format, args...)) }
