package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/internal/seal"
	"github.com/mooring-mcp/mooring/mcp"
)

// sessionKey is the random part of a session id: what the process knows of the session is filed under it.
type sessionKey [12]byte

// ticket is what a Mcp-Session-Id says, once it is opened. A session that holds no state exists nowhere else, so that one which is abandoned costs nothing.
type ticket struct {
	key       sessionKey
	issued    uint32   // Unix seconds
	principal [16]byte // a digest of whose session it is; zero: anybody's
	info      mcp.SessionInfo
	sse       bool // an id of HTTP+SSE, which is none elsewhere, and the reverse. It is set before the id is opened
}

// use is what the id is sealed for.
func (t *ticket) use() []byte {
	if t.sse {
		return useSSE
	}
	return nil
}

var useSSE = []byte("sse")

const (
	ticketFixed = 12 + 4 + 16
	// maxSessionID is the longest id: the fixed part and 32 bytes of SessionInfo, sealed.
	maxSessionID = 128
)

// tickets issues and opens session ids. Its methods may be called from any goroutine.
type tickets struct {
	ring     *seal.Ring
	lifetime time.Duration
	scratch  sync.Pool // of *[maxSessionID]byte: what ids are opened in
}

func (ts *tickets) takeScratch() *[maxSessionID]byte {
	if b, ok := ts.scratch.Get().(*[maxSessionID]byte); ok {
		return b
	}
	return new([maxSessionID]byte)
}

func newTickets(keys [][]byte, lifetime time.Duration) (*tickets, error) {
	ring, err := seal.NewRing("session", keys...)
	if err != nil {
		return nil, err
	}
	if seal.SealedLen(ticketFixed+32) > maxSessionID {
		return nil, errors.New("server: session ids are too long")
	}
	return &tickets{ring: ring, lifetime: lifetime}, nil
}

// issue appends the id of a new session to dst. It draws the key of t.
func (ts *tickets) issue(dst []byte, t *ticket, now time.Time) []byte {
	rand.Read(t.key[:])
	t.issued = uint32(now.Unix())
	var plain [64]byte
	b := append(plain[:0], t.key[:]...)
	b = binary.BigEndian.AppendUint32(b, t.issued)
	b = append(b, t.principal[:]...)
	return ts.ring.Seal(dst, t.info.AppendBinary(b), t.use())
}

// open reads an id. It reports false for one that was forged, is of a key that is not known, has expired or belongs to another principal: all alike.
func (ts *tickets) open(t *ticket, id []byte, principal string, now time.Time) bool {
	if len(id) > maxSessionID {
		return false
	}
	scratch := ts.takeScratch()
	defer ts.scratch.Put(scratch)
	b, err := ts.ring.Open(scratch[:0], id, t.use())
	if err != nil || len(b) < ticketFixed {
		return false
	}
	copy(t.key[:], b)
	t.issued = binary.BigEndian.Uint32(b[12:])
	copy(t.principal[:], b[16:])
	if err := t.info.UnmarshalBinary(b[ticketFixed:]); err != nil {
		return false
	}
	return ts.valid(t, principal, now)
}

// valid reports whether t may be used now by principal.
func (ts *tickets) valid(t *ticket, principal string, now time.Time) bool {
	age := now.Unix() - int64(t.issued)
	return age <= int64(ts.lifetime/time.Second) && age >= -clockSkew && t.principal == principalDigest(principal)
}

// expires returns the last Unix second in which t is valid.
func (ts *tickets) expires(t *ticket) uint32 {
	return uint32(min(uint64(t.issued)+uint64(ts.lifetime/time.Second), math.MaxUint32))
}

// clockSkew is how many seconds the clock of another replica may be ahead.
const clockSkew = 60

func principalDigest(principal string) (d [16]byte) {
	if principal != "" {
		sum := sha256.Sum256([]byte(principal))
		copy(d[:], sum[:])
	}
	return d
}
