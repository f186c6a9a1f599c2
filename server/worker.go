package server

// worker is a goroutine that runs jobs, one after another. A loop owns its workers while they are idle, and uses the one that was idle for the shortest time: its stack has grown
// to what handlers need, which is worth more than the hand-over costs.
type worker struct {
	work chan work // room for one: a worker may still be on its way back
}

// work is a job and how to run it.
type work struct {
	job *job
	run func(*job)
}

const (
	keepWorkers  = 256 // idle ones of a loop
	retireWindow = tick(100)
)

// workers are the idle workers of a loop, the newest last.
type workers struct {
	idle  []*worker
	low   int  // the fewest that were idle since the window began
	until tick // the end of the window
}

func (l *loop) takeWorker() *worker {
	ws := &l.workers
	n := len(ws.idle) - 1
	if n < 0 {
		w := &worker{work: make(chan work, 1)}
		go w.loop()
		return w
	}
	w := ws.idle[n]
	ws.idle[n] = nil
	ws.idle = ws.idle[:n]
	ws.low = min(ws.low, n)
	return w
}

// hand gives j to a worker, which begins as soon as the loop lets it: see lend.
func (l *loop) hand(j *job, run func(*job)) {
	j.worker = l.takeWorker()
	l.handed++
	l.gave = true
	j.worker.work <- work{j, run}
}

func (l *loop) putWorker(w *worker) {
	if len(l.workers.idle) >= keepWorkers {
		close(w.work)
		return
	}
	l.workers.idle = append(l.workers.idle, w)
}

// retireWorkers ends those that were not needed for a whole window.
func (l *loop) retireWorkers() {
	ws := &l.workers
	if l.now < ws.until {
		return
	}
	for _, w := range ws.idle[:ws.low] {
		close(w.work)
	}
	ws.idle = append(ws.idle[:0], ws.idle[ws.low:]...)
	clear(ws.idle[len(ws.idle):cap(ws.idle)])
	ws.low, ws.until = len(ws.idle), l.now+retireWindow
}

// loop runs jobs until the loop lets go of the worker.
func (w *worker) loop() {
	var running *job
	defer func() {
		// A handler ended its goroutine (runtime.Goexit, as testing.T.FailNow does): its call was answered, and another goroutine carries on.
		if running != nil && running.end() {
			go w.loop()
		}
	}()
	for k := range w.work {
		running = k.job
		k.job.loop.begun.Add(1)
		k.run(k.job)
		running = nil
		if !k.job.end() {
			return
		}
	}
}
