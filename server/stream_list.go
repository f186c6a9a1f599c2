package server

import "github.com/mooring-mcp/mooring/server/internal/session"

// streamList holds the streams of a loop: all in one list, newest first, and those that listen to a
// resource in a list of that resource. It knows streams by their slots.
//
// One walk at a time goes over a list, a few streams in each turn. Streams may come and go between
// two steps: the walk meets each stream that is there all the time, and none that came later.
type streamList struct {
	head     uint32 // slot
	byURI    map[string]*uriList
	node     func(slot uint32) *streamNode
	interest interest
	walk     streamWalk
}

// interest is told how many streams listen to a resource, one by one.
type interest interface {
	Subscribe(uri string)
	Unsubscribe(uri string)
}

// streamNode is what a stream holds for the lists that it is in.
type streamNode struct {
	uris       *uriSet // the resources it listens to; nil if there are none
	next, prev uint32  // in streamList
}

// streamWalk is where a walk stands.
type streamWalk struct {
	active bool
	cursor uint32   // the next slot of the list of all streams,
	list   *uriList // or of the list of a resource
	member int      // the member that was last met
}

// noSlot ends a list.
const noSlot = ^uint32(0)

func (s *streamList) init(node func(slot uint32) *streamNode, i interest) {
	s.head, s.node, s.interest = noSlot, node, i
	s.byURI = make(map[string]*uriList)
}

// push adds a stream. It goes first, so that a walk under way does not meet it.
func (s *streamList) push(slot uint32) {
	n := s.node(slot)
	n.prev, n.next = noSlot, s.head
	if s.head != noSlot {
		s.node(s.head).prev = slot
	}
	s.head = slot
}

// remove takes a stream out of all lists. It returns what the stream held for its resources, or nil.
func (s *streamList) remove(slot uint32) *uriSet {
	n := s.node(slot)
	if s.walk.active && s.walk.list == nil && s.walk.cursor == slot {
		s.walk.cursor = n.next
	}
	if n.prev != noSlot {
		s.node(n.prev).next = n.next
	} else {
		s.head = n.next
	}
	if n.next != noSlot {
		s.node(n.next).prev = n.prev
	}
	u := n.uris
	if u == nil {
		return nil
	}
	for i := range u.refs {
		s.forget(&u.refs[i])
	}
	n.uris = nil
	return u
}

// walkAll begins a walk over all streams.
func (s *streamList) walkAll() {
	s.walk = streamWalk{active: true, cursor: s.head}
}

// walkListeners begins a walk over the streams that listen to a resource. It reports false if there
// are none.
func (s *streamList) walkListeners(uri string) bool {
	list := s.byURI[uri]
	if list == nil {
		return false
	}
	s.walk = streamWalk{active: true, list: list, member: len(list.members)}
	return true
}

// step returns the next stream of the walk and, if it is over the listeners of a resource, which of
// the stream's resources that is. It reports false at the end of the walk.
func (s *streamList) step() (slot, ref uint32, ok bool) {
	w := &s.walk
	switch {
	case w.list == nil && w.cursor != noSlot:
		slot = w.cursor
		w.cursor = s.node(slot).next
		return slot, 0, true
	case w.list != nil && w.member > 0:
		// From the end: streams that come meanwhile are behind, and forget keeps it so when
		// others leave.
		w.member--
		m := w.list.members[w.member]
		return m.slot, m.ref, true
	}
	w.active = false
	return 0, 0, false
}

// uriList holds the streams of a loop that listen to one resource.
type uriList struct {
	uri     string
	members []uriMember
}

// uriMember is a stream in a uriList, and which of the stream's resources the list is for.
type uriMember struct {
	slot, ref uint32
}

// uriSet is the resources of one stream, and the session that the stream belongs to.
type uriSet struct {
	refs    []uriRef
	session session.Key // of a stream of an earlier revision
	replay  uint64      // the call's stream that it resumes; 0: it is the session's own
}

// uriRef is one resource of a stream.
type uriRef struct {
	list  *uriList
	pos   int  // in list.members
	dirty bool // updated, and the stream was too slow to be notified
}

// missed reports whether a resource was updated and the stream was too slow to be notified.
func (u *uriSet) missed() bool {
	for i := range u.refs {
		if u.refs[i].dirty {
			return true
		}
	}
	return false
}

// listen registers a stream for uris, which are distinct.
func (s *streamList) listen(slot uint32, uris []string) {
	n := s.node(slot)
	if n.uris == nil {
		n.uris = &uriSet{refs: make([]uriRef, 0, len(uris))}
	}
	for _, uri := range uris {
		list := s.byURI[uri]
		if list == nil {
			list = &uriList{uri: uri}
			s.byURI[uri] = list
		}
		n.uris.refs = append(n.uris.refs, uriRef{list: list, pos: len(list.members)})
		list.members = append(list.members, uriMember{slot, uint32(len(n.uris.refs) - 1)})
		s.interest.Subscribe(list.uri)
	}
}

// unlisten takes resource i away from a stream.
func (s *streamList) unlisten(slot uint32, i int) {
	u := s.node(slot).uris
	s.forget(&u.refs[i])
	last := len(u.refs) - 1
	if i != last {
		u.refs[i] = u.refs[last]
		u.refs[i].list.members[u.refs[i].pos].ref = uint32(i)
	}
	u.refs = u.refs[:last]
}

// forget takes one stream out of the list of one resource.
func (s *streamList) forget(r *uriRef) {
	list, free := r.list, r.pos
	last := len(list.members) - 1
	if w := &s.walk; w.active && w.list == list && free < w.member {
		// The streams that the walk has met stay behind those that it has not.
		w.member--
		s.move(list, w.member, free)
		free = w.member
	}
	s.move(list, last, free)
	list.members = list.members[:last]
	if last == 0 {
		delete(s.byURI, list.uri)
	}
	s.interest.Unsubscribe(list.uri)
}

// move moves a member to a place that has become free.
func (s *streamList) move(list *uriList, from, to int) {
	if from != to {
		m := list.members[from]
		list.members[to] = m
		s.node(m.slot).uris.refs[m.ref].pos = to
	}
}
