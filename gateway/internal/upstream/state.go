package upstream

import "time"

// Counts are how often things have happened.
type Counts struct {
	Calls       uint64 // started
	Failed      uint64 // ended without a response
	Canceled    uint64 // given up by their fronts when the upstream had them
	Resent      uint64 // sent a second time, because the upstream had not run them
	Questions   uint64 // requests of the upstream, without pings
	Refused     uint64 // questions that no front was asked
	ParkRefused uint64 // calls that could not be parked
	ParkExpired uint64 // parked calls that nobody came back for
	Strays      uint64 // responses, progress and messages that belong to no call
	Dropped     uint64 // notifications for slow handlers, or of unknown methods
	Malformed   uint64 // messages that are not MCP
	Opened      uint64 // links
	Lost        uint64 // links that were lost
	Expired     uint64 // sessions that the upstream has forgotten
	Evicted     uint64 // sessions closed in favour of others
	Pages       uint64 // of lists, asked for
	Changes     uint64 // of the catalogue
}

// A State is a snapshot of a Server for operators.
type State struct {
	// State is "new", "up", "connecting", "asleep", "down" or "closed".
	State     string
	Era       string // "modern", "legacy", "legacy, HTTP+SSE", or "" if it is not known
	Version   string // the revision of the newest catalogue or connection
	Sessions  int    // with a link
	InFlight  int    // calls that the upstream has
	Waiting   int    // calls that wait for a session
	Parked    int
	Questions int // without an answer
	Resources int // with subscribers
	// LastError is the newest failure, in words, and LastErrorAt its time. Later success does not
	// remove it.
	LastError   string
	LastErrorAt time.Time
	ListedAt    time.Time // when the lists were read
	Counts      Counts
}

// State returns a snapshot.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := State{
		State: s.word(), Waiting: s.waiting, Parked: len(s.parks.byToken), Resources: s.subs.wanted,
		LastError: s.lastError, LastErrorAt: s.lastAt, ListedAt: s.list.at, Counts: s.counts, Sessions: len(s.conns),
	}
	for k := range s.conns {
		v.InFlight += k.calls
		v.Questions += len(k.questions)
	}
	switch {
	case !s.era.known:
	case s.era.modern:
		v.Era = "modern"
	case s.era.sse:
		v.Era = "legacy, HTTP+SSE"
	default:
		v.Era = "legacy"
	}
	if k := s.home.conn; k != nil && k.state == connReady {
		v.Version = k.version
	} else if s.list.now != nil {
		v.Version = s.list.now.Version
	}
	return v
}

// word returns the state of the home session in a word.
func (s *Server) word() string {
	k := s.home.conn
	switch {
	case s.closed:
		return "closed"
	case k != nil && k.state == connReady && s.subs.listen.failing():
		return "down" // there is no session that could be lost, but listening fails again and again
	case k != nil && k.state == connReady:
		return "up"
	case k != nil && s.home.failures == 0:
		return "connecting"
	case s.home.failures > 0:
		return "down"
	case s.list.now != nil || s.era.known:
		return "asleep"
	}
	return "new"
}
