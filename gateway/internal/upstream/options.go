package upstream

import (
	"log/slog"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// An Opener opens a link for a principal. It must not block, and must not call the Receiver before
// it has returned.
type Opener func(r link.Receiver, principal string) link.Link

// An Era is what a configuration says about the revisions of an upstream.
type Era uint8

const (
	EraAuto   Era = iota // found out by asking
	EraLegacy            // initialize, without asking
	EraModern            // 2026-07-28 or nothing
)

// A Share says which fronts share a session of a legacy upstream. A modern upstream has no
// sessions, so all share one link.
type Share uint8

const (
	SharePrincipal Share = iota // those of one principal that have declared the same capabilities
	ShareAll                    // all that have declared the same capabilities
	ShareClient                 // nobody; a front without a session counts as its principal
)

// Options say how to talk to an upstream. New copies them.
type Options struct {
	// Name is the name of the upstream in the configuration, for logs.
	Name string
	// Open opens a link: a child process, or Streamable HTTP.
	Open Opener
	// OpenSSE opens a link for HTTP+SSE of 2024-11-05. It is asked if Streamable HTTP is not
	// understood. Nil means never.
	OpenSSE Opener

	Era   Era
	Share Share
	// Stdio is true if Open starts a process.
	Stdio bool
	// Concurrency is the maximum number of calls in flight on a link over stdio; others wait. If
	// it is 1, questions can be attributed to their calls. The default is 1024. HTTP links limit
	// themselves.
	Concurrency int
	// PrincipalCredentials is true if Open uses other credentials for each principal. Then only
	// fronts of one principal share a link, whatever the era.
	PrincipalCredentials bool
	// CatalogueClass are the capabilities that the home session declares.
	CatalogueClass Class

	// MaxSessions is the maximum number of sessions. If it is reached, the session that has been
	// idle longest is closed. The default is 64.
	MaxSessions int
	// SessionIdle is how long a session without calls is kept. The default is 5 minutes, or 10
	// minutes over stdio. Negative means for ever.
	SessionIdle time.Duration
	// MaxWaiting is the maximum number of calls that wait for a session. Others fail with
	// link.Busy. The default is 1024.
	MaxWaiting int
	// MaxParked is the maximum number of parked calls. The default is 1024.
	MaxParked int
	// MaxParkedPerPrincipal is the maximum number of parked calls of a principal. The default is
	// 16.
	MaxParkedPerPrincipal int
	// MaxSubscriptions is the maximum number of resources with subscribers. The default is 10,000.
	MaxSubscriptions int
	// StartTimeout is how long the upstream may take to answer initialize. The default is 60
	// seconds.
	StartTimeout time.Duration
	// Poll is how often lists are read from an upstream that does not announce changes and gives
	// no time to live. The default is 60 seconds. Negative means never.
	Poll time.Duration

	// ClientInfo is the JSON text of the Implementation object with which the gateway introduces
	// itself. The default has the name mooring.
	ClientInfo []byte

	// Changed gets each catalogue that differs from the one before. Calls of it do not overlap.
	Changed func(*Catalogue)
	// Updated is called when a resource with subscribers has changed, or may have changed while
	// the upstream was away. It must not block.
	Updated func(uri string)

	// Logger gets what an operator should know. Nil means slog.Default.
	Logger *slog.Logger
}

const (
	probeTimeout    = 5 * time.Second  // a silent child is legacy after it
	listTimeout     = 30 * time.Second // for a page of a list, and other requests of the gateway's own
	debounce        = 250 * time.Millisecond
	unsubscribeWait = 5 * time.Second
	lateWait        = 5 * time.Second // a cancelled call on stdio counts as running for so long
	minBackoff      = 500 * time.Millisecond
	maxBackoff      = 60 * time.Second
	// patience is the number of failed attempts after which calls fail at once until the next one.
	patience = 5

	maxPages        = 64
	maxEntries      = 10_000
	maxInstructions = 8 << 10
	maxQuestions    = 16  // of one call, unanswered
	maxHeld         = 256 // notifications that wait for the handler of one call
)

const (
	modernVersion = "2026-07-28"
	legacyVersion = "2025-11-25" // what initialize asks for
)

// isLegacy reports whether an upstream may answer initialize with version.
func isLegacy(version string) bool {
	switch version {
	case "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05":
		return true
	}
	return false
}

func (o *Options) setDefaults() {
	o.MaxSessions = orDefault(o.MaxSessions, 64)
	o.Concurrency = orDefault(o.Concurrency, 1024)
	o.MaxWaiting = orDefault(o.MaxWaiting, 1024)
	o.MaxParked = orDefault(o.MaxParked, 1024)
	o.MaxParkedPerPrincipal = orDefault(o.MaxParkedPerPrincipal, 16)
	o.MaxSubscriptions = orDefault(o.MaxSubscriptions, 10_000)
	o.StartTimeout = orDefault(o.StartTimeout, 60*time.Second)
	o.Poll = orDefault(o.Poll, 60*time.Second)
	idle := 5 * time.Minute
	if o.Stdio {
		idle = 10 * time.Minute
	}
	o.SessionIdle = orDefault(o.SessionIdle, idle)
	if o.ClientInfo == nil {
		o.ClientInfo = []byte(`{"name":"mooring","version":"0"}`)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("upstream", o.Name)
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}
