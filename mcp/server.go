package mcp

import (
	"fmt"
	"path"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/internal/seal"
)

// A Server is a set of features that clients use over any number of transports. [NewServer] makes
// one; the zero Server cannot be used. Its methods may be called from any goroutine.
type Server struct {
	opts   ServerOptions
	served servedSet

	identity  atomic.Pointer[identity] // replaced by SetImplementation
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
// copies both. Without a version, it is that of the program's main module, or "v0.0.0" if that is
// unknown. Without a name, it is the last element of the program's package path.
//
// NewServer panics if impl is nil, and if an option can never work, such as a state key that is too
// short or a revision that does not exist, which are programming errors.
func NewServer(impl *Implementation, opts *ServerOptions) *Server {
	if impl == nil {
		panic("mcp: NewServer: the Implementation is nil")
	}
	s := &Server{opts: opts.withDefaults(), now: time.Now}
	err := s.SetImplementation(impl)
	if err != nil {
		panic(fmt.Sprintf("mcp: NewServer: %v", err))
	}
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
	s.subscribe.init(s.guarded("OnSubscribe", s.opts.OnSubscribe), s.guarded("OnUnsubscribe", s.opts.OnUnsubscribe), s.listedURI)
	return s
}

// guarded returns the hook of that name, which may be nil, with its panics logged: a client may
// have chosen the URI.
func (s *Server) guarded(name string, hook func(string)) func(string) {
	if hook == nil {
		return nil
	}
	return func(uri string) {
		defer func() {
			if v := recover(); v != nil {
				s.opts.Logger.Error("mcp: "+name+" panicked", "uri", uri, "panic", v, "stack", string(debug.Stack()))
			}
		}()
		hook(uri)
	}
}

// Close ends the goroutine that calls OnSubscribe and OnUnsubscribe, after the call that is under
// way. Calls may still be prepared and run.
func (s *Server) Close() { s.subscribe.close() }

// fill sets the name and the version if they are missing, from what info says of the program.
func (i *Implementation) fill(info *debug.BuildInfo, ok bool) {
	if !ok {
		info = new(debug.BuildInfo)
	}
	if i.Name == "" {
		if i.Name = "server"; info.Path != "" {
			i.Name = path.Base(info.Path)
		}
	}
	if i.Version == "" {
		if i.Version = info.Main.Version; i.Version == "" || i.Version == "(devel)" {
			i.Version = "v0.0.0"
		}
	}
}
