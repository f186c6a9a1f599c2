package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
)

// patience is how long a single request of a scenario may take.
const patience = 30 * time.Second

// control is a client that makes single requests, such as one that triggers a change. It has a
// session of its own if the era has sessions. Only one goroutine at a time may use it.
type control struct {
	target  *dialect.Target
	client  *load.Client
	loop    *load.Loop
	ex      exchange.Client
	session []byte
	id      int64
	results chan reply
}

type reply struct {
	answer exchange.Answer
	err    error
}

// control returns a new control. It is closed when the scenario ends.
func (e *env) control(ctx context.Context) (*control, error) {
	c, err := newControl(ctx, e.target)
	if err == nil {
		e.closers = append(e.closers, c.close)
	}
	return c, err
}

func newControl(ctx context.Context, target *dialect.Target) (*control, error) {
	client, err := load.New(load.Options{Addr: target.Addr, Loops: 1})
	if err != nil {
		return nil, err
	}
	c := &control{target: target, client: client, loop: client.Loops()[0], results: make(chan reply, 8)}
	c.ex.Up = func() { c.results <- reply{} }
	c.ex.Answer = func(a *exchange.Answer) {
		copied := *a
		copied.Session, copied.Body, copied.Head = bytes.Clone(a.Session), bytes.Clone(a.Body), nil
		if a.Last {
			c.ex.Close()
		}
		c.results <- reply{answer: copied}
	}
	c.ex.Lost = func(how load.End) { c.results <- reply{err: fmt.Errorf("bench: the connection was %v", how)} }
	if target.Era == dialect.Legacy {
		if err := c.initialize(ctx); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *control) close() { c.client.Close() }

func (c *control) initialize(ctx context.Context) error {
	a, err := c.do(ctx, func(dst []byte, id int64) []byte { return c.target.AppendInitialize(dst, id) })
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	c.session = a.Session
	if _, err := c.send(ctx, c.target.AppendInitialized(nil, c.session), exchange.None); err != nil {
		return fmt.Errorf("initialized: %w", err)
	}
	return nil
}

// call calls a tool and returns its answer. An answer that is an error is returned as an error.
func (c *control) call(ctx context.Context, tool, args string) (exchange.Answer, error) {
	a, err := c.do(ctx, func(dst []byte, id int64) []byte { return c.target.AppendCall(dst, id, c.session, tool, []byte(args)) })
	if err != nil {
		return a, fmt.Errorf("calling %s: %w", tool, err)
	}
	return a, nil
}

func (c *control) do(ctx context.Context, request func(dst []byte, id int64) []byte) (exchange.Answer, error) {
	c.id++
	return c.send(ctx, request(nil, c.id), c.id)
}

// send sends a request on the current connection, or on a new one if the server has closed it.
func (c *control) send(ctx context.Context, req []byte, id int64) (exchange.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for try := 0; ; try++ {
		a, err := c.sendOnce(ctx, req, id)
		if err == nil || ctx.Err() != nil || try == 1 {
			return a, err
		}
	}
}

func (c *control) sendOnce(ctx context.Context, req []byte, id int64) (exchange.Answer, error) {
	var dialled bool
	var err error
	cerr := c.loop.Call(func() {
		for len(c.results) > 0 {
			<-c.results // left over from a connection that ended between requests
		}
		if c.ex.Conn() == nil {
			dialled = true
			err = c.ex.Dial(c.loop, nil)
		}
	})
	if err = errors.Join(cerr, err); err != nil {
		return exchange.Answer{}, err
	}
	if dialled {
		if _, err := c.result(ctx); err != nil {
			return exchange.Answer{}, err
		}
	}
	if err := c.loop.Do(func() {
		if c.ex.Conn() != nil {
			c.ex.Send(req, id)
		}
	}); err != nil {
		return exchange.Answer{}, err
	}
	a, err := c.result(ctx)
	if err == nil && !a.OK {
		err = fmt.Errorf("got status %d %.300s", a.Status, a.Body)
	}
	return a, err
}

func (c *control) result(ctx context.Context) (exchange.Answer, error) {
	select {
	case r := <-c.results:
		return r.answer, r.err
	case <-ctx.Done():
		_ = c.loop.Call(c.ex.Close)
		return exchange.Answer{}, fmt.Errorf("no response: %w", ctx.Err())
	}
}

// change makes the change of the tool list that the parameters name. It returns when it began to
// send the request.
func (e *env) change(ctx context.Context, c *control) (at int64, err error) {
	if e.ChangeURL == "" {
		at = load.Now()
		_, err = c.call(ctx, e.ChangeTool, e.ChangeArgs)
		return at, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.ChangeURL, strings.NewReader(e.ChangeBody))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	at = load.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return at, fmt.Errorf("bench: making a change: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode/100 != 2 {
		return at, fmt.Errorf("bench: making a change: %s returned %s", e.ChangeURL, resp.Status)
	}
	return at, nil
}

// canChange returns why no change can be made, or "".
func (e *env) canChange() string {
	if e.ChangeURL != "" {
		return ""
	}
	return e.hasTool(e.ChangeTool, "change-tool")
}

// hasTool returns why a tool cannot be called, or "".
func (e *env) hasTool(name, flag string) string {
	if e.target.Era == dialect.Plain {
		return "the server does not speak MCP"
	}
	for _, t := range e.target.Tools {
		if t == name {
			return ""
		}
	}
	return fmt.Sprintf("the server has no tool %q (--%s names another)", name, flag)
}

// event returns what the event of a change contains.
func (e *env) event() string {
	if e.Event != "" || e.target.Era == dialect.Plain {
		return e.Event
	}
	return dialect.ToolsListChanged
}
