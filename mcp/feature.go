package mcp

import (
	"slices"
	"strings"
	"sync"
)

// A feature is a tool, a resource, a resource template or a prompt with what the
// server keeps about it. It is immutable.
type feature interface {
	key() string                // what it is called by, unique in its set
	entry(rev *revision) []byte // its JSON in a list
}

// A featureSet is an immutable set of features in the order of their keys, with the
// pages of its list once somebody asked for it.
type featureSet[T feature] struct {
	items []T
	lists [revisionCount]listCache
}

// find returns the index of the feature called key, or where it would be.
func (f *featureSet[T]) find(key []byte) (int, bool) {
	lo, hi := 0, len(f.items)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if f.items[mid].key() < string(key) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(f.items) && f.items[lo].key() == string(key)
}

// get returns the feature called key.
func (f *featureSet[T]) get(key []byte) (item T, ok bool) {
	i, ok := f.find(key)
	if ok {
		item = f.items[i]
	}
	return item, ok
}

// with returns the set with item instead of what was called like it.
func (f *featureSet[T]) with(item T) *featureSet[T] {
	items := make([]T, 0, len(f.items)+1)
	i, found := slices.BinarySearchFunc(f.items, item.key(), func(t T, key string) int { return strings.Compare(t.key(), key) })
	items = append(append(items, f.items[:i]...), item)
	if found {
		i++
	}
	return &featureSet[T]{items: append(items, f.items[i:]...)}
}

// without returns the set without those called keys; f itself if it has none.
func (f *featureSet[T]) without(keys []string) *featureSet[T] {
	items := slices.DeleteFunc(slices.Clone(f.items), func(t T) bool { return slices.Contains(keys, t.key()) })
	if len(items) == len(f.items) {
		return f
	}
	return &featureSet[T]{items: items}
}

// A listCache holds the encoded pages of one list in one revision.
type listCache struct {
	once  sync.Once
	pages []listPage
}

// A listPage is the text of a response behind its id, and the index of its first
// feature.
type listPage struct {
	start int
	body  []byte
}

// A listing says how the list of a kind of features is written.
type listing struct {
	name  string // the member that holds the entries
	kind  byte   // the first letter of its cursors
	hints Cacheable
	size  int // of a page; not positive: without bound
}

// page returns the response behind the id for the page that begins with the feature
// at index start. Pages from the start on are encoded once, others, which a client
// reaches that lists across a change, each time.
func page[T feature](f *featureSet[T], l *listing, head *resultHead, rev *revision, start int) []byte {
	cache := &f.lists[rev.index]
	cache.once.Do(func() {
		for at := 0; ; {
			body, next := encodePage(f.items, l, head, rev, at)
			cache.pages = append(cache.pages, listPage{at, body})
			if at = next; at >= len(f.items) {
				return
			}
		}
	})
	i, found := slices.BinarySearchFunc(cache.pages, start, func(p listPage, at int) int { return p.start - at })
	if found {
		return cache.pages[i].body
	}
	body, _ := encodePage(f.items, l, head, rev, start)
	return body
}

// encodePage encodes one page and returns the index of the next one's first feature.
func encodePage[T feature](items []T, l *listing, head *resultHead, rev *revision, start int) (body []byte, next int) {
	next = len(items)
	if l.size > 0 && next-start > l.size {
		next = start + l.size
	}
	body = append(body, head.complete...)
	body = append(append(append(body, '"'), l.name...), `":[`...)
	for i, item := range items[min(start, next):next] {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, item.entry(rev)...)
	}
	body = append(body, ']')
	if next < len(items) {
		body = appendCursor(append(body, `,"nextCursor":`...), l.kind, items[next-1].key())
	}
	body = appendHints(body, rev, l.hints)
	return append(body, `}}`...), next
}
