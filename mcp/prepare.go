package mcp

import (
	"bytes"
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A methodSpec says how requests of a method are prepared and answered.
type methodSpec struct {
	// offered reports whether the server has the method; nil means that it always has it.
	offered func(*Server, *registry) bool
	// shape refuses params of the wrong types; nil means that there is nothing to check.
	shape func(*Call) *jsonrpc.Error
	// named says that Mcp-Name repeats c.name.
	named bool
	// visible says that bind depends on which features the caller sees.
	visible bool
	// bind finds what the request asks for and decides whether the call runs inline.
	bind func(*Call, *RequestMeta) *jsonrpc.Error
	// run answers the request; nil if the method has nothing to run.
	run func(*Call, context.Context, Sink)
}

var specs = [methodCount]methodSpec{
	MethodDiscover: {bind: bindDiscover, run: runPage},
	MethodListTools: {
		offered: offersTools, shape: shapeList, visible: true, bind: bindListTools, run: runPage,
	},
	MethodCallTool: {
		offered: offersTools, shape: shapeCallTool, named: true, visible: true, bind: bindCallTool, run: runCallTool,
	},
	MethodListResources: {
		offered: offersResources, shape: shapeList, visible: true, bind: bindListResources, run: runPage,
	},
	MethodListResourceTemplates: {
		offered: offersResources, shape: shapeList, visible: true, bind: bindListResourceTemplates, run: runPage,
	},
	MethodReadResource: {
		offered: offersResources, shape: shapeReadResource, named: true, visible: true, bind: bindReadResource, run: runReadResource,
	},
	MethodListPrompts: {
		offered: offersPrompts, shape: shapeList, visible: true, bind: bindListPrompts, run: runPage,
	},
	MethodGetPrompt: {
		offered: offersPrompts, shape: shapeGetPrompt, named: true, visible: true, bind: bindGetPrompt, run: runGetPrompt,
	},
	MethodComplete: {
		offered: offersCompletions, shape: shapeComplete, visible: true, bind: bindComplete, run: runComplete,
	},
	MethodListen:     {shape: shapeListen, visible: true, bind: bindListen, run: runListen},
	MethodInitialize: {shape: shapeInitialize, bind: bindInitialize, run: runInitialize},
	MethodPing:       {bind: bindPing, run: runPing},
	MethodSetLevel:   {offered: offersLogging, shape: shapeSetLevel, bind: bindSessionOp, run: runSetLevel},
	MethodSubscribe: {
		offered: offersSubscribe, shape: shapeSubscribe, visible: true, bind: bindSubscribe, run: runSubscribe,
	},
	MethodUnsubscribe: {
		offered: offersSubscribe, shape: shapeSubscribe, bind: bindSessionOp, run: runUnsubscribe,
	},
}

// Prepare checks m as a message of its revision and readies c to run it. C is zero or has been
// reset. Prepare calls no handler. It blocks only in a ServerOptions.Visible that may wait, and not
// if meta.NoWait is set. It takes O(len(m)) time, multiplied by the number of things that it looks
// for in m: resource templates, a tool's header params, a prompt's required arguments. C aliases
// the slices of m, which must not change until Run has returned or c has been reset. If Run has run
// a call that is not [Call.Inline], they must never change: its handler may have kept its
// arguments.
//
// Prepare checks in this order: the shape of the message, the era, the envelope, the method, the
// types of the params, the standard header fields, what the params name, and the header fields of
// a tool's params. If it refuses the message, it returns the error that answers it; [Call.Status]
// gives the HTTP status for its code. A refusal may be shared and must not be changed.
func (s *Server) Prepare(c *Call, m *jsonrpc.Envelope, meta *RequestMeta) *jsonrpc.Error {
	if meta == nil {
		meta = new(RequestMeta)
	}
	c.s, c.reg, c.id = s, s.reg.Load(), m.ID
	c.method = methodOf(m.Method)
	c.principal, c.endpoint, c.bound = meta.Principal, meta.Endpoint, meta.MaxResponse
	c.header, c.tokenInfo, c.remoteAddr = meta.Header, meta.TokenInfo, meta.RemoteAddr
	switch m.Kind {
	case jsonrpc.KindRequest:
	case jsonrpc.KindNotification:
		return c.prepareNotification(m, meta)
	default:
		return c.prepareAnswer(meta)
	}
	c.p.scan(m.Params)
	c.env.scan(c.p.meta)
	e := c.chooseRevision(meta)
	if c.p.meta != nil && !isObject(c.p.meta) {
		return errMeta
	}
	if e != nil {
		return e
	}
	if c.rev.requestMeta {
		e = c.env.check()
	} else {
		e = c.env.checkLegacy()
	}
	if e != nil {
		return e
	}
	spec := &specs[c.method]
	if c.method == MethodOther && c.reg.custom != nil {
		if c.custom = c.reg.custom[string(m.Method)]; c.custom != nil {
			spec = &customSpec
		}
	}
	if c.custom == nil && !c.rev.methods[c.method] || spec.offered != nil && !spec.offered(s, c.reg) {
		return errNoMethod
	}
	if spec.shape != nil {
		if e := spec.shape(c); e != nil {
			return e
		}
	}
	if meta.HTTP && c.rev.headers {
		if e := c.checkStandardHeaders(meta, m.Method, spec.named); e != nil {
			return e
		}
	}
	c.run = spec.run
	c.chained = c.reg.wanted.wants(c.method, m.Method)
	if s.opts.Visible != nil && (spec.visible || c.chained) { // middleware may pass it on as another
		if spec.visible && meta.NoWait && !s.opts.VisibleInline {
			c.kind = CallUnprepared
			return nil
		}
		c.caller = s.newCaller(c, meta)
	}
	if e := spec.bind(c, meta); e != nil {
		return e
	}
	if c.kind == CallNone {
		c.kind = CallRequest
	}
	return nil
}

// chooseRevision finds the revision of a request by its envelope, not by its method
// (basic/versioning). Only initialize, which modern revisions do not have, is always a legacy
// request unless it makes a valid modern claim.
func (c *Call) chooseRevision(meta *RequestMeta) *jsonrpc.Error {
	if c.env.version != nil {
		version, ok := stringOf(c.env.version)
		if c.rev = c.s.served.modern(version); c.rev != nil {
			return nil
		}
		switch {
		case c.method == MethodInitialize:
		case !ok:
			return errMetaVersion
		case meta.HTTP && meta.ProtocolVersion != nil && !bytes.Equal(meta.ProtocolVersion, version):
			return errVersion // header and body differ, so neither is the requested version
		default:
			return c.s.served.unsupportedVersion(version)
		}
	}
	// From here on the request makes no modern claim in its body.
	if c.method == MethodInitialize {
		// until shapeInitialize reads which one is asked for
		if c.rev = c.s.served.newestLegacy(); c.rev == nil {
			version, _ := stringOf(c.p.version)
			return c.s.served.unsupportedVersion(version)
		}
		return nil
	}
	return c.joinSession(meta)
}

func offersTools(s *Server, r *registry) bool {
	return r.hasTools || s.opts.Capabilities.Tools != nil || r.declared.Tools != nil
}

func offersPrompts(s *Server, r *registry) bool {
	return r.hasPrompts || s.opts.Capabilities.Prompts != nil || r.declared.Prompts != nil
}

func offersResources(s *Server, r *registry) bool {
	return r.hasResources || s.opts.Capabilities.Resources != nil || r.declared.Resources != nil
}

func offersCompletions(s *Server, r *registry) bool {
	return s.opts.CompletionHandler != nil || s.opts.Capabilities.Completions != nil || r.declared.Completions != nil
}
