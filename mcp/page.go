package mcp

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// A listing says how the list of a kind of features is written.
type listing struct {
	name  string // the member that holds the entries
	kind  byte   // the first letter of its cursors
	hints Cacheable
	size  int // maximum entries on a page; no limit unless positive
	bytes int // maximum length of a page in bytes; no limit unless positive
}

// A pager writes the pages of one list for one revision and one transport.
type pager struct {
	*listing
	head  *resultHead
	rev   *revision
	bound int // length of the longest message that the transport sends; no limit unless positive
	log   *slog.Logger
}

// pager returns the pager that writes the list l for c.
func (c *Call) pager(l *listing) pager {
	return pager{l, c.head(), c.rev, c.bound, c.s.opts.Logger}
}

// idRoom is the part of the longest message that is left for the text before the page: the
// beginning of a response with an id of usual length.
const idRoom = 128

// most returns the maximum length of a page with several entries, and that of a page with a single
// entry. Negative means no limit. Half of the longest message is left to middleware and the
// transport.
func (p *pager) most() (page, single int) {
	page, single = -1, -1
	if p.bytes > 0 {
		page = p.bytes
	}
	if p.bound > 0 {
		single = max(p.bound-idRoom, 0)
		if half := p.bound / 2; page < 0 || page > half {
			page = half
		}
	}
	return page, single
}

// fixedLen returns the length of a page without its entries. Key is the one in its cursor.
func (p *pager) fixedLen(key string) int {
	const punctuation, hints = len(`"":[],"nextCursor":""}}`), len(`,"ttlMs":,"cacheScope":"private"`) + 20
	return len(p.head.complete) + len(p.name) + punctuation + hints + cursorCoding.EncodedLen(2+len(key))
}

// cut returns the features of the page that begins at index start, and the index after them. The
// page ends before the entry that would make it too long by count or by bytes, but has at least
// one entry. An entry that does not even fit on a page of its own is left out, so that it does not
// hide the others. If all entries of the list are like that, the page has the first one, and the
// transport refuses it: an empty list would be wrong.
func cut[T feature](p pager, items []T, start int) (on []T, next int) {
	page, single := p.most()
	size := 0
	for next = start; next < len(items); next++ {
		if p.size > 0 && len(on) == p.size {
			break
		}
		item := items[next]
		n, fixed := len(item.entry(p.rev)), p.fixedLen(item.key())
		if single >= 0 && fixed+n > single {
			continue // report logs it
		}
		if page >= 0 && len(on) > 0 && fixed+size+n > page {
			break
		}
		on = append(on, item)
		size += n + 1
	}
	if len(on) == 0 && start == 0 && len(items) > 0 {
		return items[:1], 1
	}
	return on, next
}

// report logs, once, which features of f no message can hold.
func report[T feature](p pager, f *featureSet[T]) {
	_, single := p.most()
	if single < 0 {
		return
	}
	if f.whole != nil {
		f = f.whole
	}
	f.lists[p.rev.index].of(p.bound).report.Do(func() {
		for _, item := range f.items {
			if n := len(item.entry(p.rev)); p.fixedLen(item.key())+n > single {
				p.log.Error("mcp: a feature is too long to be listed and is left out",
					"list", p.name, "feature", item.key(), "bytes", n, "longest message", p.bound)
			}
		}
	})
}

// A listCaches holds the encoded pages of one list in one revision, for each length of messages
// that a transport has. The zero listCaches is empty.
type listCaches struct {
	first atomic.Pointer[listCache]
}

// A listCache holds the encoded pages for one maximum length of messages.
type listCache struct {
	bound  int
	once   sync.Once
	pages  []listPage
	report sync.Once // logs what is left out
	next   *listCache
}

// A listPage is the text of a response after its id, and the index of its first feature.
type listPage struct {
	start int
	body  []byte
}

// of returns the cache for the length bound. There are as many caches as transports with different
// limits.
func (l *listCaches) of(bound int) *listCache {
	for {
		first := l.first.Load()
		for c := first; c != nil; c = c.next {
			if c.bound == bound {
				return c
			}
		}
		c := &listCache{bound: bound, next: first}
		if l.first.CompareAndSwap(first, c) {
			return c
		}
	}
}

// page returns the text after the id of the response with the page that begins at index start. The
// pages that one gets by listing from the start are encoded once. Others, which a client only
// reaches if the list changes while it reads, are encoded each time.
func page[T feature](p pager, f *featureSet[T], start int) []byte {
	cache := f.lists[p.rev.index].of(p.bound)
	cache.once.Do(func() {
		report(p, f)
		cache.pages = encodePages(p, f.items)
		if f.encoded != nil {
			size := 0
			for i := range cache.pages {
				size += cap(cache.pages[i].body)
			}
			f.encoded(size)
		}
	})
	i, found := slices.BinarySearchFunc(cache.pages, start, func(p listPage, at int) int { return p.start - at })
	if found {
		return cache.pages[i].body
	}
	body, _ := encodePage(p, f.items, start)
	return body
}

// encodePages encodes the pages that one gets by listing from the start.
func encodePages[T feature](p pager, items []T) (pages []listPage) {
	for at := 0; ; {
		body, next := encodePage(p, items, at)
		pages = append(pages, listPage{at, body})
		if at = next; at >= len(items) {
			return pages
		}
	}
}

// encodePage encodes one page. It also returns the index of the first feature of the next page.
func encodePage[T feature](p pager, items []T, start int) (body []byte, next int) {
	on, next := cut(p, items, start)
	body = append(body, p.head.complete...)
	body = append(append(append(body, '"'), p.name...), `":[`...)
	for i, item := range on {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, item.entry(p.rev)...)
	}
	body = append(body, ']')
	if next < len(items) {
		body = appendCursor(append(body, `,"nextCursor":`...), p.kind, items[next-1].key())
	}
	body = appendHints(body, p.rev, p.hints)
	return append(body, `}}`...), next
}
