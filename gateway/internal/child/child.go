package child

import (
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A child is a link and its process.
type child struct {
	server *Server
	r      link.Receiver
	opened time.Time

	closing chan struct{} // closed by Close
	ready   chan struct{} // closed by the reader at the first message
	broken  chan struct{} // closed by the writer when stdin is
	stop    chan struct{} // closed by the supervisor when the reader should not wait any more
	outDone chan struct{} // closed by the reader; set when the process has started
	stderr  *tail         // set when the process has started

	mu       sync.Mutex
	cond     *sync.Cond // the writer waits for messages, and the supervisor for the end of deliver
	state    State
	pid      int
	began    time.Time
	over     *link.Error // why there are no further requests; nil while there are
	isClosed bool        // by Close
	requests requests
	timer    *time.Timer // for the first deadline
	queue    queue
	endInput bool // the writer closes stdin when the queue is empty

	failures   []failure // that the Receiver has to get
	lost       *link.Error
	delivering bool
}

// A failure is a call of Failed that is due.
type failure struct {
	id  int64
	err *link.Error
}

func newChild(s *Server, r link.Receiver) *child {
	c := &child{
		server:  s,
		r:       r,
		opened:  time.Now(),
		closing: make(chan struct{}),
		ready:   make(chan struct{}),
		broken:  make(chan struct{}),
		stop:    make(chan struct{}),
	}
	c.cond = sync.NewCond(&c.mu)
	c.requests.init()
	return c
}

// Send implements [link.Link].
func (c *child) Send(m *link.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Kind != link.Request {
		switch {
		case c.over != nil:
		case c.queue.bytes > 2*c.server.opts.QueueBytes:
			c.server.dropped.Add(1)
		default:
			c.queue.push(m)
			c.cond.Broadcast()
		}
		return
	}
	switch {
	case c.over != nil:
		err := *c.over
		err.Unsent = true
		c.fail(m.ID, &err)
		return
	case c.queue.bytes > 0 && c.queue.bytes+cost(m) > c.server.opts.QueueBytes:
		c.fail(m.ID, &link.Error{Reason: link.Busy, Unsent: true, Err: errQueueFull})
		return
	}
	c.requests.add(m.ID, m.Deadline, c.queue.push(m))
	if !m.Deadline.IsZero() && c.requests.first().id == m.ID {
		c.arm()
	}
	c.cond.Broadcast()
}

// Cancel implements [link.Link].
func (c *child) Cancel(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.requests.remove(id); r != nil {
		c.queue.drop(r.place)
		return
	}
	for i := range c.failures {
		if c.failures[i].id == id {
			c.failures = append(c.failures[:i], c.failures[i+1:]...)
			return
		}
	}
}

// Negotiated implements [link.Link]. Stdio has no use for the revision.
func (c *child) Negotiated(string) {}

// Close implements [link.Link]. The child ends in the background; see [Server.Shutdown].
func (c *child) Close() {
	c.finish(&link.Error{Reason: link.Closed}, true)
}

// finish ends the link: requests in flight fail with err, and if the link was not closed, the
// Receiver gets Lost. Only the first call has an effect, but Close keeps Lost away if it can.
func (c *child) finish(err *link.Error, byClose bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if byClose && !c.isClosed {
		c.isClosed = true
		c.lost = nil
		close(c.closing)
	}
	if c.over != nil {
		return
	}
	c.over = err
	c.state = Stopping
	if c.timer != nil {
		c.timer.Stop()
	}
	for _, r := range c.requests.all() {
		e := *err
		e.Unsent = c.queue.drop(r.place)
		c.fail(r.id, &e)
	}
	c.requests.init()
	if !byClose {
		c.lost = err
	}
	c.endInput = true
	c.deliver()
	c.cond.Broadcast()
}

// fail has Failed called soon. It is called with c.mu held.
func (c *child) fail(id int64, err *link.Error) {
	c.failures = append(c.failures, failure{id, err})
	c.deliver()
}

// deliver has the failures delivered in order by a goroutine of their own, because methods of the
// link must not call the Receiver. It is called with c.mu held.
func (c *child) deliver() {
	if c.delivering || len(c.failures) == 0 && c.lost == nil {
		return
	}
	c.delivering = true
	go func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for {
			switch {
			case len(c.failures) > 0:
				f := c.failures[0]
				c.failures = c.failures[1:]
				c.mu.Unlock()
				c.r.Failed(f.id, f.err)
				c.mu.Lock()
			case c.lost != nil:
				lost := c.lost
				c.lost = nil
				c.mu.Unlock()
				c.r.Lost(lost)
				c.mu.Lock()
			default:
				c.failures = nil
				c.delivering = false
				c.cond.Broadcast()
				return
			}
		}
	}()
}

// arm sets the timer to the first deadline. It is called with c.mu held.
func (c *child) arm() {
	d := time.Until(c.requests.first().deadline)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.expire)
	} else {
		c.timer.Reset(d)
	}
}

// expire fails the requests whose deadline is over.
func (c *child) expire() {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		return
	}
	for r := c.requests.first(); r != nil; r = c.requests.first() {
		if r.deadline.After(now) {
			c.arm()
			return
		}
		c.requests.remove(r.id)
		c.fail(r.id, &link.Error{Reason: link.Timeout, Unsent: c.queue.drop(r.place)})
	}
}

// claim takes a request whose response has come out of those in flight, and reports false if it is
// not there any more.
func (c *child) claim(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests.remove(id) != nil
}

// isOver reports whether the link has ended.
func (c *child) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over != nil
}

// failLine fails a request that was claimed, whose response is too long.
func (c *child) failLine(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(id, &link.Error{Reason: link.TooLong, Err: errLine})
}

func (c *child) setState(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != Stopping {
		c.state = s
	}
}

func (c *child) startTime() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began
}

func (c *child) stats() Stat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stat{State: c.state, PID: c.pid, Opened: c.opened, Started: c.began, InFlight: c.requests.len(), Queued: c.queue.bytes}
}
