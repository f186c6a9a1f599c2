package server

// This file and inbox.go hold everything that other goroutines may ask of a loop. The methods here
// may be called from any goroutine.

// postItem posts an item. It returns false when the loop has ended.
func (l *loop) postItem(it item) bool { return l.in.post(it) }

// flooded reports whether the loop is so far behind that further work for it has to be refused.
func (l *loop) flooded() bool { return l.in.flooded() }

// postDrain starts the drain.
func (l *loop) postDrain(d *drainOrder) { l.in.postDrain(d) }

// postRelief makes the loop reset those of its connections that hold the most unsent bytes.
func (l *loop) postRelief() {
	if l.relieving.CompareAndSwap(false, true) {
		l.execute(l.runRelief)
	}
}

// postYield asks connections of the loop to give way. It does nothing if the loop is held and has
// not served an earlier request yet.
func (l *loop) postYield(r *yieldRequest) {
	if l.yieldAsked.CompareAndSwap(false, true) {
		r.loops.Add(1)
		l.execute(l.guard(func() { l.serveYield(r) }))
	}
}
