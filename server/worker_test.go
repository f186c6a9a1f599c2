package server

import (
	"runtime"
	"testing"
	"time"
)

// An idle worker keeps nothing of the job that it ran last.
func TestIdleWorkerForgetsItsJob(t *testing.T) {
	type big struct{ _ [1 << 20]byte }
	ended := make(chan struct{}, 1)
	ws := &workers[*big]{
		begin: func(*big) {},
		end:   func(*big) bool { ended <- struct{}{}; return true },
	}
	freed := make(chan struct{})
	w := func() *worker[*big] {
		j := new(big)
		runtime.SetFinalizer(j, func(*big) { close(freed) })
		w := ws.take()
		w.start(j, func(*big) {})
		<-ended
		return w
	}()
	defer w.stop()
	for range 50 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("the idle worker still holds its last job")
}
