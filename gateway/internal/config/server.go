package config

import (
	"reflect"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

// A Server is one upstream: a command, which speaks over its standard input and output, or a URL.
// It is plain data, with the defaults filled in, so that what means the same is equal. It must not
// be changed once it is in use.
type Server struct {
	Name      string // as names.CheckServer accepts it
	Transport Transport

	Command string // of a command: the program, and what follows
	Args    []string
	Env     []Variable // in addition to the environment that children get, ordered by name
	Dir     string     // where it starts; "" is where the gateway does

	URL     string   // of the others
	Headers []Header // for each request, ordered by name

	Settings

	// Pos is where the server is in its file. It is the zero Position for one of a command line.
	Pos Position
	// written is what is printed, nil for a server of a command line.
	written *written
}

// written is what a file has for fields in which variables were replaced, which may be secrets.
type written struct {
	command, dir, url string
	args              []string
	credentials       map[string]string // by member
}

// A Transport says how messages get to an upstream.
type Transport string

const (
	Stdio Transport = "stdio"
	HTTP  Transport = "http" // Streamable HTTP, or HTTP+SSE if the upstream turns out to need it
	SSE   Transport = "sse"  // HTTP+SSE of 2024-11-05
)

// A Variable is an environment variable of a child.
type Variable struct {
	Name  string
	Value Secret
}

// A Header is a header field of requests to an upstream.
type Header struct {
	Name  string
	Value Secret
}

// Settings are the members of "x-mooring".
type Settings struct {
	Session Session // who shares a session or child of the upstream
	Lists   Lists   // who shares its lists
	Era     Era     // which revisions it is spoken to in
	Path    string  // where it is served alone

	Concurrency  int           // requests at a time
	Queue        int           // requests that wait beyond that
	QueueTimeout time.Duration // and for how long at most
	Sessions     int           // sessions or children at a time
	Idle         time.Duration // after which one is ended
	StartTimeout time.Duration // of a child: until it has answered

	WhenDown WhenDown // what becomes of its tools meanwhile

	Tools          []string      // patterns for names.Compile; nil allows all
	Scopes         []string      // that a caller needs for any of its features
	ToolScopes     []names.Scope // and for some tools, for names.CompileScopes
	ForwardHeaders []string      // canonical names of the fields of a client's request that go up

	Credentials Credentials
}

// A Session says who shares a session with an upstream, or a child.
type Session string

const (
	SessionShared    Session = "shared"    // all callers
	SessionPrincipal Session = "principal" // the calls of one principal
	SessionClient    Session = "client"    // one session of a client
)

// Lists say whose credentials an upstream's lists are asked for with.
type Lists string

const (
	ListsShared    Lists = "shared"    // the gateway's: everybody gets the same
	ListsPrincipal Lists = "principal" // the caller's
)

// An Era says which revisions an upstream is spoken to in.
type Era string

const (
	EraAuto   Era = "auto"   // as it answers
	EraLegacy Era = "legacy" // 2025-11-25 and before
	EraModern Era = "modern" // 2026-07-28
)

// WhenDown says what becomes of the tools of an upstream that is down.
type WhenDown string

const (
	WhenDownList WhenDown = "list" // they stay in the list, and calls fail
	WhenDownHide WhenDown = "hide"
)

// A Grant is how the gateway gets tokens for an upstream.
type Grant string

const (
	GrantNone              Grant = ""
	GrantClientCredentials Grant = "client_credentials" // RFC 6749, section 4.4: one for all callers
	GrantTokenExchange     Grant = "token_exchange"     // RFC 8693: one for each caller
)

// ClientAuth is how the gateway authenticates itself to the token endpoint (RFC 6749, section 2.3).
type ClientAuth string

const (
	ClientAuthBasic ClientAuth = "basic"
	ClientAuthPost  ClientAuth = "post"
	ClientAuthNone  ClientAuth = "none" // only the client ID
)

// Credentials are what tokens for an upstream are requested with. The zero Credentials are none.
type Credentials struct {
	Grant            Grant
	TokenEndpoint    string
	ClientID         string
	ClientAuth       ClientAuth
	ClientSecret     Secret // of an environment variable, or
	ClientSecretFile string // the only line of this file
	Scope            string // separated by spaces
	Resource         string // RFC 8707
	Audience         string // RFC 8693
}

// The defaults of the settings, and their limits.
const (
	DefaultConcurrency  = 32
	DefaultQueue        = 1024
	DefaultQueueTimeout = 5 * time.Second
	DefaultSessions     = 64
	DefaultIdle         = 10 * time.Minute // of a child
	DefaultIdleHTTP     = 5 * time.Minute
	DefaultStartTimeout = time.Minute

	maxConcurrency = 4096
	maxQueue       = 1_000_000
	maxSessions    = 100_000
	maxTime        = 24 * time.Hour
)

// setDefaults fills in what is not set.
func (s *Server) setDefaults() {
	orDefault(&s.Session, SessionPrincipal)
	orDefault(&s.Lists, ListsShared)
	orDefault(&s.Era, EraAuto)
	orDefault(&s.Path, "/servers/"+s.Name+"/mcp")
	orDefault(&s.Concurrency, DefaultConcurrency)
	orDefault(&s.QueueTimeout, DefaultQueueTimeout)
	orDefault(&s.Sessions, DefaultSessions)
	orDefault(&s.WhenDown, WhenDownList)
	if s.Queue < 0 { // 0 is a value
		s.Queue = DefaultQueue
	}
	if s.Transport == Stdio {
		orDefault(&s.Idle, DefaultIdle)
		orDefault(&s.StartTimeout, DefaultStartTimeout)
	} else {
		orDefault(&s.Idle, DefaultIdleHTTP)
	}
	if s.Credentials.Grant != GrantNone {
		orDefault(&s.Credentials.ClientAuth, ClientAuthBasic)
	}
}

func orDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Equal reports whether two servers are configured alike, wherever in a file they are.
func (s *Server) Equal(other *Server) bool {
	a, b := *s, *other
	a.Pos, b.Pos = Position{}, Position{}
	a.written, b.written = nil, nil
	return reflect.DeepEqual(a, b)
}

// Changes are what a new configuration does to the servers of an old one: their names, those that
// are removed in the old order, and the others in the new one.
type Changes struct{ Added, Removed, Changed, Same []string }

// Diff compares two configurations. A server is known by its name: one that is renamed is removed
// and added.
func Diff(old, new []Server) (c Changes) {
	was := make(map[string]*Server, len(old))
	for i := range old {
		was[old[i].Name] = &old[i]
	}
	is := make(map[string]bool, len(new))
	for i := range new {
		s := &new[i]
		is[s.Name] = true
		switch before := was[s.Name]; {
		case before == nil:
			c.Added = append(c.Added, s.Name)
		case before.Equal(s):
			c.Same = append(c.Same, s.Name)
		default:
			c.Changed = append(c.Changed, s.Name)
		}
	}
	for i := range old {
		if !is[old[i].Name] {
			c.Removed = append(c.Removed, old[i].Name)
		}
	}
	return c
}
