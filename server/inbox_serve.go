package server

// serveInbox serves what was posted, and what follows from it. Workers that have not begun run
// first. A post that comes meanwhile does not wake the loop again at once, because workers that
// post without a pause would keep the loop from its sockets.
func (l *loop) serveInbox() {
	l.present()
	defer func() {
		// If a worker has yet to begin, the loop continues here later.
		if !l.in.settle(l.gave) {
			l.continueLater()
		}
	}()
	for range inboxRounds {
		l.yield()
		l.servePosted()
		if l.more || !l.gave && !l.in.waiting() {
			return
		}
	}
}

// servePosted serves a slice of what was posted.
func (l *loop) servePosted() {
	items, changed, drain := l.in.take(l.spare)
	l.spare = nil
	if len(l.backlog) == 0 {
		l.backlog = items
	} else {
		l.backlog = append(l.backlog, items...)
		clear(items)
		l.spare = items[:0]
	}
	l.serveBacklog()
	if len(changed) > 0 {
		for _, b := range changed {
			b.addNews()
		}
		clear(changed)
		l.in.spare = changed[:0]
		l.serveFanout()
	}
	if drain != nil {
		l.startDrain(drain)
	}
}

// serveBacklog serves a slice of the items that were taken.
func (l *loop) serveBacklog() {
	all := l.backlog
	for i := range all[:min(len(all), sliceLimit)] {
		it := all[i]
		all[i] = item{}
		l.backlog = all[i+1:] // first, so that a panic does not find the item again
		l.in.served(&it)
		l.serveItem(&it)
	}
	if len(l.backlog) > 0 {
		l.continueLater()
		return
	}
	l.backlog = nil
	if l.spare == nil && cap(all) <= 4*sliceLimit {
		l.spare = all[:0]
	}
}

// serveItem serves one item of the inbox and releases its buffer.
func (l *loop) serveItem(it *item) {
	switch it.kind {
	case itemNotify:
		l.serveNotify(it)
	case itemPrepared:
		l.servePrepared(it.job)
	case itemFull:
		l.serveFull(it)
	case itemReturn:
		l.serveReturn(it.job)
	case itemPark:
		l.park(it.job)
	case itemAnswer:
		l.serveAnswer(it)
	case itemCancel:
		l.serveCancel(it)
	case itemEvents:
		l.serveEvents(it)
	case itemCloseStream:
		l.serveCloseStream(it)
	case itemEndStream:
		l.serveEndStream(it)
	case itemMoved:
		l.serveMoved(it)
	case itemSubscribe:
		l.serveSubscribe(it)
	case itemVerified:
		l.serveVerified(it)
	case itemOpen:
		l.serveGate(it.gate)
	case itemGone:
		l.serveGone(it)
	case itemPassed:
		l.servePassed(it)
	}
	release(it.buf)
}
