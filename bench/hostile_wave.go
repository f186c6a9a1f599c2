package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/load"
)

// outcomes counts what became of connections: the status of the answer, or how they ended without
// one.
type outcomes map[string]int

const noAnswer = "no answer"

func (o outcomes) String() string {
	var b strings.Builder
	for _, k := range slices.SortedFunc(maps.Keys(o), func(a, b string) int { return o[b] - o[a] }) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s × %d", k, o[k])
	}
	return b.String()
}

// serverErrors returns how many got a status that reports a failure of the server: 5xx, except
// those that refuse a method, a coding or a version of HTTP that the server does not know.
func (o outcomes) serverErrors() (n int, which string) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if status, err := strconv.Atoi(k); err == nil && status >= 500 && status != 501 && status != 505 {
			n += o[k]
			or(&which, k)
		}
	}
	return n, which
}

// taken returns how many got a success. A stream may carry an error, too, and is not counted.
func (o outcomes) taken() (n int) {
	for k := range o {
		if len(k) == 3 && k[0] == '2' {
			n += o[k]
		}
	}
	return n
}

// How long a connection waits for an answer. The server need not answer some of the messages,
// because they might continue. After a few messages without an answer, the wait is short.
const (
	hostilePatience = 250 * time.Millisecond
	hostileHaste    = 10 * time.Millisecond
	hasteAfter      = 8
)

// A wave is one assault, many times. Only one goroutine may call its methods.
type wave struct {
	client   *load.Client
	messages [][]byte

	mu sync.Mutex // guards the rest
	quota
	next     int
	silent   []int // for each message, how many in a row had no answer
	outcomes outcomes
	lastFIN  int64
}

func newWave(client *load.Client, a *assault) *wave {
	return &wave{client: client, messages: a.messages, silent: make([]int, len(a.messages)), outcomes: outcomes{}}
}

// round makes n connections, at most concurrency at a time, and returns when all have ended.
func (w *wave) round(ctx context.Context, n, concurrency int) error {
	return w.quota.round(ctx, &w.mu, w.client, n, concurrency, func(l *load.Loop) {
		w.another(&assailant{wave: w, loop: l})
	})
}

// another begins a connection of the round, if there is one left.
func (w *wave) another(x *assailant) {
	w.mu.Lock()
	if !w.take() {
		w.mu.Unlock()
		return
	}
	x.message = w.next % len(w.messages)
	w.next++
	patience := hostilePatience
	if w.silent[x.message] >= hasteAfter {
		patience = hostileHaste
	}
	w.mu.Unlock()
	x.begin(patience)
}

// over counts a connection that has ended.
func (w *wave) over(x *assailant, outcome string) {
	w.mu.Lock()
	w.here--
	w.outcomes[outcome]++
	if outcome == noAnswer {
		w.silent[x.message]++
	} else {
		w.silent[x.message] = 0
	}
	w.lastFIN = max(w.lastFIN, load.Now())
	w.mu.Unlock()
	_ = x.loop.Do(func() { w.another(x) })
}

// An assailant is a sequence of connections of a wave, and their load.Driver.
type assailant struct {
	wave    *wave
	loop    *load.Loop
	message int
	conn    *load.Conn
	turn    int // distinguishes one connection's timer from another's
}

func (x *assailant) begin(patience time.Duration) {
	x.turn++
	turn := x.turn
	conn, err := x.loop.Open(x, 0, nil)
	if err != nil {
		x.wave.over(x, "not begun")
		return
	}
	x.conn = conn
	x.loop.After(patience, func() {
		if x.turn == turn && x.conn != nil {
			x.end(noAnswer)
		}
	})
}

func (x *assailant) end(outcome string) {
	if x.conn != nil {
		x.conn.Close()
		x.conn = nil
	}
	x.turn++
	x.wave.over(x, outcome)
}

// Opened sends the message.
func (x *assailant) Opened(c *load.Conn) { c.Write(x.wave.messages[x.message]) }

// Response ends the connection.
func (x *assailant) Response(_ *load.Conn, r *load.Response) {
	outcome := strconv.Itoa(r.Status)
	if r.Stream {
		outcome += " and a stream"
	} else if _, isError, ok := dialect.Result(r.Body); r.Status == 200 && ok && isError {
		outcome += " with an error"
	}
	x.end(outcome)
}

// Event does nothing: the head of a stream has already ended the connection.
func (x *assailant) Event(*load.Conn, *load.Event) {}

// StreamEnded does nothing, either.
func (x *assailant) StreamEnded(*load.Conn) {}

// Closed counts how the server has ended the connection.
func (x *assailant) Closed(_ *load.Conn, how load.End) {
	x.conn = nil
	x.end(how.String())
}
