package gateway

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/child"
	"github.com/mooring-mcp/mooring/gateway/internal/config"
	"github.com/mooring-mcp/mooring/gateway/internal/credential"
	"github.com/mooring-mcp/mooring/gateway/internal/hop"
	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/gateway/internal/names"
	"github.com/mooring-mcp/mooring/gateway/internal/upstream"
	"github.com/mooring-mcp/mooring/mcp"
)

// A member is one upstream in one configuration. It is the mcp.Backend of its features.
type member struct {
	g     *Gateway
	cfg   Server
	slot  *slot // set once, before begin
	allow *names.Patterns
	needs *names.Scopes // what tools need

	up     *upstream.Server
	child  *child.Server      // nil unless it is a command
	hop    *hop.Upstream      // nil if it is
	creds  *credential.Source // nil if there are none
	tokens tokens

	flights atomic.Int64 // calls that have not ended
	ended   atomic.Bool

	reads   atomic.Bool   // it has resources
	listed  chan struct{} // closed when the first lists are offered
	settled sync.Once

	// Guarded by Gateway.applying.
	lists          *upstream.Catalogue // the newest; nil before the first
	tools, prompts []feature           // of lists
	hidden         bool                // nothing of it is offered, because it is down
	scopes         []string            // that anything of lists needs
	collisions     []string            // of lists, in words
	toldCollisions []string            // that were logged
}

// newMember returns a member, which does nothing yet.
func (g *Gateway) newMember(s *Server) (*member, error) {
	m := &member{g: g, cfg: *s, listed: make(chan struct{})}
	var err error
	if m.allow, err = names.Compile(s.Tools); err != nil {
		return nil, err
	}
	if m.needs, err = names.CompileScopes(s.ToolScopes); err != nil {
		return nil, err
	}
	if s.Lists == config.ListsPrincipal {
		return nil, errors.New("lists for each principal are not possible yet")
	}
	o := upstream.Options{
		Name: s.Name, Stdio: s.Transport == config.Stdio, MaxSessions: s.Sessions, SessionIdle: s.Idle,
		MaxWaiting: s.Queue, StartTimeout: s.StartTimeout, ClientInfo: g.info, Logger: g.log,
		PrincipalCredentials: s.Credentials.Grant == config.GrantTokenExchange,
		CatalogueClass:       everyClass,
		Changed:              m.changed,
		Updated:              m.updated,
		Era:                  map[config.Era]upstream.Era{config.EraLegacy: upstream.EraLegacy, config.EraModern: upstream.EraModern}[s.Era],
		Share:                map[config.Session]upstream.Share{config.SessionShared: upstream.ShareAll, config.SessionClient: upstream.ShareClient}[s.Session],
	}
	switch s.Transport {
	case config.Stdio:
		o.Concurrency = s.Concurrency
		err = m.runs(&o)
	default:
		err = m.calls(&o)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	m.up = upstream.New(o)
	return m, nil
}

// runs sets m up for a command.
func (m *member) runs(o *upstream.Options) (err error) {
	env := make(map[string]string, len(m.cfg.Env))
	for _, v := range m.cfg.Env {
		env[v.Name] = string(v.Value)
	}
	m.child, err = child.NewServer(m.g.nursery, child.Options{
		Name: m.cfg.Name, Command: m.cfg.Command, Args: m.cfg.Args, Env: env, Dir: m.cfg.Dir,
		StartTimeout: m.cfg.StartTimeout, Logger: m.g.log,
	})
	o.Open = func(r link.Receiver, _ string) link.Link { return m.child.Open(r) }
	return err
}

// calls sets m up for a URL.
func (m *member) calls(o *upstream.Options) (err error) {
	h := hop.Options{
		URL: m.cfg.URL, Header: http.Header{}, Concurrency: m.cfg.Concurrency, Queue: m.cfg.Queue,
		QueueTimeout: m.cfg.QueueTimeout, Logger: m.g.log.With("upstream", m.cfg.Name),
	}
	for _, f := range m.cfg.Headers {
		h.Header.Add(f.Name, string(f.Value))
	}
	if c := &m.cfg.Credentials; c.Grant != config.GrantNone {
		secret := string(c.ClientSecret)
		if c.ClientSecretFile != "" {
			b, err := os.ReadFile(c.ClientSecretFile)
			if err != nil {
				return err
			}
			secret = strings.TrimSpace(string(b))
		}
		m.creds, err = credential.New(credential.Options{
			TokenURL: c.TokenEndpoint, ClientID: c.ClientID, ClientSecret: secret, Scope: c.Scope,
			SecretInBody: c.ClientAuth == config.ClientAuthPost, Resource: c.Resource, Audience: c.Audience,
			Exchange: c.Grant == config.GrantTokenExchange,
		})
		if err != nil {
			return err
		}
		h.Credential = m.creds
	}
	if m.hop, err = hop.New(h); err != nil {
		return err
	}
	open := func(kind hop.Kind) upstream.Opener {
		return func(r link.Receiver, principal string) link.Link {
			o := hop.OpenOptions{Kind: kind, Principal: principal}
			if m.creds != nil {
				o.Token = func() string { return m.tokens.of(principal) }
			}
			return m.hop.Open(r, o)
		}
	}
	if m.cfg.Transport == config.SSE {
		o.Open, o.Era = open(hop.SSE2024), upstream.EraLegacy
		return nil
	}
	o.Open, o.OpenSSE = open(hop.Streamable), open(hop.SSE2024)
	return nil
}

// followEvery is how often it is looked whether an upstream that is hidden when it is down is down.
const followEvery = 500 * time.Millisecond

// follow hides m while it is down, and offers it again afterwards, until m is closed.
func (m *member) follow() {
	if m.ended.Load() {
		return
	}
	g := m.g
	g.applying.Lock()
	if down := m.up.State().State == "down"; down != m.hidden {
		m.hidden = down
		if m.lists != nil && g.serves(m) {
			g.offer(m)
		}
	}
	g.applying.Unlock()
	time.AfterFunc(followEvery, m.follow)
}

// begin connects to the upstream.
func (m *member) begin() {
	m.up.Connect()
	if m.cfg.WhenDown == config.WhenDownHide {
		time.AfterFunc(followEvery, m.follow)
	}
	time.AfterFunc(m.patience(), func() {
		// A changed upstream that does not come up is what is wanted nevertheless.
		m.g.applying.Lock()
		defer m.g.applying.Unlock()
		m.g.promote(m)
	})
}

// patience is how long the old configuration goes on while the new one connects.
func (m *member) patience() time.Duration {
	if m.cfg.StartTimeout > 0 {
		return m.cfg.StartTimeout
	}
	return 10 * time.Second
}

// drain waits until the calls of m have ended, those that wait for answers of clients included, for
// limit at most.
func (m *member) drain(limit time.Duration) {
	end := time.Now().Add(limit)
	for (m.flights.Load() > 0 || m.up.Parked() > 0) && !m.ended.Load() && time.Now().Before(end) {
		time.Sleep(20 * time.Millisecond)
	}
}

// end begins to close m.
func (m *member) end() {
	m.ended.Store(true)
	if m.up != nil {
		m.up.Close()
	}
}

// shutdown closes m and waits for its end.
func (m *member) shutdown(ctx context.Context) error {
	m.end()
	var errs []error
	if m.child != nil {
		errs = append(errs, m.child.Shutdown(ctx))
	}
	if m.hop != nil {
		errs = append(errs, m.hop.Close(ctx))
	}
	if m.creds != nil {
		m.creds.Close()
	}
	return errors.Join(errs...)
}

// close is shutdown with a time limit of its own.
func (m *member) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.shutdown(ctx); err != nil {
		m.g.log.Warn("gateway: an upstream did not end properly", "upstream", m.cfg.Name, "error", err)
	}
}

const everyClass = upstream.ClassForms | upstream.ClassURLs | upstream.ClassSampling | upstream.ClassSamplingTools | upstream.ClassRoots

// classOf returns what a client with the capabilities can be asked.
func classOf(c mcp.CapabilityBits) (k upstream.Class) {
	for _, p := range [...]struct {
		bit   mcp.CapabilityBits
		class upstream.Class
	}{
		{mcp.CapabilityElicitationForm, upstream.ClassForms},
		{mcp.CapabilityElicitationURL, upstream.ClassURLs},
		{mcp.CapabilitySampling, upstream.ClassSampling},
		{mcp.CapabilitySamplingTools, upstream.ClassSamplingTools},
		{mcp.CapabilityRoots, upstream.ClassRoots},
	} {
		if c&p.bit != 0 {
			k |= p.class
		}
	}
	return k
}
