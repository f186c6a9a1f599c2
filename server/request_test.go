package server

import (
	"fmt"
	"strings"

	"github.com/mooring-mcp/mooring/mcp"
)

// request is an HTTP request to the MCP endpoint, as a well-behaved client writes it.
type request struct {
	method string // method of the message, repeated in Mcp-Method
	name   string // value of Mcp-Name, if there is one
	id     string // as JSON; "" for 1, "-" for a notification
	params string // members in addition to _meta
	meta   string // members of _meta in addition to the required ones
	accept string // "" for both types, "-" for no Accept
	head   string // further field lines, each with its CRLF
	body   string // content to send instead of a message
	old    bool   // use HTTP/1.0
}

// String returns the request as bytes on the wire.
func (q request) String() string {
	if q.id == "" {
		q.id = "1"
	}
	body := q.body
	if body == "" {
		id := `"id":` + q.id + `,`
		if q.id == "-" {
			id = ""
		}
		params := q.params
		if params != "" {
			params = "," + params
		}
		body = fmt.Sprintf(
			`{"jsonrpc":"2.0",%s"method":%q,"params":{"_meta":{`+
				`"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
				`"io.modelcontextprotocol/clientCapabilities":{}%s}%s}}`,
			id, q.method, q.meta, params)
	}
	version := "1.1"
	if q.old {
		version = "1.0"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "POST /mcp HTTP/%s\r\nHost: localhost\r\nContent-Type: application/json\r\n", version)
	switch q.accept {
	case "":
		b.WriteString("Accept: application/json, text/event-stream\r\n")
	case "-":
	default:
		b.WriteString("Accept: " + q.accept + "\r\n")
	}
	b.WriteString("MCP-Protocol-Version: 2026-07-28\r\n")
	if q.method != "" {
		b.WriteString("Mcp-Method: " + q.method + "\r\n")
	}
	if q.name != "" {
		b.WriteString("Mcp-Name: " + q.name + "\r\n")
	}
	fmt.Fprintf(&b, "%sContent-Length: %d\r\n\r\n%s", q.head, len(body), body)
	return b.String()
}

func callTool(name, arguments string) request {
	return request{method: "tools/call", name: name, params: fmt.Sprintf(`"name":%q,"arguments":%s`, name, arguments)}
}

func addCall(a, b int) request { return callTool("add", fmt.Sprintf(`{"a":%d,"b":%d}`, a, b)) }

// listenTo returns a request for a stream. notifications holds the members of that object.
func listenTo(id, notifications string) request {
	return request{method: "subscriptions/listen", id: id, params: `"notifications":{` + notifications + `}`}
}

// big makes the content so long that a worker decodes it, by adding white space after the
// message.
func (q request) big() request {
	body := q.String()
	_, body, _ = strings.Cut(body, "\r\n\r\n")
	q.body = body + strings.Repeat(" ", bigContent)
	return q
}

const everything = `"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,` +
	`"resourceSubscriptions":["rig://a","rig://b"]`

// listen turns p into a stream with the given id that listens to everything.
func (p *fakePeer) listen(id string) { p.listenTo(id, everything) }

func (p *fakePeer) listenTo(id, notifications string) {
	p.r.t.Helper()
	p.send(listenTo(id, notifications).String())
	res := p.wantResponse("listen", 200)
	if events := p.events(res.body); !res.stream || len(events) != 1 ||
		!strings.Contains(events[0], "notifications/subscriptions/acknowledged") || res.ended {
		p.r.t.Fatalf("listen: got %q, want only the acknowledgement", res.body)
	}
}

// changeOf returns the change of a list, or of a resource if what is a URI.
func changeOf(what string) mcp.Change {
	switch what {
	case "tools":
		return mcp.Change{Topic: mcp.TopicTools}
	case "prompts":
		return mcp.Change{Topic: mcp.TopicPrompts}
	case "resources":
		return mcp.Change{Topic: mcp.TopicResources}
	}
	return mcp.Change{Topic: mcp.TopicResource, URI: what}
}
