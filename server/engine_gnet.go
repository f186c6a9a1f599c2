package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
	"golang.org/x/sys/unix"
)

// gnetEngine is gnet below the server: this file and accept_gnet.go alone know it. It has no listeners of gnet's own, whose accept error of EMFILE ends the whole engine; accept_gnet.go
// enrols what it accepts.
//
// It is level-triggered: data first, then FIN. Edges would save nothing, and hide a FIN behind unread data.
type gnetEngine struct {
	gnet.BuiltinEventEngine
	srv    *Server
	client *gnet.Client
	loops  []*gnetLoop // by loop index

	spares     spares
	share      int32            // of the spares, that one loop may have in use while others have fewer
	enrolments []chan enrolment // by loop index
	enroller   sync.WaitGroup   // ends before the engine

	admitting sync.RWMutex // held for reading by who gives a connection to a loop; guards ended
	ended     bool         // enrolments is closed
}

// start implements engine. It learns the loops: gnet does not list them, but every connection names its own.
func (e *gnetEngine) start() (_ []reactor, err error) {
	s := e.srv
	e.client, err = gnet.NewClient(e,
		gnet.WithNumEventLoop(s.opts.Loops),
		gnet.WithLogger(gnetLogger{s.opts.Logger}),
		gnet.WithReadBufferCap(readSize),
		gnet.WithWriteBufferCap(writeBufferSize),
	)
	if err != nil {
		return nil, err
	}
	if err = e.client.Start(); err != nil {
		return nil, err
	}
	if err = e.learn(s.opts.Loops); err != nil {
		_ = e.client.Stop()
		return nil, err
	}
	loops := make([]reactor, len(e.loops))
	for i, g := range e.loops {
		loops[i] = g
	}
	return loops, nil
}

// learn enrols one socket pair a loop: the loop with the fewest connections is next, so each lands on another. The loops keep them: see gnetLoop.
func (e *gnetEngine) learn(n int) error {
	seen := make(map[gnet.EventLoop]bool)
	var twice []gnet.Conn // kept to the end, for their loops to have more connections than others
	defer func() {
		for _, gc := range twice {
			_ = gc.Close()
		}
	}()
	for tries := 0; len(e.loops) < n; tries++ {
		if tries > 4*n {
			return fmt.Errorf("found %d of %d event loops", len(e.loops), n)
		}
		own, theirs, err := socketPair()
		if err != nil {
			return fmt.Errorf("socket pair: %w", err)
		}
		g := &gnetLoop{own: own}
		gc, err := e.client.EnrollContext(theirs, g)
		if err != nil {
			_ = unix.Close(own)
			return fmt.Errorf("enrol on an event loop: %w", err)
		}
		g.el = gc.EventLoop()
		if seen[g.el] {
			twice = append(twice, gc)
			continue
		}
		seen[g.el] = true
		e.loops = append(e.loops, g)
	}
	return nil
}

// stop implements engine.
func (e *gnetEngine) stop() { _ = e.client.Stop() }

// enrol gives nc to l. It owns nc from here on. The result says whether the enrolment failed; then OnOpen was never called.
func (e *gnetEngine) enrol(l *loop, c *conn, nc net.Conn) (<-chan gnet.RegisteredResult, error) {
	return e.loops[l.idx].el.Enroll(gnet.NewContext(context.Background(), c), nc)
}

// OnOpen implements gnet.EventHandler.
func (e *gnetEngine) OnOpen(gc gnet.Conn) (out []byte, action gnet.Action) {
	c, ok := gc.Context().(*conn)
	if !ok {
		return nil, gnet.None
	}
	defer e.srv.recoverConn(c)
	c.open(gc, c.loop.present())
	return nil, gnet.None
}

// OnTraffic implements gnet.EventHandler.
func (e *gnetEngine) OnTraffic(gc gnet.Conn) (action gnet.Action) {
	switch c := gc.Context().(type) {
	case *conn:
		e.received(c)
		if c.loop.gave {
			c.loop.lend()
		}
	case *gnetLoop:
		_, _ = gc.Discard(-1)
		c.woken()
	}
	return gnet.None
}

// received serves what c has read.
func (e *gnetEngine) received(c *conn) {
	defer e.srv.recoverConn(c)
	c.recv(c.loop.present())
}

// OnClose implements gnet.EventHandler.
func (e *gnetEngine) OnClose(gc gnet.Conn, err error) (action gnet.Action) {
	switch c := gc.Context().(type) {
	case *conn:
		defer e.srv.recoverConn(c)
		if c.closed(err) {
			e.srv.released()
		}
	case *gnetLoop:
		c.close()
	}
	return gnet.None
}

// gnetLoop is a gnet event loop as a reactor. A task that executes itself would starve the sockets, for gnet runs tasks until there are none. So the loop has one end of a socket pair among its
// connections, and what is to be done again waits until that is served like any other.
type gnetLoop struct {
	el   gnet.EventLoop
	own  int    // descriptor of the other end, the loop's; -1 when it is closed
	next []task // what is to be done when there is a byte
	todo []task // spare
}

// again implements reactor.
func (g *gnetLoop) again(t task) {
	if g.next = append(g.next, t); len(g.next) == 1 && g.own >= 0 {
		_, _ = unix.Write(g.own, []byte{0}) // there is room: at most one byte is on its way
	}
}

// tells implements reactor: gnet sends what waits without a word.
func (g *gnetLoop) tells() bool { return false }

func (g *gnetLoop) woken() {
	g.todo, g.next = g.next, g.todo[:0]
	for i, t := range g.todo {
		g.todo[i] = nil
		t()
	}
}

func (g *gnetLoop) close() {
	if g.own >= 0 {
		_ = unix.Close(g.own)
		g.own = -1
	}
}

func (g *gnetLoop) execute(t task) {
	_ = g.el.Execute(context.Background(), runnable(t)) // fails after the engine has stopped: then nothing is left to serve
}

func (g *gnetLoop) closeSocket(sk socket) {
	_ = g.el.Close(sk.(gnet.Conn))
}

func (g *gnetLoop) closeWrite(sk socket) error { return shutdownWrite(sk.(gnet.Conn).Fd()) }

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
