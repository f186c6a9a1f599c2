package main

import (
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
)

// sockets counts the kernel's sockets of a server's port.
type sockets struct {
	*sockdiag.Reader
	port int
}

// watch counts with a reader of its own until stop is closed, and then sends the largest number of
// sockets in CLOSE-WAIT that it saw.
func (s *sockets) watch(stop <-chan struct{}) (<-chan int, error) {
	r, err := sockdiag.NewReader()
	if err != nil {
		return nil, err
	}
	most := make(chan int, 1)
	go func() {
		defer r.Close()
		n := 0
		for {
			select {
			case <-stop:
				most <- n
				return
			case <-time.After(50 * time.Millisecond):
			}
			if c, err := r.Count(s.port, 0); err == nil {
				n = max(n, c[sockdiag.CloseWait])
			}
		}
	}()
	return most, nil
}

// gone waits until the server's port has no socket of a client left. It returns how long after last
// that was, how long the last count took (the precision of the first result), and what the kernel
// counted. Behind a proxy (kept is true) its connections may stay, but none in CLOSE-WAIT.
func (s *sockets) gone(last time.Time, kept bool) (took, counting time.Duration, c sockdiag.Counts, err error) {
	for {
		begin := time.Now()
		c, err = s.Count(s.port, 0)
		took, counting = time.Since(last), time.Since(begin)
		open := c.Open()
		if kept {
			open = c[sockdiag.CloseWait]
		}
		if open == 0 || err != nil || took > patience {
			return took, counting, c, err
		}
	}
}
