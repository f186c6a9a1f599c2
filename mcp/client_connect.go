package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// ClientSessionOptions configure a [ClientSession].
type ClientSessionOptions struct {
	// ProtocolVersion is the revision to ask for. Default: the newest. A server that does not have
	// it may agree on another.
	ProtocolVersion string
}

// A versionedConn wants to know which revision was agreed on.
type versionedConn interface {
	agreed(ctx context.Context, rev *revision)
}

// Connect connects to the server at the other end of t, and agrees with it on a revision: by
// server/discover, or by initialize with servers that have only earlier revisions. Ctx is for that
// alone. The session ends with Close, or when the server closes the connection.
func (c *Client) Connect(ctx context.Context, t Transport, opts *ClientSessionOptions) (*ClientSession, error) {
	version := newest().name
	if opts != nil && opts.ProtocolVersion != "" {
		version = opts.ProtocolVersion
	}
	if revisionNamed([]byte(version)) == nil {
		return nil, fmt.Errorf("mcp: unknown protocol version %q", version)
	}
	conn, err := t.Connect(ctx)
	if err != nil {
		return nil, err
	}
	cs := newClientSession(c, conn)
	if err := cs.open(ctx, version); err != nil {
		_ = cs.Close() // err is the reason
		return nil, err
	}
	c.mu.Lock()
	c.sessions = append(c.sessions, cs)
	c.mu.Unlock()
	if cs.ctx.Err() != nil {
		c.remove(cs)
	}
	return cs, nil
}

// open agrees on a revision.
func (cs *ClientSession) open(ctx context.Context, version string) error {
	if modernNamed([]byte(version)) == nil {
		return cs.initialize(ctx, version)
	}
	res, err := sendCall[*DiscoverResult](ctx, cs, MethodDiscover.String(), &DiscoverParams{})
	if err == nil {
		return cs.discovered(ctx, version, res)
	}
	// "If the server does not support the method, the client falls back to initialize."
	earlier, ok := fallback(err)
	if !ok {
		return err
	}
	return cs.initialize(ctx, earlier)
}

// fallback returns the revision for initialize if err, of server/discover, means that the server
// has only earlier revisions.
func fallback(err error) (string, bool) {
	var wire *jsonrpc.Error
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		return newestSession().name, refused.status >= 400 && refused.status < 500
	case !errors.As(err, &wire):
		return "", false
	case wire.Code == CodeUnsupportedProtocolVersion:
		var data UnsupportedProtocolVersionData
		if json.Unmarshal(wire.Data, &data) == nil {
			for i := range revisions {
				for _, name := range data.Supported {
					if rev := &revisions[i]; rev.name == name && rev.tag != 0 {
						return name, true
					}
				}
			}
		}
		return "", false
	}
	return newestSession().name, true
}

// discovered makes cs a session at a modern revision.
func (cs *ClientSession) discovered(ctx context.Context, version string, res *DiscoverResult) error {
	cs.rev = modernNamed([]byte(version))
	cs.result = &InitializeResult{
		Meta: res.Meta, Capabilities: res.Capabilities, Instructions: res.Instructions, ProtocolVersion: version,
	}
	if text, err := json.Marshal(res.Meta[MetaKeyServerInfo]); err == nil {
		var info Implementation
		if decodeExact(text, &info) == nil && info.Name != "" {
			cs.result.ServerInfo = &info
		}
	}
	if conn, ok := cs.conn.(versionedConn); ok {
		conn.agreed(ctx, cs.rev)
	}
	o := &cs.client.opts
	caps := res.Capabilities
	if caps == nil {
		return nil
	}
	wanted := NotificationSubscriptions{
		ToolsListChanged:     o.ToolListChangedHandler != nil && caps.Tools != nil && caps.Tools.ListChanged,
		PromptsListChanged:   o.PromptListChangedHandler != nil && caps.Prompts != nil && caps.Prompts.ListChanged,
		ResourcesListChanged: o.ResourceListChangedHandler != nil && caps.Resources != nil && caps.Resources.ListChanged,
	}
	if wanted.ToolsListChanged || wanted.PromptsListChanged || wanted.ResourcesListChanged {
		_, err := cs.listen(ctx, &wanted)
		return err
	}
	return nil
}

// initialize makes cs a session of an earlier revision.
func (cs *ClientSession) initialize(ctx context.Context, version string) error {
	res, err := sendCall[*InitializeResult](ctx, cs, MethodInitialize.String(), &InitializeParams{
		ProtocolVersion: version, Capabilities: cs.client.capabilities(), ClientInfo: &cs.client.impl,
	})
	if err != nil {
		return err
	}
	rev := legacyNamed([]byte(res.ProtocolVersion))
	if rev == nil {
		return fmt.Errorf("mcp: the server wants the protocol version %q", res.ProtocolVersion)
	}
	cs.result, cs.rev = res, rev
	conn, versioned := cs.conn.(versionedConn)
	if versioned {
		conn.agreed(ctx, rev)
	}
	return sendNote(ctx, cs, "notifications/initialized", &InitializedParams{})
}

// listen opens a subscription, and waits until the server has acknowledged it. It returns the
// function that ends the subscription.
func (cs *ClientSession) listen(ctx context.Context, wanted *NotificationSubscriptions) (context.CancelFunc, error) {
	params, err := cs.encodeParams(MethodListen.String(), &SubscriptionsListenParams{Notifications: wanted})
	if err != nil {
		return nil, err
	}
	id, ch, err := cs.begin()
	if err != nil {
		return nil, err
	}
	acknowledged := make(chan struct{})
	cs.mu.Lock()
	cs.acks[id.String()] = acknowledged
	cs.mu.Unlock()
	life, cancel := context.WithCancel(cs.ctx)
	over := make(chan error, 1)
	go func() {
		_, err := cs.await(life, id, ch, MethodListen.String(), params)
		over <- err
	}()
	defer func() {
		cs.mu.Lock()
		delete(cs.acks, id.String())
		cs.mu.Unlock()
	}()
	select {
	case <-acknowledged:
		return cancel, nil
	case err := <-over:
		cancel()
		if err == nil {
			err = errors.New("mcp: the server ended the subscription")
		}
		return nil, err
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
}

// acknowledge notes that the server has acknowledged a subscription. The caller holds cs.mu.
func (cs *ClientSession) acknowledge(params []byte) {
	id := member(member(params, "_meta"), MetaKeySubscriptionID)
	text, ok := jsonrpc.StringValue(id)
	if !ok {
		text = string(id)
	}
	if ch := cs.acks[text]; ch != nil {
		close(ch)
		delete(cs.acks, text)
	}
}

// newestSession returns the newest revision with sessions.
func newestSession() *revision {
	for i := range revisions {
		if revisions[i].tag != 0 {
			return &revisions[i]
		}
	}
	return nil
}
