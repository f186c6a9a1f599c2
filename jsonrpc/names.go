package jsonrpc

import (
	"bytes"
	"hash/maphash"
	"math"
	"sync"
)

// maxText is the maximum length of a text, because positions have 32 bits.
const maxText = math.MaxUint32

// smallNames is the number of names that are compared with each other. An object
// with more names gets a hash set.
const smallNames = 16

// A span is the place of a name in the text, between its quotation marks.
type span struct{ start, end uint32 }

// names holds the names of one object that have been seen so far. The zero names is
// empty. release must be called at the end.
type names struct {
	n       int
	escaped bool // one of them has escapes
	set     *nameSet
	small   [smallNames]span
}

// add adds the name b[start:end] and reports whether it was new.
func (s *names) add(b []byte, start, end int, escaped bool) bool {
	if s.set != nil {
		return s.set.add(b, start, end, escaped)
	}
	name := b[start:end]
	if escaped || s.escaped {
		s.escaped = true
		for _, o := range s.small[:s.n] {
			if equalUnescaped(name, b[o.start:o.end]) {
				return false
			}
		}
	} else {
		for _, o := range s.small[:s.n] {
			if int(o.end-o.start) == len(name) && bytes.Equal(name, b[o.start:o.end]) {
				return false
			}
		}
	}
	if s.n == smallNames {
		s.grow(b)
		return s.set.add(b, start, end, escaped)
	}
	s.small[s.n] = span{uint32(start), uint32(end)}
	s.n++
	return true
}

// grow moves the names into a hash set.
func (s *names) grow(b []byte) {
	s.set = nameSets.Get().(*nameSet)
	for _, o := range s.small[:s.n] {
		s.set.add(b, int(o.start), int(o.end), s.escaped)
	}
}

// release returns the hash set, if there is one.
func (s *names) release() {
	if s.set != nil {
		s.set.release()
		s.set = nil
	}
}

// A nameSet is a hash set with open addressing. The upper half of a slot holds the
// upper half of a hash, and its lower half the index where the name begins. A name
// never begins at 0, so that a free slot is 0. The hash has a random seed, so that
// nobody can prepare names that collide.
type nameSet struct {
	seed    maphash.Seed
	slots   []uint64 // a power of two of them
	n       int
	scratch []byte // for unescaping
}

const (
	minSlots      = 64
	maxPooled     = 4096 // slots of a set in a pool; the garbage collector gets larger sets
	maxPooledName = 4096 // bytes of scratch of a set in a pool
)

var nameSets = sync.Pool{New: func() any {
	return &nameSet{seed: maphash.MakeSeed(), slots: make([]uint64, minSlots)}
}}

// release clears s and returns it to the pool it came from.
func (s *nameSet) release() {
	if len(s.slots) > maxPooled || cap(s.scratch) > maxPooledName {
		return
	}
	clear(s.slots)
	s.n = 0
	nameSets.Put(s)
}

func (s *nameSet) add(b []byte, start, end int, escaped bool) bool {
	name := b[start:end]
	if escaped {
		s.scratch = appendUnescaped(s.scratch[:0], name)
		name = s.scratch
	}
	if s.n >= len(s.slots)/4*3 {
		s.grow()
	}
	hash := maphash.Bytes(s.seed, name)
	slot := hash&^maxText | uint64(start)
	mask := uint64(len(s.slots) - 1)
	for i := hash >> 32 & mask; ; i = (i + 1) & mask {
		other := s.slots[i]
		if other == 0 {
			s.slots[i] = slot
			s.n++
			return true
		}
		if (other^slot)>>32 == 0 {
			o := int(other & maxText)
			oEnd, _ := scanString(b, o)
			if equalUnescaped(b[start:end], b[o:oEnd-1]) {
				return false
			}
		}
	}
}

// grow doubles the slots.
func (s *nameSet) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	mask := uint64(len(s.slots) - 1)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := slot >> 32 & mask
		for s.slots[i] != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = slot
	}
}
