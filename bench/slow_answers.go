package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	json "github.com/goccy/go-json"

	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/load"
)

// leastLarge is the smallest size of a large answer: a smaller one would fit into the socket's
// buffers.
const leastLarge = 128 << 10

// withText returns the arguments with text in place of their first string member, by name.
func withText(args, text string) (string, bool) {
	var m map[string]any
	if json.Unmarshal([]byte(args), &m) != nil {
		return "", false
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if _, ok := m[name].(string); ok {
			m[name] = text
			b, err := json.Marshal(m)
			return string(b), err == nil
		}
	}
	return "", false
}

// largeArgs returns arguments that the tool answers with as many bytes, and that number:
// --large-bytes, or as much of it as the server accepts. why says why there are none.
func (e *env) largeArgs(ctx context.Context, c *control) (args string, size int, why string) {
	for size = e.LargeBytes; size >= min(leastLarge, e.LargeBytes); size /= 2 {
		args, ok := withText(e.Args, strings.Repeat("x", size))
		if !ok {
			return "", 0, "the arguments of --tool contain no text"
		}
		a, err := c.call(ctx, e.Tool, args)
		switch {
		case err != nil:
			why = err.Error()
		case len(a.Body) < size:
			return "", 0, fmt.Sprintf("the answer has %d bytes, not %d: --tool does not echo its text", len(a.Body), size)
		default:
			return args, size, ""
		}
	}
	return "", 0, why
}

// slowAnswers measures clients that do not read a large answer.
func (e *env) slowAnswers(ctx context.Context) error {
	c, err := e.control(ctx)
	if err != nil {
		return err
	}
	args, size, why := e.largeArgs(ctx, c)
	if why != "" {
		e.note("no large answer is requested: %.300s", why)
		return nil
	}
	p, err := e.probe(ctx, 5*time.Millisecond)
	if err != nil {
		return err
	}
	sources := load.Sources(e.target.Addr.Addr(), stalledSource, fleet.SourcesEach)
	client, err := load.New(load.Options{Addr: e.target.Addr, Loops: 1, Sources: sources})
	if err != nil {
		return err
	}
	defer client.Close()
	sum := newSlowdown()
	table := newPeerTable(e.target.Addr.Port(), sources)
	var rss, dropped []float64
	for i := range e.Rounds {
		if err := e.settle(ctx, 2*time.Second); err != nil {
			return err
		}
		before, _ := e.memory()
		without, err := p.during(ctx, e.Duration)
		if err != nil {
			return err
		}
		clients, err := e.stallAnswers(ctx, client.Loops()[0], e.target.AppendCall(nil, 1, c.session, e.Tool, []byte(args)))
		if err != nil {
			return err
		}
		with, err := p.during(ctx, e.Duration)
		if err != nil {
			return err
		}
		sum.add(without, with)
		if after, ok := e.memory(); ok {
			rss = append(rss, float64(after.RSS-before.RSS)/float64(e.Concurrency))
		}
		if held, _, ok := table.count(); ok {
			dropped = append(dropped, 100*float64(max(0, e.Concurrency-held))/float64(e.Concurrency))
		}
		if err := client.Loops()[0].Call(func() {
			for _, x := range clients {
				x.Reset()
			}
		}); err != nil {
			return err
		}
		e.progress("round %d of %d: 99 %% of health checks within %.1f ms, and within %.1f ms while large answers are not read", i+1, e.Rounds, millis(without, 99), millis(with, 99))
	}
	e.key("large_slowdown_p99", "99 % of health checks are slower while large answers are not read, by", "%", sum.percent(), lower)
	e.figure("large_p99_without", "99 % of health checks within, all answers read", "ms", median(sum.without), lower)
	e.figure("large_p99_with", "The same while large answers are not read", "ms", median(sum.with), lower)
	e.figure("large_bytes", "Size of a large answer", "B", float64(size), neither)
	if e.server != nil {
		e.figure("large_rss", "Memory of the server for each large answer that is not read", "B", median(rss), lower)
	}
	if len(dropped) > 0 {
		e.figure("large_dropped", "Connections with such an answer that the server has ended", "%", median(dropped), neither)
	}
	if sum.stalls() {
		e.fault("stalled_reader_stalls_all", "99 %% of health checks are answered within %.1f ms, and within %.1f ms when %d clients do not read answers of %d bytes", median(sum.without), median(sum.with), e.Concurrency, size)
	}
	return p.stop(ctx)
}

// stallAnswers sends the request --concurrency times, on connections that do not read. It returns
// when all have been sent and the server has had time to answer.
func (e *env) stallAnswers(ctx context.Context, l *load.Loop, req []byte) ([]*exchange.Client, error) {
	var clients []*exchange.Client
	var dialErr error
	err := l.Call(func() {
		for range e.Concurrency {
			x := &exchange.Client{Answer: func(*exchange.Answer) {}, Lost: func(load.End) {}}
			x.Up = func() {
				x.Send(req, 1)
				x.Conn().Pause()
			}
			if dialErr = x.Dial(l, &slowly); dialErr != nil {
				return
			}
			clients = append(clients, x)
		}
	})
	if err == nil {
		err = dialErr
	}
	if err != nil {
		return clients, err
	}
	for end := time.Now().Add(e.Wait); time.Now().Before(end); {
		left := 0
		if err := l.Call(func() {
			for _, x := range clients {
				if conn := x.Conn(); conn != nil {
					if !x.Waiting() {
						left++ // not connected yet
					}
					left += conn.Unsent()
				}
			}
		}); err != nil {
			return clients, err
		}
		if left == 0 {
			break
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return clients, err
		}
	}
	return clients, e.settle(ctx, 2*time.Second)
}
