package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A mirror is a Backend whose upstream is an mcp.Server in this process, which serves the newest
// revision.
type mirror struct{ up *mcp.Server }

func (b mirror) Start(f *mcp.Forward) {
	meta := fmt.Appendf(nil, `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":%s`, f.ClientCapabilities())
	if level := f.LogLevel(); level != "" {
		meta = fmt.Appendf(meta, `,"io.modelcontextprotocol/logLevel":%q`, level)
	}
	if f.ProgressToken() != nil {
		meta = append(meta, `,"progressToken":7`...)
	}
	var more []byte
	if answers := f.InputResponses(); answers != nil {
		more = fmt.Appendf(more, `"inputResponses":%s`, answers)
	}
	if state, ok := f.State(); ok {
		if more != nil {
			more = append(more, ',')
		}
		more = jsonrpc.AppendString(append(more, `"requestState":`...), state)
	}
	msg := jsonrpc.AppendRequest(nil, []byte("1"), f.Method().String(), f.AppendParams(nil, meta, more))
	ctx, stop := context.WithCancelCause(context.Background())
	f.Data = stop
	go run(b.up, ctx, msg, &mirrorSink{f: f})
}

func (b mirror) Cancel(f *mcp.Forward, cause error) { f.Data.(context.CancelCauseFunc)(cause) }

// run has the server answer a message.
func run(s *mcp.Server, ctx context.Context, msg []byte, w mcp.Sink) {
	var m jsonrpc.Envelope
	var call mcp.Call
	if err := m.Decode(msg); err != nil {
		panic(err)
	}
	if e := s.Prepare(&call, &m, &mcp.RequestMeta{Context: ctx}); e != nil {
		w.Respond(jsonrpc.AppendError(nil, m.ID, e), e.Code)
		return
	}
	call.Run(ctx, w)
}

// A mirrorSink gives back what the upstream says.
type mirrorSink struct {
	f      *mcp.Forward
	result []byte // without f
}

func (w *mirrorSink) Notify(msg []byte) bool {
	var m jsonrpc.Envelope
	if m.Decode(msg) != nil {
		return false
	}
	if string(m.Method) == "notifications/message" {
		return w.f.Message(m.Params)
	}
	return w.f.Progress(m.Params)
}

func (w *mirrorSink) Respond(msg []byte, _ jsonrpc.Code) {
	var m jsonrpc.Envelope
	if err := m.Decode(msg); err != nil {
		panic(err)
	}
	if w.f == nil {
		w.result = append(w.result, m.Result...)
		return
	}
	w.f.Response(&m)
}

// showUpstream has the rig's server show what its upstream has now, if it has one.
func (r *rig) showUpstream() {
	if r.upstream == r.ms {
		return
	}
	list := func(method, member string) (all []json.RawMessage) {
		w := new(mirrorSink)
		run(r.upstream, context.Background(), fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":%q,"params":{"_meta":{%s}}}`, method,
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`), w)
		text, _ := jsonrpc.Member(w.result, member)
		if err := json.Unmarshal(text, &all); err != nil {
			r.t.Fatal(err)
		}
		return all
	}
	f := &mcp.Forwarded{Backend: mirror{r.upstream}, Capabilities: mcp.ServerCapabilities{
		Tools: &mcp.ToolCapabilities{ListChanged: true}, Prompts: &mcp.PromptCapabilities{ListChanged: true},
		Resources: &mcp.ResourceCapabilities{ListChanged: true, Subscribe: true},
	}}
	for _, raw := range list("tools/list", "tools") {
		f.Tools = append(f.Tools, mcp.ForwardedFeature{Raw: raw})
	}
	for _, raw := range list("prompts/list", "prompts") {
		f.Prompts = append(f.Prompts, mcp.ForwardedFeature{Raw: raw})
	}
	for _, raw := range list("resources/list", "resources") {
		f.Resources = append(f.Resources, raw)
	}
	if errs := r.ms.Replace("mirror", f); errs != nil {
		r.t.Fatal(errors.Join(errs...))
	}
}
