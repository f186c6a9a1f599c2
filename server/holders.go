package server

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// holders says whose the streams of a loop are, and when their tokens end. It is beside the conns
// and not in them, so that a server without authentication does not pay for it: it is empty then.
// Streams of one token share what is known of it.
type holders struct {
	of     []*holder // by slot
	ends   []tick    // by slot: when the stream ends with its token
	all    map[uint64]*holder
	grants map[string]*grant
	seed   maphash.Seed
}

// A holder is the holder of the token of streams: what Revoke needs of its auth.TokenInfo.
type holder struct {
	names   string // the user, and the client behind it
	user    uint32 // the length of the user in names
	streams uint32
	expires int64 // in Unix milliseconds; 0 for never
	grant   *grant
	next    *holder // with the same hash
}

// A grant is what many tokens have in common.
type grant struct {
	issuer  string
	scopes  []string
	holders int
}

// info returns what is known of the token.
func (b *holder) info() *auth.TokenInfo {
	ti := &auth.TokenInfo{
		Scopes: slices.Clone(b.grant.scopes), Issuer: b.grant.issuer,
		UserID: b.names[:b.user], ClientID: b.names[b.user:],
	}
	if b.expires != 0 {
		ti.Expiration = time.UnixMilli(b.expires)
	}
	return ti
}

// at returns the holder of the stream in a slot, nil if it has none.
func (bs *holders) at(slot uint32) *holder {
	if int(slot) < len(bs.of) {
		return bs.of[slot]
	}
	return nil
}

// end returns when the stream in a slot ends with its token.
func (bs *holders) end(slot uint32) tick {
	if int(slot) < len(bs.of) && bs.of[slot] != nil {
		return bs.ends[slot]
	}
	return wheel.Never
}

// put notes that the stream in a slot, which begins, is of who and ends at the given time.
func (bs *holders) put(slot uint32, who *identity, end tick) {
	if n := int(slot) + 1 - len(bs.of); n > 0 {
		bs.of = append(bs.of, make([]*holder, n)...)
		bs.ends = append(bs.ends, make([]tick, n)...)
	}
	b := bs.holder(who.info)
	b.streams++
	bs.of[slot], bs.ends[slot] = b, end
}

// holder returns the holder of a token.
func (bs *holders) holder(ti *auth.TokenInfo) *holder {
	if bs.all == nil {
		bs.all, bs.grants, bs.seed = make(map[uint64]*holder), make(map[string]*grant), maphash.MakeSeed()
	}
	var expires int64
	if !ti.Expiration.IsZero() {
		expires = ti.Expiration.UnixMilli()
	}
	g := bs.grant(ti)
	user := uint32(len(ti.UserID))
	h := bs.hash(ti.UserID, ti.ClientID, expires)
	for b := bs.all[h]; b != nil; b = b.next {
		if b.grant == g && b.expires == expires && b.user == user && b.names[:user] == ti.UserID && b.names[user:] == ti.ClientID {
			return b
		}
	}
	names := ti.UserID + ti.ClientID
	if ti.UserID == "" || ti.ClientID == "" {
		names = strings.Clone(names) // the text may be a part of the token
	}
	b := &holder{names: names, user: user, expires: expires, grant: g, next: bs.all[h]}
	bs.all[h] = b
	g.holders++
	return b
}

// grant returns what the token has in common with others.
func (bs *holders) grant(ti *auth.TokenInfo) *grant {
	var room [256]byte
	key := grantKey(room[:0], ti.Issuer, ti.Scopes)
	if g := bs.grants[string(key)]; g != nil {
		return g
	}
	g := &grant{issuer: strings.Clone(ti.Issuer), scopes: make([]string, len(ti.Scopes))}
	for i, s := range ti.Scopes {
		g.scopes[i] = strings.Clone(s)
	}
	bs.grants[string(key)] = g
	return g
}

// grantKey appends a text that no other issuer and scopes have.
func grantKey(dst []byte, issuer string, scopes []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(issuer)))
	dst = append(dst, issuer...)
	for _, s := range scopes {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

func (bs *holders) hash(user, client string, expires int64) uint64 {
	return maphash.String(bs.seed, user) ^ maphash.String(bs.seed, client)<<1 ^ uint64(expires)*0x9e3779b97f4a7c15
}

// remove forgets the stream in a slot.
func (bs *holders) remove(slot uint32) {
	b := bs.at(slot)
	if b == nil {
		return
	}
	bs.of[slot] = nil
	if b.streams--; b.streams > 0 {
		return
	}
	h := bs.hash(b.names[:b.user], b.names[b.user:], b.expires)
	if first := bs.all[h]; first != b {
		for ; first.next != b; first = first.next {
		}
		first.next = b.next
	} else if b.next != nil {
		bs.all[h] = b.next
	} else {
		delete(bs.all, h)
	}
	if b.grant.holders--; b.grant.holders == 0 {
		var room [256]byte
		delete(bs.grants, string(grantKey(room[:0], b.grant.issuer, b.grant.scopes)))
	}
	if len(bs.all) == 0 {
		*bs = holders{} // maps and slices do not shrink by themselves
	}
}

// The ends of streams whose tokens end together are spread over a part of the remaining life.
const (
	tokenSpread     = 10 // the part of the remaining life
	tokenSpreadMost = 10 * time.Second
)

// endOf returns when a stream ends that begins now and whose token expires at the given time: not
// after that, and somewhat earlier.
func (l *loop) endOf(expires time.Time) tick {
	if expires.IsZero() {
		return wheel.Never
	}
	left := expires.Sub(l.srv.clock())
	switch {
	case left <= 0: // the verifier has allowed for a clock that is wrong
		return l.now + 1
	case left >= forever/2:
		return wheel.Never
	}
	spread := tick(min(left/tokenSpread, tokenSpreadMost) / tickUnit)
	return max(l.now+tick(left/tickUnit)-tick(l.rng.Uint32N(uint32(spread)+1)), l.now+1)
}

// bind makes the stream c, which begins, one of who.
func (c *conn) bind(who *identity) {
	if who != nil {
		l := c.loop
		l.holders.put(c.slot, who, l.endOf(who.info.Expiration))
	}
}

// endEarly ends a stream that its caller may not have any longer: one of listen with its result.
// The connection stays for the next request, which brings a token of its own.
func (c *conn) endEarly(now tick) {
	l := c.loop
	id, listens := c.id, !c.has(flagSession)
	l.endStream(c)
	if listens {
		l.msg = c.svc.mcp.AppendListenResult(l.msg[:0], id)
		c.appendEvent(l.msg)
	}
	c.endEvents()
	c.takeExchange()
	c.finish(now)
	c.resume(now)
}
