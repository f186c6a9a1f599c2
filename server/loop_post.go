package server

// What other goroutines may ask of a loop is in this file and in inbox.go. These methods may be
// called from any goroutine.

// postItem posts it. It reports false when the loop has ended.
func (l *loop) postItem(it item) bool { return l.in.post(it) }

// flooded reports whether the loop is so far behind that what is meant for it has to be refused.
func (l *loop) flooded() bool { return l.in.flooded() }

// postChanges reports changes of lists and resources to the loop's streams.
func (l *loop) postChanges(c *changes) { l.in.postChanges(c) }

// postDrain starts the drain.
func (l *loop) postDrain(d *drainOrder) { l.in.postDrain(d) }

// postRelief has the loop reset those of its connections that hold most unsent bytes.
func (l *loop) postRelief() {
	if l.relieving.CompareAndSwap(false, true) {
		l.execute(l.runRelief)
	}
}

// postYield asks for connections to give way, unless an earlier request has not been served yet
// because the loop is held.
func (l *loop) postYield(r *yieldRequest) {
	if l.yieldAsked.CompareAndSwap(false, true) {
		r.loops.Add(1)
		l.execute(l.guard(func() { l.serveYield(r) }))
	}
}

// stopWorkers ends the workers of a loop that has ended: the idle ones, and those whose job the loop
// did not take back. Others end with their job.
func (l *loop) stopWorkers() {
	for _, it := range append(l.backlog, l.in.close()...) {
		switch it.kind {
		case itemReturn, itemPrepared, itemPark:
			if w := it.job.worker; w != nil {
				w.stop()
			}
		}
	}
	l.backlog = nil
	l.workers.stop()
}
