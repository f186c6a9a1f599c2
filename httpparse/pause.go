package httpparse

// A Pause is how far the parse of a head has come of which only a part is there.
// It is for a caller with many heads that are arriving, because it is a tenth of
// a Request and holds no pointer: one Request serves them all.
//
// The zero Pause is the beginning of a head. A Pause may be copied and belongs
// to one goroutine at a time.
type Pause struct {
	length int64
	resume
	line     fieldSpan // the field line at which the parse stands
	method   Method
	form     TargetForm
	minor    uint8
	hasParam bool
}

// Parse is [ParseRequest] for a head that arrives in parts, each time with all
// octets so far in b. If the head is not whole yet, Parse returns
// [ErrIncomplete], and r is free for another head; what follows is parsed from
// where this call stopped. Otherwise p is the beginning of a head again.
func (p *Pause) Parse(r *Request, b []byte, lim *Limits) (n int, err error) {
	if p.state == stateStart {
		n, err = ParseRequest(r, b, 0, lim)
	} else {
		r.continueFrom(p)
		n, err = ParseRequest(r, b, int(p.scan)+1, lim)
		*p = Pause{}
		if err == nil {
			// What r holds of the field lines before belongs to other heads.
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

// continueFrom makes r what it was when p was noted, but for the field lines
// before the one at which the parse stands.
func (r *Request) continueFrom(p *Pause) {
	r.Reset()
	r.resume = p.resume
	r.fields[r.numFields&(MaxFields-1)] = p.line
	r.ContentLength, r.HasMCPParam = p.length, p.hasParam
	r.Method, r.Form, r.Minor = p.method, p.form, p.minor
}
