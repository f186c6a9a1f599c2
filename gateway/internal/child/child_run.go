//go:build unix

package child

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// errGivenUp says that the link was closed before its child was started.
var errGivenUp = errors.New("child: closed")

// run is the supervisor of c, from Open until nothing is left of its process.
func (c *child) run() {
	defer c.server.remove(c)
	defer c.awaitDelivery()
	var held slots
	defer held.release()
	if err := c.awaitStart(&held); err != nil {
		c.finish(err, false)
		return
	}
	p, err := c.start()
	if err != nil {
		retry := c.server.crashed(time.Now(), err)
		c.finish(&link.Error{Reason: link.Lost, RetryAfter: retry, Err: err}, false)
		return
	}
	done := c.attend(p)
	cause, asked := c.watch(p, &held)
	if asked {
		c.leave(p)
	} else {
		c.crash(p, cause, &done)
	}
	_ = p.stdin.SetWriteDeadline(time.Unix(1, 0)) // ends a write; the writer closes stdin
	c.end(p)
	if asked && isClosed(p.exited) {
		c.server.exited(time.Now(), p.exitError())
	}
	c.stopReading()
	closeFiles(p.stdout, p.stderr)
	<-done.stdout
	<-done.stderr
	<-done.stdin
}

// slots are what a child takes of what there is a limited number of.
type slots struct{ held [3]chan struct{} }

const (
	slotTurn = iota
	slotPlace
	slotStart
)

// take takes slot i from ch, and reports false if it has to give up.
func (s *slots) take(i int, ch chan struct{}, giveUp <-chan struct{}, timeout <-chan time.Time) bool {
	select {
	case ch <- struct{}{}:
		s.held[i] = ch
		return true
	default:
	}
	select {
	case ch <- struct{}{}:
		s.held[i] = ch
		return true
	case <-giveUp:
	case <-timeout:
	}
	return false
}

func (s *slots) giveBack(i int) {
	if s.held[i] != nil {
		<-s.held[i]
		s.held[i] = nil
	}
}

func (s *slots) release() {
	for i := range s.held {
		s.giveBack(i)
	}
}

// awaitStart waits until the child may be started, or returns why it may not.
func (c *child) awaitStart(held *slots) *link.Error {
	s, n := c.server, c.server.nursery
	if d, down := s.startIn(time.Now()); down { // without a turn, which may take its time
		return downError(d)
	}
	if !held.take(slotTurn, s.turn, c.closing, nil) {
		return &link.Error{Reason: link.Closed, Err: errGivenUp}
	}
	d, down := s.startIn(time.Now())
	if down {
		return downError(d)
	}
	if d > 0 {
		c.setState(Backoff)
		wait := time.NewTimer(d)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-c.closing:
			return &link.Error{Reason: link.Closed, Err: errGivenUp}
		}
		c.setState(Starting)
	}
	if n.opts.Full != nil && len(n.places) == cap(n.places) {
		n.opts.Full()
	}
	timeout := time.NewTimer(n.opts.PlaceTimeout)
	defer timeout.Stop()
	if !held.take(slotPlace, n.places, c.closing, timeout.C) {
		return &link.Error{Reason: link.Busy, Unsent: true, RetryAfter: n.opts.PlaceTimeout, Err: errNoPlace}
	}
	if !held.take(slotStart, n.starting, c.closing, nil) {
		return &link.Error{Reason: link.Closed, Err: errGivenUp}
	}
	return nil
}

func downError(d time.Duration) *link.Error {
	return &link.Error{Reason: link.Down, Unsent: true, RetryAfter: d, Err: errBackoff}
}

// start starts the process.
func (c *child) start() (*process, error) {
	t := new(tail)
	c.server.started(t)
	p, err := startProcess(&c.server.nursery.spawner, &c.server.opts)
	if err != nil {
		return nil, fmt.Errorf("child: start: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid, c.began, c.stderr = p.pid, time.Now(), t
	return p, nil
}

// done tells when the goroutines of the pipes have ended.
type done struct{ stdin, stdout, stderr chan struct{} }

// attend starts the goroutines of the pipes.
func (c *child) attend(p *process) done {
	d := done{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	c.outDone = d.stdout
	go func() { defer close(d.stdin); c.write(p.stdin) }()
	go func() { defer close(d.stdout); c.read(p.stdout) }()
	go func() { defer close(d.stderr); c.readStderr(p.stderr) }()
	return d
}

// watch waits until the child should end or has ended. Cause is nil if it has ended or was asked.
func (c *child) watch(p *process, held *slots) (cause error, asked bool) {
	timeout := time.NewTimer(c.server.opts.StartTimeout)
	defer timeout.Stop()
	slow := time.NewTimer(c.server.nursery.opts.SlowStart)
	defer slow.Stop()
	reap := time.NewTicker(c.server.opts.reapEvery)
	defer reap.Stop()
	ready := c.ready
	for {
		select {
		case <-ready:
			ready = nil
			timeout.Stop()
			held.giveBack(slotStart)
			held.giveBack(slotTurn)
		case <-slow.C:
			held.giveBack(slotStart)
		case <-timeout.C:
			if ready != nil {
				return errStartTimeout, false
			}
		case <-reap.C:
			p.reapGroup()
		case <-c.closing:
			return nil, true
		case <-p.exited:
			return nil, false
		case <-c.outDone:
			return errStdout, false
		case <-c.broken:
			return errStdin, false
		}
	}
}

// crash ends the link of a child that has ended or is of no use any more. Its last words are read
// before.
func (c *child) crash(p *process, cause error, d *done) {
	if !errors.Is(cause, errStartTimeout) { // which has nothing to say
		ctx, cancel := context.WithTimeout(context.Background(), lastWords)
		defer cancel()
		for _, ended := range []<-chan struct{}{p.exited, d.stdout, d.stderr} {
			select {
			case <-ended:
			case <-ctx.Done():
			}
		}
	}
	c.stopReading()
	closeFiles(p.stdout)
	<-d.stdout
	if isClosed(p.exited) {
		cause = p.exitError()
	}
	retry := c.server.crashed(time.Now(), cause)
	c.finish(&link.Error{
		Reason:     link.Lost,
		RetryAfter: retry,
		Detail:     strings.TrimSpace(c.stderr.last(maxDetail)),
		Err:        cause,
	}, false)
}

// leave gives a child that was closed the time to leave at the end of its input.
func (c *child) leave(p *process) {
	grace := c.server.opts.EOFGrace
	_ = p.stdin.SetWriteDeadline(time.Now().Add(grace / 4)) // for what is still to be written
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-p.exited:
	case <-patience.C:
	case <-c.server.kill:
	}
}

// end ends the process, if it has not ended, and the rest of its group.
func (c *child) end(p *process) {
	if p.gone() {
		return
	}
	p.signal(unix.SIGTERM)
	p.signal(unix.SIGCONT) // one that is stopped does not see SIGTERM
	if p.awaitGone(c.server.opts.TermGrace, c.server.kill) {
		return
	}
	c.server.killed.Add(1)
	p.signal(unix.SIGKILL)
	if !p.awaitGone(killGrace, nil) {
		c.server.left.Add(1)
		c.server.opts.Logger.Error("gateway: a process does not end after SIGKILL", "server", c.server.opts.Name, "group", p.pid)
	}
}

// awaitDelivery waits until the Receiver has got everything.
func (c *child) awaitDelivery() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.delivering {
		c.cond.Wait()
	}
}

func (c *child) stopReading() {
	if !isClosed(c.stop) {
		close(c.stop)
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
