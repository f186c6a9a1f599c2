package mcp

import (
	"sync"
	"time"
)

// One goroutine reads the messages of a connection and handles them: it leads. A message that can
// be answered at once it answers at once, without another goroutine and, as long as more messages
// are there, without a write for each. That holds for inline tools, and for other tools whose last
// call was quick: a goroutine for it, and a write of its own, would take longer than the call. If a
// handler or a write takes long after all, a new goroutine leads on, and the old one ends once it
// is done. All else that a message does happens before the next message is looked at.

// leadPatience is how long a handler or a write may take before another goroutine leads, and at
// most twice as long.
const leadPatience = time.Millisecond

// quickCall is the time within which a tool must return to be called by the leader.
const quickCall = 10 * time.Microsecond

// maxQuick is the number of tools above which it is forgotten which were quick.
const maxQuick = 1000

// A leadership says which goroutine reads.
type leadership struct {
	mu    sync.Mutex // guards the rest, and calls of next and retain; fill is called if not busy
	term  int        // names the goroutine that leads
	busy  bool       // it is in a handler or a write, so that another may lead
	over  bool       // nobody leads any more
	ended error      // why nothing more comes; nil if something may come
	begun uint64     // handlers and writes so far
	seen  uint64     // begun when the timer was last set
	armed bool       // the timer is set
	timer *time.Timer
	quick map[*tool]struct{} // whose last call was quick
	tool  *tool              // that the leader calls; nil if it does not
}

// lead reads and handles messages as the leader of the term, until another takes over or nothing
// more comes.
func (p *peer) lead(term int) {
	defer p.leaders.Done()
	returned := false
	defer func() {
		if !returned {
			p.replace(term) // a handler has ended the goroutine
		}
	}()
	for p.leadOn(term) {
	}
	returned = true
}

// leadOn handles the next message or waits for one. It reports whether the goroutine still leads.
func (p *peer) leadOn(term int) bool {
	l := &p.reader
	if !p.out.room(0) {
		if !p.write(term) {
			return false
		}
		p.out.waitRoom()
	}
	l.mu.Lock()
	if l.term != term || l.over {
		l.mu.Unlock()
		p.out.flush() // what this goroutine has left for a later write
		return false
	}
	text, err := p.texts.next()
	if text == nil && err == nil {
		ended := l.ended
		l.mu.Unlock()
		return p.await(term, ended)
	}
	l.mu.Unlock()
	if err != nil {
		p.refuse(nil, errLongLine)
	} else {
		p.handle(term, text)
	}
	return true
}

// await writes what is to be written and waits for more messages. If nothing more comes because of
// ended, it ends the session.
func (p *peer) await(term int, ended error) bool {
	if !p.write(term) {
		return false
	}
	l := &p.reader
	if ended != nil {
		l.mu.Lock()
		l.over = true
		l.mu.Unlock()
		p.end(ended)
		return false
	}
	if err := p.texts.fill(p.base); err != nil {
		l.mu.Lock()
		l.ended = err
		l.mu.Unlock()
	}
	return true
}

// write writes what is to be written, before the leader of the term waits. It returns false if
// another goroutine leads meanwhile.
func (p *peer) write(term int) bool {
	if p.out.idle() {
		return p.rest(term)
	}
	p.beginBusy(term)
	p.out.flush()
	return p.rest(term)
}

// beginBusy says that the leader of the term is about to call a handler or to write.
func (p *peer) beginBusy(term int) {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == term {
		l.begin()
	}
}

// begin says that the leader is busy. It is called with l.mu held.
func (l *leadership) begin() {
	l.busy = true
	l.begun++
	if !l.armed {
		l.armed, l.seen = true, l.begun
		l.timer.Reset(leadPatience)
	}
}

// endBusy takes back beginBusy.
func (p *peer) endBusy(term int) {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == term {
		l.busy = false
	}
}

// rest says that the leader of the term is about to wait, and disarms the timer. It returns false
// if another goroutine leads.
func (p *peer) rest(term int) bool {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != term || l.over {
		return false
	}
	l.busy = false
	if l.armed {
		l.armed = false
		l.timer.Stop()
	}
	return true
}

// impatient makes another goroutine lead if the leader has been busy with one thing since the timer
// was set.
func (p *peer) impatient() {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.armed:
	case l.busy && l.begun == l.seen:
		p.succeed()
	default:
		l.seen = l.begun
		l.timer.Reset(leadPatience)
	}
}

// handOver makes another goroutine lead if the leader calls a tool, which is about to wait for a
// message. It may be called from any goroutine.
func (p *peer) handOver() {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy && l.tool != nil {
		p.succeed()
	}
}

// replace makes another goroutine lead if that of the term has ended without being replaced.
func (p *peer) replace(term int) {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == term {
		p.succeed()
	}
}

// succeed begins the next term. It is called with l.mu held.
func (p *peer) succeed() {
	l := &p.reader
	p.texts.retain() // the old leader still uses its message
	l.term++
	l.busy, l.armed = false, false
	delete(l.quick, l.tool)
	l.tool = nil
	p.leaders.Add(1)
	go p.lead(l.term)
}

// retain keeps the message that the leader of the term handles valid for ever.
func (p *peer) retain(term int) {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == term { // otherwise succeed has done it
		p.texts.retain()
	}
}

// leads reports whether the goroutine of the term leads, and so will write soon what it sends.
func (p *peer) leads(term int) bool {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term == term
}

// beginQuick reports whether the leader of the term may call the tool itself, and notes that it
// does.
func (p *peer) beginQuick(term int, t *tool) bool {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.quick[t]; !ok || l.term != term {
		return false
	}
	l.tool = t
	l.begin()
	return true
}

// endCall notes how long a call of the tool took.
func (p *peer) endCall(term int, t *tool, took time.Duration) {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == term {
		l.tool, l.busy = nil, false
	}
	if t == nil {
		return
	}
	if _, ok := l.quick[t]; ok == (took <= quickCall) {
		return
	}
	if took > quickCall {
		delete(l.quick, t)
		return
	}
	if l.quick == nil || len(l.quick) >= maxQuick {
		l.quick = make(map[*tool]struct{})
	}
	l.quick[t] = struct{}{}
}
