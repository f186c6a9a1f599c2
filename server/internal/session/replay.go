package session

import (
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// replay is what a client that lost the stream of a call can still ask for: the events of that
// stream, as bytes of messages, oldest first. The lock of the session's shard guards it.
type replay struct {
	stream  uint64 // names the stream in event IDs; unique in the process
	first   uint64 // number of events[0]; events are numbered from 1
	events  [][]byte
	bytes   int
	carrier Place      // the connection to which the stream goes now
	expires wheel.Tick // once it is done: when it is forgotten
	done    bool       // the response is among the events
}

// budget counts the bytes that all replays of a table hold.
type budget struct {
	used atomic.Int64
	max  int64
}

// A replay and an event cost this much in addition to the messages. If that did not count, small
// messages would be held without limit.
const (
	replayCost = 192
	eventCost  = 48
)

// newReplay returns the replay of a stream that c carries, or nil if the bytes of all are used up.
func newReplay(stream uint64, c Place, b *budget) *replay {
	if b.used.Add(replayCost) > b.max {
		b.used.Add(-replayCost)
		return nil
	}
	return &replay{stream: stream, first: 1, carrier: c}
}

// position returns the number of the newest event.
func (r *replay) position() uint64 { return r.first + uint64(len(r.events)) - 1 }

// append stores a copy of msg and returns its number. At a limit it drops the oldest events.
func (r *replay) append(msg []byte, b *budget, maxBytes, maxEvents int) uint64 {
	r.events = append(r.events, append([]byte(nil), msg...))
	r.bytes += len(msg)
	b.used.Add(int64(len(msg)) + eventCost)
	// The newest event is exempt from the limits of one stream: a long answer is worth more than
	// what came before it.
	for len(r.events) > 0 && (len(r.events) > 1 && (r.bytes > maxBytes || len(r.events) > maxEvents) || b.used.Load() > b.max) {
		r.dropOldest(b)
	}
	return r.position()
}

// after returns the events after number n, or false if some of them are gone or n was never
// reached. The slice is the caller's.
func (r *replay) after(n uint64) ([][]byte, bool) {
	if n+1 < r.first || n > r.position() {
		return nil, false
	}
	return slices.Clone(r.events[n+1-r.first:]), true
}

// release gives the bytes back.
func (r *replay) release(b *budget) {
	b.used.Add(-r.held())
	r.events, r.bytes = nil, 0
}

// held returns the bytes that r holds.
func (r *replay) held() int64 { return int64(r.bytes+eventCost*len(r.events)) + replayCost }

// dropOldest forgets the oldest event.
func (r *replay) dropOldest(b *budget) {
	n := len(r.events[0])
	r.events[0] = nil
	r.events = r.events[1:]
	r.first++
	r.bytes -= n
	b.used.Add(-int64(n) - eventCost)
}

// minShare is what a session may have of ReplayTotal in any case, while that much is left.
const minShare = 64 << 10

// share returns how many bytes a session that holds mine may hold: a sixth of what the others
// leave, so that something is always left for the next session.
func (b *budget) share(mine int64) int64 {
	return max(minShare, (b.max-(b.used.Load()-mine))/6)
}

// held returns the bytes that the replays of d hold.
func (d *details[J]) held() (n int64) {
	for _, r := range d.replays {
		n += r.held()
	}
	return n
}

// trim drops the oldest events of d until it holds no more than its share. Streams that have ended
// lose theirs first.
func (d *details[J]) trim(b *budget) {
	for mine := d.held(); mine > b.share(mine); mine = d.held() {
		var oldest *replay
		for _, r := range d.replays {
			switch {
			case len(r.events) == 0:
			case oldest == nil, r.done && (!oldest.done || r.expires < oldest.expires):
				oldest = r
			}
		}
		if oldest == nil {
			return
		}
		oldest.dropOldest(b)
	}
}

// maxReplays is the maximum number of streams of one session that can be resumed.
const maxReplays = 64

// addReplay begins the replay of a stream that c carries. At the limit it drops the stream that
// ended first. It reports false if there is no room.
func (d *details[J]) addReplay(stream uint64, c Place, b *budget) bool {
	if len(d.replays) >= maxReplays {
		at := -1
		for i, r := range d.replays {
			if r.done && (at < 0 || r.expires < d.replays[at].expires) {
				at = i
			}
		}
		if at < 0 {
			return false
		}
		d.replays[at].release(b)
		d.replays = slices.Delete(d.replays, at, at+1)
	}
	r := newReplay(stream, c, b)
	if r == nil {
		return false
	}
	d.replays = append(d.replays, r)
	return true
}

// replay returns the replay of a stream, or nil.
func (d *details[J]) replay(stream uint64) *replay {
	for _, r := range d.replays {
		if r.stream == stream {
			return r
		}
	}
	return nil
}

// carried reports whether a connection waits for the rest of a call's stream.
func (d *details[J]) carried() bool {
	return slices.ContainsFunc(d.replays, func(r *replay) bool { return !r.carrier.IsZero() })
}

// expireReplays forgets the streams that have ended long enough ago.
func (d *details[J]) expireReplays(now wheel.Tick, b *budget) {
	kept := d.replays[:0]
	for _, r := range d.replays {
		if r.done && r.expires <= now {
			r.release(b)
			continue
		}
		kept = append(kept, r)
	}
	clear(d.replays[len(kept):])
	d.replays = kept
}

// forgetReplays forgets all streams.
func (d *details[J]) forgetReplays(b *budget) {
	for _, r := range d.replays {
		r.release(b)
	}
	d.replays = nil
}

// AppendEventID appends the ID of event n of a stream. It has only octets of [A-Za-z0-9-].
func AppendEventID(dst []byte, stream, n uint64) []byte {
	dst = strconv.AppendUint(dst, stream, 36)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, n, 36)
}

// ParseEventID reads what AppendEventID wrote.
func ParseEventID(id []byte) (stream, n uint64, ok bool) {
	for i, c := range id {
		if c == '-' {
			stream, err1 := strconv.ParseUint(string(id[:i]), 36, 64)
			n, err2 := strconv.ParseUint(string(id[i+1:]), 36, 64)
			return stream, n, err1 == nil && err2 == nil
		}
	}
	return 0, 0, false
}
