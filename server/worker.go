package server

// worker is a goroutine that runs jobs, one after another.
type worker[T any] struct {
	work chan work[T] // has room for one, because the worker may still be on its way back
}

// work is what a worker runs: run(arg).
type work[T any] struct {
	arg T
	run func(T)
}

// start makes the worker, which must be idle, run a job.
func (w *worker[T]) start(arg T, run func(T)) { w.work <- work[T]{arg, run} }

// stop ends the worker once it is idle.
func (w *worker[T]) stop() { close(w.work) }

const (
	keepWorkers  = 256       // idle workers that a loop keeps
	retireWindow = tick(100) // the time after which workers that were not needed end
)

// workers holds the idle workers of a loop, the newest last. The one that became idle last is
// reused first, because its stack has already grown to what handlers need. The methods of workers
// run on the loop, except serve.
type workers[T any] struct {
	begin func(T)      // called by a worker before it runs a job
	end   func(T) bool // called by a worker after a job; false if the worker is no longer needed

	idle  []*worker[T]
	low   int  // the fewest that were idle since the window began
	until tick // the end of the window
}

// take returns an idle worker, or a new one.
func (ws *workers[T]) take() *worker[T] {
	n := len(ws.idle) - 1
	if n < 0 {
		w := &worker[T]{work: make(chan work[T], 1)}
		go ws.serve(w)
		return w
	}
	w := ws.idle[n]
	ws.idle[n] = nil
	ws.idle = ws.idle[:n]
	ws.low = min(ws.low, n)
	return w
}

// put takes back a worker whose job has ended.
func (ws *workers[T]) put(w *worker[T]) {
	if len(ws.idle) >= keepWorkers {
		w.stop()
		return
	}
	ws.idle = append(ws.idle, w)
}

// retire ends the workers that were not needed for a whole window.
func (ws *workers[T]) retire(now tick) {
	if now < ws.until {
		return
	}
	for _, w := range ws.idle[:ws.low] {
		w.stop()
	}
	ws.idle = append(ws.idle[:0], ws.idle[ws.low:]...)
	clear(ws.idle[len(ws.idle):cap(ws.idle)])
	ws.low, ws.until = len(ws.idle), now+retireWindow
}

// stop ends all idle workers.
func (ws *workers[T]) stop() {
	for _, w := range ws.idle {
		w.stop()
	}
	ws.idle = nil
}

// serve is the goroutine of a worker.
func (ws *workers[T]) serve(w *worker[T]) {
	var running T
	busy := false
	defer func() {
		// A handler has ended its goroutine (with runtime.Goexit, as testing.T.FailNow does). The
		// call has got a response, and another goroutine takes over.
		if busy && ws.end(running) {
			go ws.serve(w)
		}
	}()
	for k := range w.work {
		running, busy = k.arg, true
		ws.begin(k.arg)
		k.run(k.arg)
		running, busy = *new(T), false // an idle worker keeps nothing of its last job
		if !ws.end(k.arg) {
			return
		}
	}
}
