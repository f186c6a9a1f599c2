// Package gnetengine is gnet as an engine, on every system. It alone knows gnet.
//
// It uses no listeners of gnet's own, because with them an accept error of EMFILE ends the whole
// engine: connections are accepted here and then enrolled. It is level-triggered: data first, then
// FIN. Edges would save nothing, and hide a FIN behind unread data.
package gnetengine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// gnetEngine is gnet with the loops of a client.
type gnetEngine struct {
	gnet.BuiltinEventEngine
	adm    *engine.Admission
	client *gnet.Client
	loops  []*loop // by index

	spares     spares
	share      int32           // of the spares for one loop, while others have fewer
	enrolments []chan *spare   // by index of the loop
	adoptions  []chan struct{} // by index of the loop; each has room for share of them
	enroller   sync.WaitGroup  // ends before the engine
	stopped    chan struct{}   // closed when the loops have ended

	admitting sync.RWMutex // held for reading while a connection is given to a loop; guards ended
	ended     bool         // enrolments is closed
}

var (
	_ engine.Engine     = (*gnetEngine)(nil)
	_ gnet.EventHandler = (*gnetEngine)(nil)
)

// New returns an engine with adm.Loops loops.
func New(adm *engine.Admission) engine.Engine {
	return &gnetEngine{adm: adm, stopped: make(chan struct{})}
}

// Start implements engine.Engine. It learns the loops: gnet does not list them, but every
// connection names its own.
func (e *gnetEngine) Start() (_ []engine.Loop, err error) {
	e.client, err = gnet.NewClient(e,
		gnet.WithNumEventLoop(e.adm.Loops),
		gnet.WithLogger(logger{e.adm.Logger}),
		gnet.WithReadBufferCap(engine.ReadSize),
		gnet.WithWriteBufferCap(engine.WriteBufferSize),
	)
	if err != nil {
		return nil, err
	}
	if err = e.client.Start(); err != nil {
		return nil, err
	}
	if err = e.learn(e.adm.Loops); err != nil {
		_ = e.client.Stop()
		return nil, err
	}
	loops := make([]engine.Loop, len(e.loops))
	for i, l := range e.loops {
		loops[i] = l
	}
	return loops, nil
}

// learn enrols a socket pair for each loop: gnet picks the loop with the fewest connections next,
// so each lands on another. The loops keep them: see loop.
func (e *gnetEngine) learn(n int) error {
	seen := make(map[gnet.EventLoop]bool)
	var twice []gnet.Conn // kept to the end, so that their loops have more connections than others
	defer func() {
		for _, gc := range twice {
			_ = gc.Close()
		}
	}()
	for tries := 0; len(e.loops) < n; tries++ {
		if tries > 4*n {
			return fmt.Errorf("found %d of %d event loops", len(e.loops), n)
		}
		own, theirs, err := engine.SocketPair()
		if err != nil {
			return fmt.Errorf("socket pair: %w", err)
		}
		l := &loop{own: own}
		gc, err := e.client.EnrollContext(theirs, l)
		if err != nil {
			_ = syscall.Close(own)
			return fmt.Errorf("enrol on an event loop: %w", err)
		}
		l.el = gc.EventLoop()
		if seen[l.el] {
			twice = append(twice, gc)
			continue
		}
		seen[l.el] = true
		e.loops = append(e.loops, l)
	}
	return nil
}

func (e *gnetEngine) Stop() {
	_ = e.client.Stop()
	close(e.stopped)
}

// The context of a gnet.Conn is the spare that holds it during its enrolment, and then its
// handler; that of a loop's own socket is the loop.

func (e *gnetEngine) OnOpen(gc gnet.Conn) (out []byte, action gnet.Action) {
	if sp, ok := gc.Context().(*spare); ok {
		sp.opened = true
		gc.SetContext(sp.handler)
		sp.handler.Opened(gc)
	}
	return nil, gnet.None
}

func (e *gnetEngine) OnTraffic(gc gnet.Conn) (action gnet.Action) {
	switch c := gc.Context().(type) {
	case *loop:
		_, _ = gc.Discard(-1)
		c.woken()
	case engine.Handler:
		c.Received()
	}
	return gnet.None
}

func (e *gnetEngine) OnClose(gc gnet.Conn, err error) (action gnet.Action) {
	switch c := gc.Context().(type) {
	case *loop:
		c.close()
	case engine.Handler:
		c.Closed(err)
		e.adm.Released()
	}
	return gnet.None
}

// loop is a gnet event loop. A task that executes itself would starve the sockets, because gnet
// runs tasks until there are none. So the loop has one end of a socket pair among its connections,
// and what is to be done again waits until that is served like any other.
type loop struct {
	el   gnet.EventLoop
	own  int           // descriptor of the other end, which the loop owns; -1 when it is closed
	next []engine.Task // what is to be done when there is a byte
	todo []engine.Task // spare
}

var _ engine.Loop = (*loop)(nil)

func (l *loop) Execute(t engine.Task) {
	// It fails after the engine has stopped: then nothing is left to serve.
	_ = l.el.Execute(context.Background(), runnable(t))
}

func (l *loop) Again(t engine.Task) {
	if l.next = append(l.next, t); len(l.next) == 1 && l.own >= 0 {
		_, _ = syscall.Write(l.own, []byte{0}) // there is room: at most one byte is on its way
	}
}

func (l *loop) CloseSocket(sk engine.Socket) { _ = l.el.Close(sk.(gnet.Conn)) }

func (l *loop) CloseWrite(sk engine.Socket) error {
	return engine.ShutdownWrite(sk.(gnet.Conn).Fd())
}

// ReportsCaughtUp implements engine.Loop: gnet sends what waits without reporting it.
func (l *loop) ReportsCaughtUp() bool { return false }

func (l *loop) woken() {
	l.todo, l.next = l.next, l.todo[:0]
	for i, t := range l.todo {
		l.todo[i] = nil
		t()
	}
}

func (l *loop) close() {
	if l.own >= 0 {
		_ = syscall.Close(l.own)
		l.own = -1
	}
}

// runnable is a task as a gnet.Runnable.
type runnable engine.Task

// Run implements gnet.Runnable. An error would end the engine.
func (r runnable) Run(context.Context) error {
	r()
	return nil
}

// logger passes what gnet logs on to the host's logger: gnet's own writes to standard output,
// where it would corrupt a protocol.
type logger struct{ log *slog.Logger }

var _ logging.Logger = logger{}

func (g logger) Debugf(string, ...any)             {}
func (g logger) Infof(format string, args ...any)  { g.log.Debug(fmt.Sprintf(format, args...)) }
func (g logger) Warnf(format string, args ...any)  { g.log.Warn(fmt.Sprintf(format, args...)) }
func (g logger) Errorf(format string, args ...any) { g.log.Error(fmt.Sprintf(format, args...)) }
func (g logger) Fatalf(format string, args ...any) { g.log.Error(fmt.Sprintf(format, args...)) }
