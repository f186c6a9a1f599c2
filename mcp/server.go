package mcp

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/internal/seal"
)

// A Server is a set of features that clients use over any number of transports. Its methods may be
// called from any goroutine.
type Server struct {
	opts   ServerOptions
	impl   Implementation
	served servedSet

	heads     [revisionCount]resultHead
	infos     [revisionCount][]byte // impl as JSON
	listTools listing
	listRes   listing
	listTmpl  listing
	listPrm   listing
	states    *seal.Ring
	now       func() time.Time

	mu  sync.Mutex // held while reg is replaced
	reg atomic.Pointer[registry]

	views viewCache // with ServerOptions.Visible

	watchers  atomic.Pointer[[]*watcher] // replaced by watch
	subscribe subscribers
	peers     peerSet // the clients of connections
}

// NewServer returns a server that identifies itself as impl. Nil opts are the defaults. NewServer
// copies both. It panics if impl lacks a name or a version, or if a state key is too short, which
// are programming errors.
func NewServer(impl *Implementation, opts *ServerOptions) *Server {
	if impl == nil || impl.Name == "" || impl.Version == "" {
		panic("mcp: NewServer: an Implementation needs a name and a version")
	}
	s := &Server{opts: opts.withDefaults(), impl: *impl, now: time.Now}
	for i := range revisions {
		rev := &revisions[i]
		info, err := marshal(rev.wire.implementation(&s.impl))
		if err != nil {
			panic(fmt.Sprintf("mcp: NewServer: %v", err))
		}
		s.infos[i], s.heads[i] = info, newResultHead(rev, info)
	}
	var err error
	if s.served, err = servedRevisions(s.opts.SupportedProtocolVersions); err != nil {
		panic(fmt.Sprintf("mcp: NewServer: %v", err))
	}
	if s.opts.GetSessionID != nil {
		s.opts.Logger.Warn("mcp: ServerOptions.GetSessionID is never called: the IDs of sessions are sealed")
	}
	if _, err := marshal(s.opts.Capabilities); err != nil {
		panic(fmt.Sprintf("mcp: NewServer: capabilities: %v", err))
	}
	var keys [][]byte
	if len(s.opts.StateKey) > 0 {
		keys = append([][]byte{s.opts.StateKey}, s.opts.OldStateKeys...)
	}
	if s.states, err = seal.NewRing("requestState", keys...); err != nil {
		panic(fmt.Sprintf("mcp: NewServer: state key: %v", err))
	}
	hints, size, bytes := &s.opts.Cache, s.opts.PageSize, s.opts.PageBytes
	s.listTools = listing{"tools", 't', hints.Tools, size, bytes}
	s.listRes = listing{"resources", 'r', hints.Resources, size, bytes}
	s.listTmpl = listing{"resourceTemplates", 'm', hints.ResourceTemplates, size, bytes}
	s.listPrm = listing{"prompts", 'p', hints.Prompts, size, bytes}
	s.views.max = s.opts.VisibleBytes
	reg := newRegistry()
	reg.hasTools, reg.hasPrompts, reg.hasResources = s.opts.HasTools, s.opts.HasPrompts, s.opts.HasResources
	s.reg.Store(reg)
	s.watchers.Store(new([]*watcher))
	s.subscribe.init(s.opts.OnSubscribe, s.opts.OnUnsubscribe, s.listedURI)
	return s
}

// Close ends the goroutine that calls OnSubscribe and OnUnsubscribe, after the call that is under
// way. Calls may still be prepared and run.
func (s *Server) Close() { s.subscribe.close() }
