package session

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

// Key is the random part of a session ID. What a process knows of the session is filed under it.
type Key [12]byte

// Ticket is what a session ID says once it is opened. A session without state exists nowhere else,
// so an abandoned one costs nothing.
type Ticket struct {
	Key  Key
	Info mcp.SessionInfo
	// SSE says that the ID is one of HTTP+SSE, which is not valid elsewhere, nor are others there.
	// The caller sets it before the ID is issued or opened, and so with Endpoint.
	SSE bool
	// Endpoint is where the ID is valid. The caller sets it.
	Endpoint *Endpoint

	// Owner is whose session it is. The caller sets it before the ID is issued. It is not in the ID,
	// which is sealed for it: for anyone else the ID is a forged one, and opening it takes as long.
	Owner Owner

	issued uint32 // Unix seconds
}

// Owner is a digest of the name of a principal. The zero Owner stands for anonymous callers, who
// may use each other's sessions.
type Owner [16]byte

// OwnerOf returns the Owner for the name of a principal, "" if anonymous.
func OwnerOf(principal string) (o Owner) {
	if principal != "" {
		sum := sha256.Sum256([]byte(principal))
		copy(o[:], sum[:])
	}
	return o
}

// An Endpoint is what the IDs of an endpoint are bound to: they are sealed with it, and open with
// it alone. It is immutable.
type Endpoint struct {
	streamable, sse []byte
	since           uint32
}

// NewEndpoint returns the Endpoint of Streamable HTTP at a path, and of HTTP+SSE at another. IDs
// that were issued there until the Unix second since are not valid.
func NewEndpoint(path, ssePath string, since uint32) *Endpoint {
	return &Endpoint{streamable: []byte(path), sse: []byte("sse " + ssePath), since: since}
}

// appendUse appends what the ID is sealed for.
func (t *Ticket) appendUse(dst []byte, owner *Owner) []byte {
	switch {
	case t.Endpoint == nil:
	case t.SSE:
		dst = append(dst, t.Endpoint.sse...)
	default:
		dst = append(dst, t.Endpoint.streamable...)
	}
	return append(dst, owner[:]...)
}

const (
	ticketFixed = 12 + 4

	// MaxID is the length of the longest ID: the fixed part and 32 bytes of SessionInfo, sealed.
	MaxID = 107
)

// Tickets issues and opens session IDs. Its methods may be called from any goroutine.
type Tickets struct {
	ring     *seal.Ring
	lifetime time.Duration
	scratch  sync.Pool // of *scratch
}

// scratch is the room in which an ID is sealed or opened.
type scratch struct {
	id  [MaxID]byte
	use []byte
}

func (ts *Tickets) takeScratch() *scratch {
	if b, ok := ts.scratch.Get().(*scratch); ok {
		return b
	}
	return new(scratch)
}

// NewTickets returns Tickets whose IDs are valid for lifetime. The first key seals, all open. It
// returns an error if a key is too short.
func NewTickets(keys [][]byte, lifetime time.Duration) (*Tickets, error) {
	ring, err := seal.NewRing("session", keys...)
	if err != nil {
		return nil, err
	}
	if seal.SealedLen(ticketFixed+32) > MaxID {
		return nil, errors.New("session: IDs are too long")
	}
	return &Tickets{ring: ring, lifetime: lifetime}, nil
}

// Issue appends the ID of a new session to dst. It draws the key of t.
func (ts *Tickets) Issue(dst []byte, t *Ticket, now time.Time) []byte {
	rand.Read(t.Key[:])
	t.issued = uint32(now.Unix())
	if t.Endpoint != nil && t.issued <= t.Endpoint.since {
		t.issued = t.Endpoint.since + 1
	}
	room := ts.takeScratch()
	defer ts.scratch.Put(room)
	room.use = t.appendUse(room.use[:0], &t.Owner)
	b := append(room.id[:0], t.Key[:]...)
	b = binary.BigEndian.AppendUint32(b, t.issued)
	return ts.ring.Seal(dst, t.Info.AppendBinary(b), room.use)
}

// Open reads an ID into t. It reports false, without a difference, for an ID that was forged, was
// sealed with an unknown key or for another endpoint, has expired, or does not belong to
// the caller.
func (ts *Tickets) Open(t *Ticket, id []byte, caller Owner, now time.Time) bool {
	if len(id) > MaxID {
		return false
	}
	room := ts.takeScratch()
	defer ts.scratch.Put(room)
	room.use = t.appendUse(room.use[:0], &caller)
	b, err := ts.ring.Open(room.id[:0], id, room.use)
	if err != nil || len(b) < ticketFixed {
		return false
	}
	copy(t.Key[:], b)
	t.issued = binary.BigEndian.Uint32(b[12:])
	t.Owner = caller
	if err := t.Info.UnmarshalBinary(b[ticketFixed:]); err != nil {
		return false
	}
	return ts.valid(t, now)
}

// valid reports whether t may be used now.
func (ts *Tickets) valid(t *Ticket, now time.Time) bool {
	if t.Endpoint != nil && t.issued <= t.Endpoint.since {
		return false
	}
	age := now.Unix() - int64(t.issued)
	return age <= int64(ts.lifetime/time.Second) && age >= -clockSkew
}

// Expires returns the last Unix second in which t is valid.
func (ts *Tickets) Expires(t *Ticket) uint32 {
	return uint32(min(uint64(t.issued)+uint64(ts.lifetime/time.Second), math.MaxUint32))
}

// clockSkew is how many seconds the clock of another replica may be ahead.
const clockSkew = 60
