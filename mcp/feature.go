package mcp

import (
	"slices"
	"strings"
)

// A feature is a tool, a resource, a resource template or a prompt with what the
// server keeps about it. It is immutable.
type feature interface {
	key() string                  // identifies it in its set
	entry(rev *revision) []byte   // its JSON in a list
	shown() (FeatureKind, string) // what Visible calls it
}

// A featureSet is an immutable set of features, sorted by key. It keeps the pages of its list from
// the first request for it on.
type featureSet[T feature] struct {
	items []T
	lists [revisionCount]listCaches

	// The rest is for parts of a set: see seenBy.
	whole   *featureSet[T]  // what it is a part of; nil if it is not
	encoded func(bytes int) // called when pages have been encoded; nil to call nothing
}

// find returns the index of the feature with the key and whether there is one. If there is none,
// the index is where it would be.
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

// get returns the feature with the key.
func (f *featureSet[T]) get(key []byte) (item T, ok bool) {
	i, ok := f.find(key)
	if ok {
		item = f.items[i]
	}
	return item, ok
}

// with returns the set with item, which replaces a feature with the same key.
func (f *featureSet[T]) with(item T) *featureSet[T] {
	items := make([]T, 0, len(f.items)+1)
	i, found := slices.BinarySearchFunc(f.items, item.key(), func(t T, key string) int { return strings.Compare(t.key(), key) })
	items = append(append(items, f.items[:i]...), item)
	if found {
		i++
	}
	return &featureSet[T]{items: append(items, f.items[i:]...)}
}

// without returns the set without the features with the keys. It returns f itself if f has none of
// them.
func (f *featureSet[T]) without(keys []string) *featureSet[T] {
	items := slices.DeleteFunc(slices.Clone(f.items), func(t T) bool { return slices.Contains(keys, t.key()) })
	if len(items) == len(f.items) {
		return f
	}
	return &featureSet[T]{items: items}
}
