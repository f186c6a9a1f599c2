package dialect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// Options say how to ask a server. The zero Options is ready to use.
type Options struct {
	Era Era // zero: Modern if the server speaks it, otherwise Legacy. Plain is never guessed
	// Revision is the revision to request. Empty: ModernRevision or LegacyRevision, by Era. If Era
	// is zero, Revision applies to Legacy, unless it is ModernRevision or later.
	Revision string
	Header   []string      // see Target.Header
	Timeout  time.Duration // for all requests together; zero: 15 s
}

// Limits on what a server can make Ask hold.
const (
	maxTools = 10_000
	maxPages = 1000
)

// Ask finds out which era the server at rawURL speaks, its name and its tools, and returns a Target
// that is ready to use. It uses the same requests that the Target appends. It ends the session that
// it opened with a DELETE, and ignores the server's answer to that.
//
// The error says what the answer to each request was. Text from the server is quoted and truncated.
func Ask(ctx context.Context, rawURL string, o *Options) (*Target, error) {
	if o == nil {
		o = new(Options)
	}
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if _, err := headerFields(o.Header); err != nil {
		return nil, err
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = 15 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	addr, err := resolve(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("dialect: %s: %w", rawURL, err)
	}
	t := &Target{URL: rawURL, Addr: addr, Header: slices.Clone(o.Header)}
	var refusals []error
	for _, era := range o.eras() {
		t.Era, t.Revision = era, o.revision(era)
		if err := t.Prepare(); err != nil {
			return nil, err
		}
		if err = t.ask(ctx, o); err == nil {
			return t, nil
		}
		var no *refusal
		if !errors.As(err, &no) || ctx.Err() != nil {
			return nil, fmt.Errorf("dialect: %s: %w", rawURL, err)
		}
		refusals = append(refusals, err)
	}
	if len(refusals) == 2 {
		return nil, fmt.Errorf("dialect: %s %w, and %w", rawURL, refusals[0], refusals[1])
	}
	return nil, fmt.Errorf("dialect: %s %w", rawURL, refusals[0])
}

func (o *Options) eras() []Era {
	switch {
	case o.Era != 0:
		return []Era{o.Era}
	case o.Revision == "":
		return []Era{Modern, Legacy}
	case o.Revision >= ModernRevision:
		return []Era{Modern}
	}
	return []Era{Legacy}
}

func (o *Options) revision(e Era) string {
	switch {
	case o.Revision != "":
		return o.Revision
	case e == Modern:
		return ModernRevision
	case e == Legacy:
		return LegacyRevision
	}
	return ""
}

// A refusal is an answer which means that the server does not speak the era. Its text continues a
// sentence that begins with the URL.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// ask uses t.Era, for which Prepare has been called.
func (t *Target) ask(ctx context.Context, o *Options) error {
	switch t.Era {
	case Modern:
		return t.askModern(ctx, o.Era == Modern)
	case Legacy:
		return t.askLegacy(ctx)
	}
	return t.askPlain(ctx)
}

// askModern accepts any result if the user chose the era, because a server may send one result for
// all requests.
func (t *Target) askModern(ctx context.Context, told bool) error {
	const what = "server/discover"
	a, err := t.exchange(ctx, what, t.AppendDiscover(nil, 1))
	if err != nil {
		return err
	}
	result, err := a.result(what, 1)
	if err != nil {
		return err
	}
	versions, ok := jsonrpc.Member(result, "supportedVersions")
	if !ok && !told {
		return &refusal{fmt.Sprintf("returned %d for %s, but without supportedVersions: %s", a.status, what, quote(result))}
	}
	if ok && !slices.ContainsFunc(slices.Collect(jsonrpc.Elements(versions)), func(v []byte) bool { return jsonrpc.EqualString(v, t.Revision) }) {
		return &refusal{fmt.Sprintf("speaks %s, not %s (server/discover)", quote(versions), t.Revision)}
	}
	if meta, ok := jsonrpc.Member(result, "_meta"); ok {
		t.identify(meta, "io.modelcontextprotocol/serverInfo")
	}
	if t.Name == "" {
		t.identify(result, "serverInfo")
	}
	return t.askTools(ctx, result, nil)
}

func (t *Target) askLegacy(ctx context.Context) error {
	const what = "initialize"
	a, err := t.exchange(ctx, what, t.AppendInitialize(nil, 1))
	if err != nil {
		return err
	}
	result, err := a.result(what, 1)
	if err != nil {
		return err
	}
	session := a.session
	t.Sessions = session != nil
	if revision, ok := jsonrpc.Member(result, "protocolVersion"); ok {
		t.Revision, _ = jsonrpc.StringValue(revision)
		if err := t.Prepare(); err != nil {
			return &refusal{fmt.Sprintf("returned %d for %s with protocolVersion %s", a.status, what, quote(revision))}
		}
	}
	t.identify(result, "serverInfo")
	if t.Sessions {
		defer func() { _, _ = t.exchange(ctx, "DELETE", t.AppendDelete(nil, session)) }()
	}
	a, err = t.exchange(ctx, "notifications/initialized", t.AppendInitialized(nil, session))
	if err != nil {
		return err
	}
	if a.status/100 != 2 {
		return &refusal{fmt.Sprintf("returned %d for notifications/initialized", a.status)}
	}
	return t.askTools(ctx, result, session)
}

// askPlain opens a stream and closes it.
func (t *Target) askPlain(ctx context.Context) error {
	a, err := t.exchange(ctx, "GET", t.AppendGet(nil, nil))
	if err != nil {
		return err
	}
	if a.status != 200 || !a.stream {
		return &refusal{fmt.Sprintf("returned %d and %q for GET, not an event stream", a.status, a.contentType)}
	}
	return nil
}

// askTools reads all pages of tools/list if the capabilities of the handshake's result contain
// tools, or if the result has no capabilities.
func (t *Target) askTools(ctx context.Context, handshake, session []byte) error {
	if capabilities, ok := jsonrpc.Member(handshake, "capabilities"); ok {
		tools, ok := jsonrpc.Member(capabilities, "tools")
		if !ok {
			return nil
		}
		changed, _ := jsonrpc.Member(tools, "listChanged")
		t.ListChanged = string(changed) == "true"
	}
	const what = "tools/list"
	t.Tools = nil
	var cursor []byte
	for page := int64(2); page < maxPages; page++ {
		a, err := t.exchange(ctx, what, t.appendToolsPage(nil, page, session, cursor))
		if err != nil {
			return err
		}
		result, err := a.result(what, page)
		if err != nil {
			return err
		}
		list, _ := jsonrpc.Member(result, "tools")
		for tool := range jsonrpc.Elements(list) {
			raw, _ := jsonrpc.Member(tool, "name")
			if name, ok := jsonrpc.StringValue(raw); ok && name != "" && len(t.Tools) < maxTools {
				t.Tools = append(t.Tools, name)
			}
		}
		var ok bool
		if cursor, ok = jsonrpc.Member(result, "nextCursor"); !ok || cursor[0] != '"' {
			return nil
		}
	}
	return fmt.Errorf("returned more than %d pages for %s", maxPages, what)
}

// identify sets Name and Version from a member of obj.
func (t *Target) identify(obj []byte, member string) {
	info, _ := jsonrpc.Member(obj, member)
	name, _ := jsonrpc.Member(info, "name")
	version, _ := jsonrpc.Member(info, "version")
	t.Name, _ = jsonrpc.StringValue(name)
	t.Version, _ = jsonrpc.StringValue(version)
}

// resolve returns the first address of the host that accepts connections.
func resolve(ctx context.Context, u *url.URL) (netip.AddrPort, error) {
	port := uint64(80)
	if p := u.Port(); p != "" {
		var err error
		if port, err = strconv.ParseUint(p, 10, 16); err != nil || port == 0 {
			return netip.AddrPort{}, fmt.Errorf("%s is not a port", p)
		}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, err
	}
	// The source addresses of package load are in 127.0.0.0/8, so IPv4 comes first.
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	var d net.Dialer
	for _, ip := range ips {
		addr := netip.AddrPortFrom(ip, uint16(port))
		var c net.Conn
		if c, err = d.DialContext(ctx, "tcp", addr.String()); err == nil {
			return addr, c.Close()
		}
	}
	return netip.AddrPort{}, err
}
