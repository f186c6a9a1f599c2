package server

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/session"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

var (
	keyA = bytes.Repeat([]byte("a"), 32)
	keyB = bytes.Repeat([]byte("b"), 32)
)

// keyOf returns the key of session n; sessions n and n+session.Shards share a shard.
func keyOf(n int) (k session.Key) {
	binary.BigEndian.PutUint16(k[:], uint16(n))
	return k
}

// B3, B11: the loops of a server sweep all shards, whatever their number.
func TestSweepReachesEveryShard(t *testing.T) {
	for _, loops := range []int{1, 2, 3, 8, 64, 100} {
		s := &Server{start: time.Now(), opts: Options{MaxSessions: 1000, MaxRevoked: 1000}}
		s.sessions = newSessions(s)
		for i := range loops {
			s.loops = append(s.loops, &loop{srv: s, idx: i})
		}
		for i := range session.Shards {
			s.sessions.Delete(keyOf(i), 1)
			if err := s.sessions.SetLevel(keyOf(i+session.Shards), "info", false, 0); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 * session.Shards {
			for _, l := range s.loops {
				l.now += 1 + wheel.Ticks(s.opts.SessionIdle)
				l.sweepSessions()
			}
		}
		if held := s.sessions.Stats(); held != (session.Stats{}) {
			t.Errorf("%d loops: %+v is left", loops, held)
		}
	}
}
