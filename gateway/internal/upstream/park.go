package upstream

import (
	"crypto/rand"
	"time"
)

// A parked call waits for a front that will answer its questions with another request. Its
// handler is gone; what it would have been given is kept, except for progress and messages.
type parked struct {
	call      *Call
	token     string
	principal string
	expires   time.Time
	ended     bool // the call has ended meanwhile
}

// parking are the parked calls of a Server. Its fields are guarded by the lock of srv.
type parking struct {
	srv       *Server
	byToken   map[string]*parked
	person    map[string]int
	timer     timer
	expiresAt time.Time
}

// maxKept is the maximum length of a result that a parked call keeps.
const maxKept = 64 << 10

// Park keeps c, whose questions wait, until Unpark or the time expires. From then on its Handler
// gets nothing more. The token is unguessable and can be used once. Park reports false if too
// many calls are parked, or c has ended; then nothing has changed.
func (c *Call) Park(expires time.Time) (token string, ok bool) {
	s := c.srv
	s.mu.Lock()
	defer s.unlock()
	p := &s.parks
	if c.state != callFlying || c.handler == nil || s.closed {
		return "", false
	}
	if len(p.byToken) >= s.opts.MaxParked || c.Principal != "" && p.person[c.Principal] >= s.opts.MaxParkedPerPrincipal {
		s.counts.ParkRefused++
		return "", false
	}
	pk := &parked{call: c, token: rand.Text(), principal: c.Principal, expires: expires}
	c.park, c.handler = pk, nil
	if p.person == nil {
		p.person = map[string]int{}
	}
	p.byToken[pk.token] = pk
	p.person[pk.principal]++
	p.arm(expires)
	return pk.token, true
}

// Unpark gives the call that was parked with the token to h, and returns it and its questions. It
// reports false if the token is unknown, was used, has expired, or belongs to another principal.
// If the call has ended meanwhile, h gets its end.
func (s *Server) Unpark(token, principal string, h Handler) (c *Call, questions []*Question, ok bool) {
	s.mu.Lock()
	defer s.unlock()
	pk := s.parks.byToken[token]
	if pk == nil || pk.principal != principal {
		return nil, nil, false
	}
	s.parks.forget(pk)
	c = pk.call
	c.handler = h
	if pk.ended {
		s.deliver(c, event{kind: eventEnd})
		return c, nil, true
	}
	return c, append(questions, c.questions...), true
}

// Parked returns how many calls are parked.
func (s *Server) Parked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.parks.byToken)
}

// deliverParked does for a parked call, or one whose time is over, what deliver does for others.
func (s *Server) deliverParked(c *Call, ev event) {
	switch {
	case c.park == nil && ev.kind == eventQuestion: // nobody will answer
		s.refuseQuestions(c)
	case c.park != nil && ev.kind == eventEnd:
		if len(c.end.Result)+len(c.end.Error) > maxKept {
			c.end = End{Err: errTooLarge}
		}
		c.keep(ev)
		c.park.ended = true
	}
}

// remove takes c out of the parked calls. Nobody gets its end.
func (p *parking) remove(c *Call) {
	if c.park != nil {
		p.forget(c.park)
	}
}

func (p *parking) forget(pk *parked) {
	pk.call.park = nil
	delete(p.byToken, pk.token)
	if p.person[pk.principal]--; p.person[pk.principal] <= 0 {
		delete(p.person, pk.principal)
	}
}

// arm makes sure that parked calls are looked at when the time has come.
func (p *parking) arm(at time.Time) {
	if !p.timer.running() || at.Before(p.expiresAt) {
		p.expiresAt = at
		p.srv.set(&p.timer, max(time.Until(at), 10*time.Millisecond), p.expire)
	}
}

// expire answers the questions of the calls that nobody has come back for. The calls go on until
// the upstream ends them.
func (p *parking) expire() {
	now := time.Now()
	for _, pk := range p.byToken {
		if now.Before(pk.expires) {
			p.arm(pk.expires)
			continue
		}
		p.forget(pk)
		p.srv.counts.ParkExpired++
		if !pk.ended {
			p.srv.refuseQuestions(pk.call)
		}
	}
}

func (p *parking) close() {
	p.timer.stop()
	for _, pk := range p.byToken {
		p.forget(pk)
	}
}
