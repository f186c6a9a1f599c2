package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

const (
	idLen    = 4
	nonceLen = 12
	headLen  = idLen + nonceLen
	tagLen   = 16

	// minKey is the shortest length of a key: a shorter one could be guessed.
	minKey = 16
)

// ErrInvalid is returned for every text that Open refuses. It does not say why, because the
// caller's client may have forged the text.
var ErrInvalid = errors.New("seal: invalid")

// encoding refuses texts whose last character has unused bits set, so that no text has a second
// spelling.
var encoding = base64.RawURLEncoding.Strict()

// A Ring seals and opens. It is immutable apart from its nonces; its methods may be called from any
// goroutine.
type Ring struct {
	keys  []key
	epoch atomic.Pointer[epoch]
}

type key struct {
	id   [idLen]byte
	aead cipher.AEAD
}

// An epoch is a random nonce prefix and the number of times that it was used.
type epoch struct {
	prefix [nonceLen - 4]byte
	used   atomic.Uint64
}

// maxUses is the number of nonces that one prefix has.
const maxUses = 1 << 32

// NewRing returns a ring for one purpose, which is any constant text. Each key is a secret of at
// least 16 octets, preferably 32 random ones; the cipher's key is derived from it and the purpose
// by HKDF-SHA256 (RFC 5869). Without keys the ring gets a random one, and its texts become invalid
// when the process ends. NewRing copies what it keeps.
func NewRing(purpose string, keys ...[]byte) (*Ring, error) {
	if len(keys) == 0 {
		k := make([]byte, sha256.Size)
		rand.Read(k)
		keys = [][]byte{k}
	}
	r := &Ring{keys: make([]key, 0, len(keys))}
	for i, secret := range keys {
		if len(secret) < minKey {
			return nil, fmt.Errorf("seal: key %d has %d octets, but needs %d", i, len(secret), minKey)
		}
		k, err := deriveKey(purpose, secret)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(r.keys, func(o key) bool { return o.id == k.id }) {
			return nil, fmt.Errorf("seal: key %d is on the ring twice", i)
		}
		r.keys = append(r.keys, k)
	}
	r.epoch.Store(newEpoch())
	return r, nil
}

func deriveKey(purpose string, secret []byte) (key, error) {
	var k key
	b, err := hkdf.Key(sha256.New, secret, nil, "mooring seal "+purpose, idLen+32)
	if err != nil {
		return k, fmt.Errorf("seal: %w", err)
	}
	copy(k.id[:], b)
	block, err := aes.NewCipher(b[idLen:])
	if err != nil {
		return k, fmt.Errorf("seal: %w", err)
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return k, fmt.Errorf("seal: %w", err)
	}
	return k, nil
}

func newEpoch() *epoch {
	e := new(epoch)
	rand.Read(e.prefix[:])
	return e
}

// SealedLen returns the length of the text that Seal makes from n octets.
func SealedLen(n int) int { return encoding.EncodedLen(headLen + n + tagLen) }

// Seal appends the sealed plaintext to dst and returns the extended buffer. The
// text opens only with the same aad. Plaintext and aad must not overlap the free
// room of dst.
func (r *Ring) Seal(dst, plaintext, aad []byte) []byte {
	raw := headLen + len(plaintext) + tagLen
	text := encoding.EncodedLen(raw)
	dst = slices.Grow(dst, text+raw)
	// The octets are written after the text, in room that is not part of the result.
	b := dst[len(dst)+text : len(dst)+text : len(dst)+text+raw]
	k := &r.keys[0]
	b = append(b, k.id[:]...)
	b = r.appendNonce(b)
	b = k.aead.Seal(b, b[idLen:headLen], plaintext, aad)
	dst = dst[:len(dst)+text]
	encoding.Encode(dst[len(dst)-text:], b)
	return dst
}

// appendNonce appends a nonce that the ring has never used before.
func (r *Ring) appendNonce(b []byte) []byte {
	for {
		e := r.epoch.Load()
		if n := e.used.Add(1) - 1; n < maxUses {
			b = append(b, e.prefix[:]...)
			return binary.BigEndian.AppendUint32(b, uint32(n))
		}
		r.epoch.CompareAndSwap(e, newEpoch())
	}
}

// Open appends to dst the plaintext of a text that a ring with one of the same keys and the same
// purpose sealed with aad, and returns the extended buffer. For any other text it returns dst
// unchanged and ErrInvalid. The text must not overlap the free room of dst, which Open uses as
// scratch space.
func (r *Ring) Open(dst, sealed, aad []byte) ([]byte, error) {
	n := encoding.DecodedLen(len(sealed))
	if n < headLen+tagLen || len(sealed)%4 == 1 {
		return dst, ErrInvalid
	}
	dst = slices.Grow(dst, n)
	b := dst[len(dst) : len(dst)+n]
	// The decoder skips line breaks, which a sealed text never has: a second spelling of the same
	// text shows in the count, or has a length that no text has.
	m, err := encoding.Decode(b, sealed)
	if err != nil || m != n {
		return dst, ErrInvalid
	}
	for i := range r.keys {
		k := &r.keys[i]
		if string(b[:idLen]) != string(k.id[:]) {
			continue
		}
		plain, err := k.aead.Open(b[headLen:headLen], b[idLen:headLen], b[headLen:], aad)
		if err != nil {
			break
		}
		return append(dst, plain...), nil
	}
	return dst, ErrInvalid
}
