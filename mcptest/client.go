package mcptest

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	json "github.com/goccy/go-json"
	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A Client is the client that sends a request, as a server sees it. The zero value is ready to use.
// A Client may be used by several goroutines once its fields are set.
type Client struct {
	// ProtocolVersion is the revision that the client speaks. Default: the newest. In a revision
	// with sessions, each request is the first of a session of its own.
	ProtocolVersion string

	// Info is the name and version of the client. Default: mcptest.
	Info *mcp.Implementation

	// Capabilities are what the client declares. Nil means none, or, if Answer is set, everything
	// that a server can ask for.
	Capabilities *mcp.ClientCapabilities

	// LogLevel is the level of the least severe log messages that the client wants. Default:
	// debug.
	LogLevel mcp.LoggingLevel

	// Meta is added to the _meta of each request.
	Meta mcp.Meta

	// TokenInfo, Header and RemoteAddr become the fields of the same names of a handler's
	// RequestExtra. The context of the handler carries TokenInfo too, and its UserID is the
	// request's principal.
	TokenInfo  *auth.TokenInfo
	Header     http.Header
	RemoteAddr netip.AddrPort

	// Answer answers what a handler asks. Ask is a pointer to an ElicitParams, a
	// CreateMessageParams, a CreateMessageWithToolsParams (if it offers tools, or a message has
	// several blocks) or a ListRootsParams. Key is "" if the handler asks by a method of its session
	// and waits. An error ends the request with that error, or is what that method returns.
	//
	// Without Answer, a result that asks is returned to the test. In a revision with sessions,
	// where such a result does not exist, the request fails.
	Answer func(ctx context.Context, key string, ask mcp.InputRequest) (mcp.InputResponse, error)

	mu       sync.Mutex
	progress []*mcp.ProgressNotificationParams
	logs     []*mcp.LoggingMessageParams
}

// Progress returns the progress that was reported to c, over all its requests.
func (c *Client) Progress() []*mcp.ProgressNotificationParams {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.progress)
}

// Logs returns the log messages that were sent to c, over all its requests.
func (c *Client) Logs() []*mcp.LoggingMessageParams {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.logs)
}

// record keeps a notification of the server if c has a place for it.
func (c *Client) record(msg []byte) {
	var m jsonrpc.Envelope
	if m.Decode(msg) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch string(m.Method) {
	case "notifications/progress":
		p := new(mcp.ProgressNotificationParams)
		if json.Unmarshal(m.Params, p) == nil {
			c.progress = append(c.progress, p)
		}
	case "notifications/message":
		p := new(mcp.LoggingMessageParams)
		if json.Unmarshal(m.Params, p) == nil {
			c.logs = append(c.logs, p)
		}
	}
}

// newest is the revision of a client that does not name another.
const newest = "2026-07-28"

// anonymous is the _meta of a nil Client.
const anonymous = `{"` + mcp.MetaKeyProtocolVersion + `":"` + newest + `","` + mcp.MetaKeyClientCapabilities + `":{},"` +
	mcp.MetaKeyClientInfo + `":{"name":"mcptest","version":"v1.0.0"}}`

// everything are the capabilities of a client that answers.
var everything = json.RawMessage(`{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{"context":{},"tools":{}}}`)

func (c *Client) version() string {
	if c == nil || c.ProtocolVersion == "" {
		return newest
	}
	return c.ProtocolVersion
}

func (c *Client) info() *mcp.Implementation {
	if c == nil || c.Info == nil {
		return &mcp.Implementation{Name: "mcptest", Version: "v1.0.0"}
	}
	return c.Info
}

func (c *Client) logLevel() mcp.LoggingLevel {
	if c.LogLevel == "" {
		return mcp.LevelDebug
	}
	return c.LogLevel
}

// capabilities returns a value that marshals to what c declares.
func (c *Client) capabilities() any {
	switch {
	case c.Capabilities != nil:
		return c.Capabilities
	case c.Answer != nil:
		return everything
	}
	return struct{}{}
}

// appendMeta appends the _meta of a request of c. What c.Meta holds comes before anything else.
func (c *Client) appendMeta(dst []byte, session bool) ([]byte, error) {
	if c == nil {
		return append(dst, anonymous...), nil
	}
	all := make(map[string]any, 5+len(c.Meta))
	if !session {
		all[mcp.MetaKeyProtocolVersion] = c.version()
		all[mcp.MetaKeyClientCapabilities] = c.capabilities()
		all[mcp.MetaKeyClientInfo] = c.info()
		all[mcp.MetaKeyLogLevel] = c.logLevel()
	}
	all["progressToken"] = "mcptest"
	for name, value := range c.Meta {
		all[name] = value
	}
	text, err := json.Marshal(all)
	return append(dst, text...), err
}

// appendInitialize appends the request that opens a session of c.
func (c *Client) appendInitialize(dst []byte) ([]byte, error) {
	text, err := json.Marshal(struct {
		ProtocolVersion string              `json:"protocolVersion"`
		Capabilities    any                 `json:"capabilities"`
		ClientInfo      *mcp.Implementation `json:"clientInfo"`
	}{c.version(), c.capabilities(), c.info()})
	return jsonrpc.AppendRequest(dst, []byte("1"), "initialize", text), err
}
