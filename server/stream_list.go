package server

// streamList holds the streams of a loop: all in one list, newest first, and by resource those that listen to one.
type streamList struct {
	head  uint32 // slot
	byURI map[string]*uriList
}

// noSlot ends a list.
const noSlot = ^uint32(0)

func (s *streamList) init() {
	s.head = noSlot
	s.byURI = make(map[string]*uriList)
}

// push adds c. It goes first: a walk under way, whose change it knows already, does not meet it.
func (s *streamList) push(l *loop, c *conn) {
	c.prev, c.next = noSlot, s.head
	if s.head != noSlot {
		l.slots[s.head].prev = c.slot
	}
	s.head = c.slot
}

func (s *streamList) remove(l *loop, c *conn) {
	l.fan.leave(c)
	if c.prev != noSlot {
		l.slots[c.prev].next = c.next
	} else {
		s.head = c.next
	}
	if c.next != noSlot {
		l.slots[c.next].prev = c.prev
	}
	u := c.uris
	if u == nil {
		return
	}
	for i := range u.refs {
		s.forget(l, &u.refs[i])
	}
	c.uris = nil
	if c.has(flagSession) {
		l.leaveSession(c, u)
	}
}

// uriList holds the streams of a loop that listen to one resource.
type uriList struct {
	uri     string
	members []uriMember
}

// uriMember is a stream in a uriList, and which of its resources that is.
type uriMember struct {
	slot, ref uint32
}

// uriSet is the resources of one stream, and of which session it is.
type uriSet struct {
	refs    []uriRef
	session sessionKey // of a stream of an earlier revision
	replay  uint64     // the call's stream that it resumes; 0: it is the session's own
}

type uriRef struct {
	list  *uriList
	pos   int  // in list.members
	dirty bool // updated, and the stream was too slow to be told
}

// listenTo registers c for uris, which are distinct.
func (s *streamList) listenTo(l *loop, c *conn, uris []string) {
	if c.uris == nil {
		c.uris = &uriSet{refs: make([]uriRef, 0, len(uris))}
	}
	for _, uri := range uris {
		list := s.byURI[uri]
		if list == nil {
			list = &uriList{uri: uri}
			s.byURI[uri] = list
		}
		c.uris.refs = append(c.uris.refs, uriRef{list: list, pos: len(list.members)})
		list.members = append(list.members, uriMember{c.slot, uint32(len(c.uris.refs) - 1)})
		l.srv.mcp.Subscribe(list.uri)
	}
}

// unlisten takes resource i away from c.
func (s *streamList) unlisten(l *loop, c *conn, i int) {
	refs := c.uris.refs
	s.forget(l, &refs[i])
	last := len(refs) - 1
	if i != last {
		refs[i] = refs[last]
		refs[i].list.members[refs[i].pos].ref = uint32(i)
	}
	c.uris.refs = refs[:last]
}

// forget takes one stream out of the list of one resource.
func (s *streamList) forget(l *loop, r *uriRef) {
	list, free := r.list, r.pos
	last := len(list.members) - 1
	if f := &l.fan; f.active && f.list == list && free < f.member {
		// A walk is under way: those that were told stay behind those that were not.
		f.member--
		list.move(l, f.member, free)
		free = f.member
	}
	list.move(l, last, free)
	list.members = list.members[:last]
	if last == 0 {
		delete(s.byURI, list.uri)
	}
	l.srv.mcp.Unsubscribe(list.uri)
}

// move moves a member to a place whose own has left.
func (list *uriList) move(l *loop, from, to int) {
	if from != to {
		m := list.members[from]
		list.members[to] = m
		l.slots[m.slot].uris.refs[m.ref].pos = to
	}
}

func (u *uriSet) missed() bool {
	for i := range u.refs {
		if u.refs[i].dirty {
			return true
		}
	}
	return false
}
