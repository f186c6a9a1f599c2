package server

import "github.com/mooring-mcp/mooring/server/internal/session"

// streamList holds the streams of a berth. One list has all of them, newest first. In addition,
// each resource has a list of the streams that listen to it. Streams are known by their slots.
//
// Only one walk over a list is active at a time. It takes a few streams in each turn, and streams
// may come and go between two steps. The walk visits every stream that stays until its end, and
// none that is added after its beginning.
type streamList struct {
	head     uint32              // slot
	byURI    map[string]*uriList // nil until it is needed
	node     func(slot uint32) *streamNode
	interest interest
	walk     streamWalk
}

// interest is notified of each stream that begins or ceases to listen to a resource.
type interest interface {
	Subscribe(uri string)
	Unsubscribe(uri string)
}

// streamNode is a stream's part of the lists that it is in.
type streamNode struct {
	uris       *uriSet // the resources that the stream listens to; nil if there are none
	next, prev uint32  // the neighbours in the list of all streams, by slot
}

// streamWalk is the position of a walk.
type streamWalk struct {
	active bool
	cursor uint32   // the next slot, in a walk over all streams
	list   *uriList // the list, in a walk over the listeners of a resource
	member int      // the index in list of the member that was visited last
}

// noSlot marks the end of a list.
const noSlot = ^uint32(0)

func (s *streamList) init(node func(slot uint32) *streamNode, i interest) {
	s.head, s.node, s.interest = noSlot, node, i
}

// push adds a stream at the front of the list, so that a walk in progress does not visit it.
func (s *streamList) push(slot uint32) {
	n := s.node(slot)
	n.prev, n.next = noSlot, s.head
	if s.head != noSlot {
		s.node(s.head).prev = slot
	}
	s.head = slot
}

// remove removes a stream from all lists. It returns the stream's resources, or nil if it had none.
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

// walkAll starts a walk over all streams.
func (s *streamList) walkAll() {
	s.walk = streamWalk{active: true, cursor: s.head}
}

// walkListeners starts a walk over the streams that listen to a resource. It returns false if there
// are none.
func (s *streamList) walkListeners(uri string) bool {
	list := s.byURI[uri]
	if list == nil {
		return false
	}
	s.walk = streamWalk{active: true, list: list, member: len(list.members)}
	return true
}

// at returns the stream that the walk has come to. In a walk over the listeners of a resource, ref
// is the index of this resource in the stream's uriSet. At the end of the walk, ok is false.
// Otherwise the caller passes the stream's node to pass before it does anything with the stream.
func (s *streamList) at() (slot, ref uint32, ok bool) {
	w := &s.walk
	switch {
	case w.list == nil && w.cursor != noSlot:
		return w.cursor, 0, true
	case w.list != nil && w.member > 0:
		m := w.list.members[w.member-1]
		return m.slot, m.ref, true
	}
	w.active = false
	return 0, 0, false
}

// pass moves the walk on from the stream of n, to which it has come.
func (s *streamList) pass(n *streamNode) {
	if s.walk.list == nil {
		s.walk.cursor = n.next
		return
	}
	// The walk goes from the end to the front: streams that are added meanwhile stay behind it, and
	// forget preserves this when others leave.
	s.walk.member--
}

// uriList holds the streams of a loop that listen to one resource.
type uriList struct {
	uri     string
	members []uriMember
}

// uriMember is a stream in a uriList. ref is the index of the list's resource in the stream's
// uriSet.
type uriMember struct {
	slot, ref uint32
}

// uriSet holds the resources of one stream and the session that the stream belongs to.
type uriSet struct {
	refs    []uriRef
	session session.Key // the session, if the stream is of an earlier revision
	replay  uint64      // the call's stream that this one resumes; 0 if it is the session's own
}

// uriRef is one resource of a stream.
type uriRef struct {
	list  *uriList
	pos   int  // the index in list.members
	dirty bool // the resource was updated while the stream was too slow to be notified
}

// missed reports whether a resource was updated while the stream was too slow to be notified.
func (u *uriSet) missed() bool {
	for i := range u.refs {
		if u.refs[i].dirty {
			return true
		}
	}
	return false
}

// listen registers a stream for uris, which must be distinct.
func (s *streamList) listen(slot uint32, uris []string) {
	n := s.node(slot)
	if n.uris == nil {
		n.uris = &uriSet{refs: make([]uriRef, 0, len(uris))}
	}
	for _, uri := range uris {
		list := s.byURI[uri]
		if list == nil {
			list = &uriList{uri: uri}
			if s.byURI == nil {
				s.byURI = make(map[string]*uriList)
			}
			s.byURI[uri] = list
		}
		n.uris.refs = append(n.uris.refs, uriRef{list: list, pos: len(list.members)})
		list.members = append(list.members, uriMember{slot, uint32(len(n.uris.refs) - 1)})
		s.interest.Subscribe(list.uri)
	}
}

// unlisten removes resource i from a stream.
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

// forget removes one stream from the list of one resource.
func (s *streamList) forget(r *uriRef) {
	list, free := r.list, r.pos
	last := len(list.members) - 1
	if w := &s.walk; w.active && w.list == list && free < w.member {
		// The streams that the walk has visited must stay behind those that it has not.
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

// move moves a member to an index that has become free.
func (s *streamList) move(list *uriList, from, to int) {
	if from != to {
		m := list.members[from]
		list.members[to] = m
		s.node(m.slot).uris.refs[m.ref].pos = to
	}
}
