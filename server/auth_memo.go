package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
)

// authMemo is what a loop remembers of the verdicts on valid tokens that it has used lately, so
// that a caller who comes again costs neither SHA-256 nor a lock. Its methods run on the loop.
//
// It knows a token by a keyed hash: the GMAC of the token under a random key of the loop. The hash
// never leaves the process. For whoever does not know the key, two different tokens of up to 8 KiB
// have the same hash with a probability of 2^-118 at most.
type authMemo struct {
	hash  cipher.AEAD // nil if this build has no GMAC: then nothing is remembered
	nonce [12]byte    // always the same: the tags are not published
	tag   [authTag]byte
	sets  [memoSets]*memoSet // nil until one of its tokens comes again
}

const (
	authTag  = 16  // the length of a hash
	memoSets = 512 // a power of two
	memoWays = 2   // tokens of a set
)

// A memoSet has the tokens that share a place, the one used last first.
type memoSet [memoWays]memoEntry

// A memoEntry is the verdict on one token at one path. Its caller is nil if the entry is free.
type memoEntry struct {
	tag   [authTag]byte
	path  string
	who   *identity
	until tick
	epoch uint64 // of the cache when the verdict was found there
	isKey bool
}

// newAuthMemo returns an empty memo with a new key.
func newAuthMemo() *authMemo {
	m := &authMemo{}
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	if block, err := aes.NewCipher(key[:]); err == nil {
		m.hash, _ = cipher.NewGCM(block)
	}
	return m
}

// find returns who sends a credential to a path, or nil if the memo does not know. Epoch is that of
// the cache now.
func (m *authMemo) find(credential []byte, isKey bool, path string, epoch uint64, now tick) *identity {
	if m.hash == nil {
		return nil
	}
	m.hash.Seal(m.tag[:0], m.nonce[:], nil, credential)
	set := *m.set()
	if set == nil {
		return nil
	}
	for i := range set {
		e := &set[i]
		if e.tag != m.tag || e.isKey != isKey || e.path != path || e.who == nil {
			continue
		}
		if e.epoch != epoch || now >= e.until {
			*e = memoEntry{}
			return nil
		}
		if i > 0 {
			set[0], set[i] = set[i], set[0]
			e = &set[0]
		}
		return e.who
	}
	return nil
}

// keep remembers the verdict on the credential that find was called with last. Epoch is what find
// was given: the verdict must have been found in the cache after that.
func (m *authMemo) keep(v *verdict, isKey bool, path string, epoch uint64) {
	if m.hash == nil || v.outcome != authOK || v.who == nil {
		return
	}
	place := m.set()
	if *place == nil {
		*place = &memoSet{}
	}
	set := *place
	copy(set[1:], set[:])
	set[0] = memoEntry{m.tag, path, v.who, v.until, epoch, isKey}
}

// sweep drops what is out of date in one set, the next one with each tick.
func (m *authMemo) sweep(now tick) {
	place := &m.sets[now%memoSets]
	if *place == nil {
		return
	}
	held := false
	for i := range *place {
		if e := &(*place)[i]; now >= e.until {
			*e = memoEntry{}
		} else {
			held = true
		}
	}
	if !held {
		*place = nil
	}
}

// set returns where the set of the tag is.
func (m *authMemo) set() **memoSet {
	return &m.sets[(int(m.tag[0])|int(m.tag[1])<<8)%memoSets]
}
