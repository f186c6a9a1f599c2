package mcp

import (
	"bytes"
	"context"
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A Topic is a set of kinds of changes.
type Topic uint8

const (
	TopicTools     Topic = 1 << iota // the list of tools
	TopicPrompts                     // the list of prompts
	TopicResources                   // the list of resources or of resource templates
	TopicResource                    // the contents of single resources
)

// A Listen is a subscription that client and server agreed on: what the client wants and the
// server has.
type Listen struct {
	ID     string // the JSON text of the subscription's id, which is that of the request
	Topics Topic
	URIs   []string // the resources of TopicResource, each once and in normalized spelling

	spelled map[string]string // the client's spelling of the URIs, where it is not the normalized one
}

// A Change is a change of the features or of a resource.
type Change struct {
	Topic Topic  // one bit
	URI   string // for TopicResource only
}

// shapeListen checks the params of subscriptions/listen.
func shapeListen(c *Call) *jsonrpc.Error {
	if !isObject(c.p.notifications) {
		return errNotifications
	}
	for name, value := range jsonrpc.Members(c.p.notifications) {
		if isNull(value) {
			continue
		}
		switch string(unescaped(name)) {
		case "toolsListChanged", "promptsListChanged", "resourcesListChanged":
			if s := string(value); s != "true" && s != "false" {
				return invalidParams("list changes must be requested by true or false")
			}
		case "resourceSubscriptions":
			if len(value) == 0 || value[0] != '[' {
				return invalidParams("resourceSubscriptions must be an array of strings")
			}
			for e := range jsonrpc.Elements(value) {
				if _, ok := stringOf(e); !ok {
					return invalidParams("resourceSubscriptions must be an array of strings")
				}
			}
		}
	}
	return nil
}

// bindListen agrees on a subscription. With middleware or a SubscribeHandler, runListen does that.
func bindListen(c *Call, _ *RequestMeta) *jsonrpc.Error {
	c.kind = CallListen
	if c.inline = !c.chained && c.s.opts.SubscribeHandler == nil; !c.inline {
		return nil
	}
	a := c.s.newAgreement(c.reg, c.caller, string(c.id))
	for name, value := range jsonrpc.Members(c.p.notifications) {
		wanted := string(value) == "true"
		switch string(unescaped(name)) {
		case "toolsListChanged":
			a.add(TopicTools, wanted)
		case "promptsListChanged":
			a.add(TopicPrompts, wanted)
		case "resourcesListChanged":
			a.add(TopicResources, wanted)
		case "resourceSubscriptions":
			for e := range jsonrpc.Elements(value) {
				uri, _ := stringOf(e)
				if e := a.addURI(uri); e != nil {
					return e
				}
			}
		}
	}
	c.listen = a.done()
	return nil
}

// An agreement is a Listen in the making: the part of what the client asks for that the server
// offers. Resources that the server does not serve are left out. The number and the length of URIs
// are limited, because a template serves URIs that a client invents, and the server must remember
// them.
type agreement struct {
	s       *Server
	reg     *registry
	caller  *Caller
	offered Topic
	l       *Listen
	n, size int // URIs that were asked for, and their octets
}

// newAgreement returns an agreement on a Listen with the id, which is JSON text.
func (s *Server) newAgreement(reg *registry, caller *Caller, id string) agreement {
	return agreement{s: s, reg: reg, caller: caller, offered: s.topics(reg), l: &Listen{ID: id}}
}

// add adds a topic that is wanted, if it is offered.
func (a *agreement) add(t Topic, wanted bool) {
	if wanted {
		a.l.Topics |= t & a.offered
	}
}

// addURI adds the resource with the URI in the client's spelling, if it is served.
func (a *agreement) addURI(uri []byte) *jsonrpc.Error {
	if a.n++; a.n > a.s.opts.MaxListenURIs {
		return invalidParams("too many resourceSubscriptions")
	}
	if a.size += len(uri); a.size > a.s.opts.MaxListenBytes {
		return invalidParams("resourceSubscriptions are too long")
	}
	spelling := string(uri)
	if a.offered&TopicResource == 0 || a.s.subscribable(a.reg, a.caller, spelling) != subscribeAllowed {
		return nil
	}
	key := normalURI(spelling)
	a.l.URIs = append(a.l.URIs, key)
	if key == spelling {
		return nil
	}
	a.s.subscribe.spell(key, spelling)
	if a.l.spelled == nil {
		a.l.spelled = make(map[string]string)
	}
	a.l.spelled[key] = spelling
	return nil
}

// done returns the Listen that was agreed on.
func (a *agreement) done() *Listen {
	l := a.l
	if len(l.URIs) > 0 {
		slices.Sort(l.URIs)
		l.URIs = slices.Clip(slices.Compact(l.URIs))
		l.Topics |= TopicResource
	}
	return l
}

// AppendAcknowledged appends notifications/subscriptions/acknowledged, which must be
// the first message of the listener's stream.
func (s *Server) AppendAcknowledged(dst []byte, l *Listen) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"`+MetaKeySubscriptionID+`":`...)
	dst = append(dst, l.ID...)
	dst = append(dst, `},"notifications":{`...)
	empty := len(dst)
	comma := func() {
		if len(dst) > empty {
			dst = append(dst, ',')
		}
	}
	if l.Topics&TopicTools != 0 {
		dst = append(dst, `"toolsListChanged":true`...)
	}
	if l.Topics&TopicPrompts != 0 {
		comma()
		dst = append(dst, `"promptsListChanged":true`...)
	}
	if l.Topics&TopicResources != 0 {
		comma()
		dst = append(dst, `"resourcesListChanged":true`...)
	}
	if l.Topics&TopicResource != 0 {
		comma()
		dst = append(dst, `"resourceSubscriptions":[`...)
		for i, uri := range l.URIs {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = jsonrpc.AppendString(dst, l.spelling(uri))
		}
		dst = append(dst, ']')
	}
	return append(dst, `}}}`...)
}

// AppendListenResult appends the response that ends the listener with the id, which is JSON text,
// in the revision that has listeners (basic/patterns/subscriptions, "Graceful Closure").
func (s *Server) AppendListenResult(dst []byte, id string) []byte {
	dst = appendID(dst, []byte(id))
	dst = append(dst, s.identity.Load().heads[newest().index].open...)
	dst = append(dst, `,"`+MetaKeySubscriptionID+`":`...)
	dst = append(dst, id...)
	return append(dst, `}}}`...)
}

const subscriptionMeta = `"params":{"_meta":{"` + MetaKeySubscriptionID + `":`

// These are the notifications up to the subscription's id, and the end of those of lists. They are
// never changed.
var (
	toolsChanged     = []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed",` + subscriptionMeta)
	promptsChanged   = []byte(`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed",` + subscriptionMeta)
	resourcesChanged = []byte(`{"jsonrpc":"2.0","method":"notifications/resources/list_changed",` + subscriptionMeta)
	resourceUpdated  = []byte(`{"jsonrpc":"2.0","method":"notifications/resources/updated",` + subscriptionMeta)
	changedEnd       = []byte(`}}}`)
)

// ChangeMessage returns the notification of ch in two parts. The subscription's id, as JSON text,
// goes between them. They must not be changed.
func (s *Server) ChangeMessage(ch Change) (prefix, suffix []byte) {
	switch ch.Topic {
	case TopicTools:
		return toolsChanged, changedEnd
	case TopicPrompts:
		return promptsChanged, changedEnd
	case TopicResources:
		return resourcesChanged, changedEnd
	}
	var end bytes.Buffer
	end.WriteString(`},"uri":`)
	end.Write(jsonrpc.AppendString(nil, s.spelling(ch.URI)))
	end.WriteString(`}}`)
	return resourceUpdated, end.Bytes()
}

// OnChange makes the server call f after each change, on the goroutine that made the change. F
// must not block. Changes of a resource are reported only while its URI has a subscriber.
//
// OnChange may be called from any goroutine, and by several transports. A transport that ends
// calls stop; changes made after stop has returned are not reported to f. Stop may be called
// several times and from any goroutine. Neither blocks.
func (s *Server) OnChange(f func(Change)) (stop func()) {
	w := &watcher{f}
	s.watch(func(all []*watcher) []*watcher { return append(all, w) })
	return func() {
		s.watch(func(all []*watcher) []*watcher {
			return slices.DeleteFunc(all, func(o *watcher) bool { return o == w })
		})
	}
}

// watch replaces the watchers by what change makes of a copy of them. It does not block.
func (s *Server) watch(change func([]*watcher) []*watcher) {
	for {
		all := s.watchers.Load()
		next := change(slices.Clone(*all))
		if s.watchers.CompareAndSwap(all, &next) {
			return
		}
	}
}

// A watcher is a function that was given to OnChange.
type watcher struct{ f func(Change) }

func (s *Server) tell(ch Change) {
	for _, w := range *s.watchers.Load() {
		w.f(ch)
	}
}

// ResourceUpdated notifies the subscribers of params.URI that the contents of the resource have
// changed. It may be called from any goroutine and as often as the host likes: transports send a
// listener only as many notices as it takes. Without sending middleware it does not block, needs no
// context and returns nil; otherwise it returns the error of the middleware. The metadata in params
// is not sent, because one notice is written for all subscribers.
func (s *Server) ResourceUpdated(ctx context.Context, params *ResourceUpdatedNotificationParams) error {
	if h := s.reg.Load().sending; h != nil {
		if !s.subscribe.has(normalURI(params.URI)) {
			return nil
		}
		own := *params
		return notifyThrough(ctx, new(ServerSession), h, "notifications/resources/updated", &own)
	}
	s.tellUpdated(params.URI)
	return nil
}

// tellUpdated reports to the watchers that the resource has changed, if somebody subscribes to it.
func (s *Server) tellUpdated(uri string) {
	if uri = normalURI(uri); s.subscribe.has(uri) {
		s.tell(Change{Topic: TopicResource, URI: uri})
	}
}

// Subscribe adds a listener to the count of the URI. Transports call it once for each URI of a
// Listen, before they acknowledge the subscription. It does not block and may be called from any
// goroutine.
func (s *Server) Subscribe(uri string) { s.subscribe.add(normalURI(uri), 1) }

// Unsubscribe takes back one Subscribe. It does not block and may be called from any
// goroutine.
func (s *Server) Unsubscribe(uri string) { s.subscribe.add(normalURI(uri), -1) }

// spelling returns the URI with the key as clients and the host see it: in a subscriber's
// spelling, or else as it is listed, or else the key.
func (s *Server) spelling(key string) string {
	if spelling, ok := s.subscribe.spelling(key); ok {
		return spelling
	}
	return s.listedURI(key)
}

// listedURI returns the URI of the resource with the key as it is listed, or the key if it is not
// listed.
func (s *Server) listedURI(key string) string {
	if r, ok := s.reg.Load().resources.get([]byte(key)); ok {
		return r.def.URI
	}
	return key
}
