package mcp

import (
	"context"
	"net/http"
	"net/netip"
	"testing"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

type tenantKey struct{}

// Visible learns all that the transport and the request say of the caller.
func TestVisibleCaller(t *testing.T) {
	var got *Caller
	var tenant any
	var kind FeatureKind
	s := newTestServer(t, &ServerOptions{Visible: func(ctx context.Context, caller *Caller, k FeatureKind, name string) bool {
		got, tenant, kind = caller, ctx.Value(tenantKey{}), k
		if caller.ClientCapabilities().Elicitation == nil {
			t.Error("no capability")
		}
		if info := caller.ClientInfo(); info == nil || info.Name != "tester" {
			t.Errorf("client %+v", info)
		}
		if name != "echo" {
			t.Errorf("asked about %q", name)
		}
		return true
	}})
	meta := RequestMeta{
		Context:    context.WithValue(t.Context(), tenantKey{}, "acme"),
		Header:     http.Header{"X-Tenant": {"acme"}},
		TokenInfo:  &auth.TokenInfo{UserID: "ada"},
		RemoteAddr: netip.MustParseAddrPort("192.0.2.1:5"),
	}
	eras := map[string]*client{modern: newClient(t, s), "2025-11-25": newLegacyClient(t, s, "2025-11-25", formCaps)}
	for revision, c := range eras {
		own := meta
		if c.session == nil {
			c.caps, c.meta = formCaps, `,"`+MetaKeyClientInfo+`":{"name":"tester","version":"1"}`
		} else {
			own.SessionID = "s1"
		}
		c.principal = "ada"
		c.callHTTP("tools/call", `"name":"echo","arguments":{"text":"x"}`, &own).wantResult(revision)
		if got.Principal != "ada" || got.TokenInfo != meta.TokenInfo || got.Header.Get("x-tenant") != "acme" || got.RemoteAddr != meta.RemoteAddr {
			t.Errorf("%s: asked for %+v", revision, got.RequestExtra)
		}
		if tenant != "acme" || kind != FeatureTool || got.ProtocolVersion() != revision || got.SessionID() != own.SessionID {
			t.Errorf("%s: tenant %v, kind %v, revision %s, session %q", revision, tenant, kind, got.ProtocolVersion(), got.SessionID())
		}
	}
	if c := eras[modern]; c != nil { // a transport without a context gives none
		c.call("tools/call", `"name":"echo","arguments":{"text":"x"}`).wantResult("without a context")
		if tenant != nil {
			t.Errorf("tenant %v", tenant)
		}
	}
}

// Where Prepare must not wait it leaves requests that Visible decides on, and those alone, to
// another Prepare.
func TestVisibleMayWait(t *testing.T) {
	for _, inline := range []bool{false, true} {
		asked := 0
		s := newVisibleServer(t, &ServerOptions{Visible: func(context.Context, *Caller, FeatureKind, string) bool { asked++; return true }})
		s.opts.VisibleInline = inline
		for _, tt := range []struct {
			method, members string
			session, waits  bool
			kind            CallKind
		}{
			{"tools/list", ``, false, true, CallRequest},
			{"prompts/list", ``, false, true, CallRequest},
			{"resources/list", ``, false, true, CallRequest},
			{"resources/templates/list", ``, true, true, CallRequest},
			{"tools/call", `"name":"f00-bob"`, true, true, CallRequest},
			{"prompts/get", `"name":"f00-bob"`, false, true, CallRequest},
			{"resources/read", `"uri":"test://f00-bob"`, false, true, CallRequest},
			{"completion/complete", `"ref":{"type":"ref/prompt","name":"f00-bob"},"argument":{"name":"a","value":"v"}`, true, true, CallRequest},
			{"subscriptions/listen", `"notifications":{"resourceSubscriptions":["test://f00-bob"]}`, false, true, CallListen},
			{"resources/subscribe", `"uri":"test://f00-bob"`, true, true, CallSession},
			{"resources/unsubscribe", `"uri":"test://f00-bob"`, true, false, CallSession},
			{"logging/setLevel", `"level":"info"`, true, false, CallSession},
			{"server/discover", ``, false, false, CallRequest},
			{"ping", ``, true, false, CallRequest},
		} {
			c := newClient(t, s)
			if tt.session {
				c = newLegacyClient(t, s, "2025-11-25", `{}`)
			}
			asked = 0
			a := c.callHTTP(tt.method, tt.members, &RequestMeta{NoWait: true})
			switch waits := tt.waits && !inline; {
			case waits && (a.kind != CallUnprepared || asked != 0 || a.inline):
				t.Errorf("%s: kind %d, asked %d times", tt.method, a.kind, asked)
			case !waits && (a.kind != tt.kind || asked > 0 != tt.waits):
				t.Errorf("%s: kind %d, asked %d times", tt.method, a.kind, asked)
			}
			if a = c.call(tt.method, tt.members); a.kind != tt.kind || a.code != 0 {
				t.Errorf("%s: kind %d, %s", tt.method, a.kind, a.body)
			}
		}
	}
}

// Prepare of a call that was left unprepared begins anew.
func TestUnpreparedIsPreparedAgain(t *testing.T) {
	s := newTestServer(t, &ServerOptions{Visible: byPrincipal})
	m, meta := hotMessage(t, "tools/list", "", hotMeta)
	meta.NoWait, meta.Principal = true, "echo"
	var c Call
	w := &recorder{t: t}
	if e := s.Prepare(&c, m, meta); e != nil || c.Kind() != CallUnprepared {
		t.Fatal(e, c.Kind())
	}
	c.Run(t.Context(), w) // does nothing
	c.Reset()
	meta.NoWait = false
	if e := s.Prepare(&c, m, meta); e != nil || c.Kind() != CallRequest {
		t.Fatal(e, c.Kind())
	}
	c.Run(t.Context(), w)
	if got := names(&answer{t: t, body: w.body}, "tools", "name"); len(got) != 1 || got[0] != "echo" || w.code != jsonrpc.Code(0) {
		t.Errorf("answered %s", w.body)
	}
}
