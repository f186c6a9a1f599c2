package bench

import (
	"context"
	"sync"

	"github.com/mooring-mcp/mooring/bench/load"
)

// A quota is how many clients or connections of a round are still to begin, and how many there are.
// The mutex of the struct that embeds it guards it.
type quota struct {
	left int
	here int
	rest chan struct{} // closed when all of the round have ended
}

// take reports whether another one may begin, and counts it. It closes rest if none is left or
// here.
func (q *quota) take() bool {
	if q.left == 0 {
		if q.here == 0 && q.rest != nil {
			close(q.rest)
			q.rest = nil
		}
		return false
	}
	q.left--
	q.here++
	return true
}

// round has n of them begin, at most concurrency at a time, and returns when all have ended. It
// calls begin on the loops of client, and begin must call take, with mu held, before each one.
func (q *quota) round(ctx context.Context, mu *sync.Mutex, client *load.Client, n, concurrency int, begin func(*load.Loop)) error {
	rest := make(chan struct{})
	mu.Lock()
	q.left, q.rest = n, rest
	mu.Unlock()
	for range min(n, concurrency) {
		l := client.Next()
		if err := l.Do(func() { begin(l) }); err != nil {
			return err
		}
	}
	select {
	case <-rest:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
