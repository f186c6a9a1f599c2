package mcp

import (
	"sync"
	"time"
)

// One goroutine reads the messages of a connection and handles them: it leads. A message that can
// be answered at once it answers at once, without another goroutine and, as long as more messages
// are there, without a write for each. If that takes long after all (because the client does not
// read, say), a new goroutine leads on, and the old one ends once it is done with its message.

// leadPatience is how long a leader may be busy with one message before another takes over, and at
// most twice as long.
const leadPatience = time.Millisecond

// A leadership says which goroutine reads.
type leadership struct {
	mu      sync.Mutex // guards the rest, and calls of next and retain; fill is called if not busy
	term    int        // names the goroutine that leads
	busy    bool       // it handles messages or writes
	over    bool       // nobody leads any more
	ended   error      // why nothing more comes; nil if something may come
	handled uint64     // messages so far
	seen    uint64     // messages when the timer was last set
	timer   *time.Timer
}

// lead reads and handles messages as the leader of the term, until another takes over or nothing
// more comes.
func (p *peer) lead(term int) {
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
		p.out.flush()
		if !p.rest(term) {
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
	l.handled++
	if !l.busy {
		l.busy = true
		p.arm()
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
	p.out.flush()
	if !p.rest(term) {
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

// rest says that the leader of the term is about to wait, so that nobody takes over. It returns
// false if another goroutine leads already.
func (p *peer) rest(term int) bool {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != term || l.over {
		return false
	}
	if l.busy {
		l.busy = false
		l.timer.Stop()
	}
	return true
}

// arm sets the timer after which another goroutine leads. It is called with l.mu held.
func (p *peer) arm() {
	l := &p.reader
	l.seen = l.handled
	if l.timer == nil {
		l.timer = time.AfterFunc(leadPatience, p.impatient)
	} else {
		l.timer.Reset(leadPatience)
	}
}

// impatient makes another goroutine lead if the leader has been busy with one message since the
// timer was set.
func (p *peer) impatient() {
	l := &p.reader
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.busy:
	case l.handled != l.seen:
		p.arm()
	default:
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
	l.busy = false
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
