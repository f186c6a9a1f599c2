package httpparse

// A Pause is the state of the parse of a head that has arrived only in part. It is
// for callers with many heads that are arriving: one Request serves them all, and
// a Pause is a tenth of its size and holds no pointer.
//
// The zero Pause is the beginning of a head. A Pause may be copied and belongs
// to one goroutine at a time.
type Pause struct {
	length int64
	resume
	line     fieldSpan // the field line that is being parsed
	method   Method
	form     TargetForm
	minor    uint8
	hasParam bool
}

// Parse is like [ParseRequest], for a head that arrives in parts. Each call has all
// octets so far in b. If the head is not complete, Parse returns [ErrIncomplete],
// r is free for another head, and the next call parses from where this one
// stopped. Otherwise p is the beginning of a head again.
func (p *Pause) Parse(r *Request, b []byte, lim *Limits) (n int, err error) {
	if p.state == stateStart {
		n, err = ParseRequest(r, b, 0, lim)
	} else {
		r.continueFrom(p)
		n, err = ParseRequest(r, b, int(p.scan)+1, lim)
		*p = Pause{}
		if err == nil {
			// The earlier field lines in r belong to other heads.
			n, err = ParseRequest(r, b[:n], 0, lim)
		}
	}
	if err == ErrIncomplete {
		r.pauseIn(p)
	}
	return n, err
}

// pauseIn notes in p how far the parse of r has come.
func (r *Request) pauseIn(p *Pause) {
	*p = Pause{
		resume: r.resume, line: r.fields[r.numFields&(MaxFields-1)], length: r.ContentLength,
		method: r.Method, form: r.Form, minor: r.Minor, hasParam: r.HasMCPParam,
	}
}

// continueFrom restores r to its state when p was noted, except for the field lines
// before the one that is being parsed.
func (r *Request) continueFrom(p *Pause) {
	r.Reset()
	r.resume = p.resume
	r.fields[r.numFields&(MaxFields-1)] = p.line
	r.ContentLength, r.HasMCPParam = p.length, p.hasParam
	r.Method, r.Form, r.Minor = p.method, p.form, p.minor
}
