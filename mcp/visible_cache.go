package mcp

import (
	"container/list"
	"sync"
)

// A viewCache keeps the parts of feature sets that callers see, with their encoded lists: one for
// each set of answers of [ServerOptions].Visible, so that all callers with the same answers get the
// same bytes. It keeps at most max bytes and drops the least recently used first. Its methods may
// be called from any goroutine.
type viewCache struct {
	max int

	mu    sync.Mutex // guards the rest
	views map[string]*list.Element
	order list.List // of *cachedView, the most recently used first
	size  int       // of all views
}

// A cachedView is one part of a feature set.
type cachedView struct {
	key  string // the kind of the features, and a bit for each that is in the view
	of   any    // the *featureSet that it is a part of
	view any    // the part, a *featureSet of the same type
	size int    // bytes: see seenBy and grow
}

// viewRoom is what a view takes apart from its key, its items and its encoded pages.
const viewRoom = 512

// get returns the view of the feature set with the key, or nil if it is not kept.
func (v *viewCache) get(key []byte, of any) any {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.views[string(key)]
	if e == nil || e.Value.(*cachedView).of != of {
		return nil
	}
	v.order.MoveToFront(e)
	return e.Value.(*cachedView).view
}

// add keeps view, a new one of the given size, and returns it. If another goroutine was first, it
// returns that view instead.
func (v *viewCache) add(key string, of, view any, size int) any {
	size += viewRoom
	v.mu.Lock()
	defer v.mu.Unlock()
	if e := v.views[key]; e != nil {
		if was := e.Value.(*cachedView); was.of == of {
			return was.view
		}
		v.drop(e) // of a registry that is no longer current
	}
	if v.max <= 0 {
		return view
	}
	if v.views == nil {
		v.views = make(map[string]*list.Element)
	}
	v.views[key] = v.order.PushFront(&cachedView{key, of, view, size})
	v.size += size
	v.evict()
	return view
}

// grow counts n more bytes for the view with the key, if it is still kept.
func (v *viewCache) grow(key string, view any, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.views[key]
	if e == nil || e.Value.(*cachedView).view != view {
		return
	}
	e.Value.(*cachedView).size += n
	v.size += n
	v.evict()
}

// evict drops views until the rest fits.
func (v *viewCache) evict() {
	for v.size > v.max {
		v.drop(v.order.Back())
	}
}

func (v *viewCache) drop(e *list.Element) {
	c := v.order.Remove(e).(*cachedView)
	delete(v.views, c.key)
	v.size -= c.size
}

// clear drops all views: the registry has changed.
func (v *viewCache) clear() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.views, v.size = nil, 0
	v.order.Init()
}
