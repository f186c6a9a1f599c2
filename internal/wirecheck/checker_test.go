package wirecheck

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	modern = "2026-07-28"
	legacy = "2025-11-25"
	info   = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x","version":"1"}},"resultType":"complete"`
	asks   = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x","version":"1"}},"resultType":"input_required"`
)

// A fake counts the failures that Message reports.
type fake struct {
	testing.TB
	errors []string
	logs   []string
}

func (f *fake) Helper()                      {}
func (f *fake) Errorf(s string, args ...any) { f.errors = append(f.errors, fmt.Sprintf(s, args...)) }
func (f *fake) Logf(s string, args ...any)   { f.logs = append(f.logs, fmt.Sprintf(s, args...)) }

func result(members string) string {
	return `{"jsonrpc":"2.0","id":1,"result":{` + members + `}}`
}

func TestMessages(t *testing.T) {
	c := Open(t)
	if !c.Enabled() {
		t.Skipf("%s is not set", SchemaDir)
	}
	tests := []struct {
		why, revision, method, msg string
		bad                        string // what the complaint contains; "" if the message is valid
	}{
		{"a tool's result", modern, "tools/call", result(info + `,"content":[{"type":"text","text":""}]`), ""},
		{"content is null", modern, "tools/call", result(info + `,"content":null`), "content"},
		{"content is missing", modern, "tools/call", result(info), "content"},
		{"a block without text", modern, "tools/call", result(info + `,"content":[{"type":"text"}]`), "text"},
		{"no resultType", modern, "tools/call", result(`"content":[]`), "resultType"},
		{"a foreign resultType", modern, "tools/call", result(strings.Replace(info, "complete", "task", 1) + `,"content":[]`), "resultType"},
		{"no serverInfo", modern, "tools/call", result(`"resultType":"complete","content":[]`), "serverInfo"},
		{"a string id", modern, "tools/list", `{"jsonrpc":"2.0","id":"a","result":{` + info + `,"tools":[],"ttlMs":0,"cacheScope":"private"}}`, ""},
		{"no caching fields", modern, "tools/list", result(info + `,"tools":[]`), "cacheScope"},
		{"a negative ttl", modern, "tools/list", result(info + `,"tools":[],"ttlMs":-1,"cacheScope":"private"`), "ttlMs"},
		{"a tool without a schema", modern, "tools/list", result(info + `,"tools":[{"name":"x"}],"ttlMs":0,"cacheScope":"private"`), "inputSchema"},
		{"a bad URI", modern, "resources/list", result(info + `,"resources":[{"name":"x","uri":"no uri"}],"ttlMs":0,"cacheScope":"private"`), "uri"},
		{"a template", modern, "resources/templates/list", result(info + `,"resourceTemplates":[{"name":"x","uriTemplate":"test://{id}/data{?q}"}],"ttlMs":0,"cacheScope":"private"`), ""},
		{"a bad template", modern, "resources/templates/list", result(info + `,"resourceTemplates":[{"name":"x","uriTemplate":"test://{id"}],"ttlMs":0,"cacheScope":"private"`), "uriTemplate"},
		{"discover", modern, "server/discover", result(info + `,"supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public"`), ""},
		{"an id of null", modern, "tools/list", `{"jsonrpc":"2.0","id":null,"result":{` + info + `}}`, "JSONRPCMessage"},
		{"an unknown method", modern, "ping", result(info), "no request"},
		{"a result and an error", modern, "tools/call", `{"jsonrpc":"2.0","id":1,"result":{` + info + `,"content":[]},"error":{"code":-32603,"message":"x"}}`, "exactly one"},
		{"a stranger in the envelope", modern, "tools/call", `{"jsonrpc":"2.0","id":1,"x":1,"result":{` + info + `,"content":[]}}`, `"x"`},
		{"a member twice", modern, "tools/call", result(info + `,"content":[],"content":[]`), "strict"},
		{"bytes behind", modern, "tools/call", result(info+`,"content":[]`) + "{}", "strict"},
		{"asks by elicitation", modern, "tools/call", result(asks + `,"inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}}}}}`), ""},
		{"asks with state only", modern, "prompts/get", result(asks + `,"requestState":"s"`), ""},
		{"asks for nothing", modern, "tools/call", result(asks), "neither"},
		{"asks in a list", modern, "tools/list", result(asks + `,"requestState":"s"`), "in place of"},
		{"asks with a ttl", modern, "resources/read", result(asks + `,"requestState":"s","ttlMs":0`), "ttlMs"},
		{"asks for the unknown", modern, "tools/call", result(asks + `,"inputRequests":{"k":{"method":"ping"}}`), "InputRequiredResult"},
		{"progress", modern, "tools/call", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.5}}`, ""},
		{"progress without a token", modern, "tools/call", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.5}}`, "progressToken"},
		{"a bad level", modern, "tools/call", `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"loud","data":1}}`, "level"},
		{"an acknowledgement", modern, "subscriptions/listen", `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":{}}}`, ""},
		{"a listen's result without its id", modern, "subscriptions/listen", result(info), "subscriptionId"},
		{"an unknown notification", modern, "", `{"jsonrpc":"2.0","method":"notifications/x"}`, "no method"},
		{"a request of the server", modern, "", `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"maxTokens":1,"messages":[]}}`, "no requests"},
		{"an error", modern, "tools/call", `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"x"}}`, ""},
		{"an error without an id", modern, "", `{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}`, ""},
		{"an error with id null", modern, "", `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}`, "JSONRPCMessage"},
		{"-32022 without data", modern, "", `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"x"}}`, "data"},
		{"-32022", modern, "", `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"x","data":{"supported":["2026-07-28"],"requested":"x"}}}`, ""},
		{"-32021 with a list", modern, "", `{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"x","data":{"requiredCapabilities":["sampling"]}}}`, "requiredCapabilities"},
		{"-32002", modern, "resources/read", `{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"x"}}`, "earlier"},
		{"-32050", modern, "resources/read", `{"jsonrpc":"2.0","id":1,"error":{"code":-32050,"message":"x"}}`, "reserved"},
		{"not JSON", modern, "", `{`, "strict"},
		{"a batch", modern, "", `[]`, "not an object"},
		{"an unknown revision", "1999-01-01", "", `{}`, "1999"},

		{"a legacy result", legacy, "tools/call", result(`"content":[]`), ""},
		{"a legacy result of nothing", legacy, "ping", result(``), ""},
		{"legacy -32002", legacy, "resources/read", `{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"x"}}`, ""},
		{"a legacy request", legacy, "", `{"jsonrpc":"2.0","id":1,"method":"roots/list"}`, ""},
		{"a request without an id", legacy, "", `{"jsonrpc":"2.0","method":"roots/list"}`, "envelope"},
		{"a batch of 2025-03-26", "2025-03-26", "ping", "[" + result(``) + "]", ""},
		{"a bad batch of 2025-03-26", "2025-03-26", "tools/call", "[" + result(``) + "]", "content"},
		{"2024-11-05", "2024-11-05", "tools/call", result(`"content":[]`), ""},
		{"a title of a tool", "2025-06-18", "tools/list", result(`"tools":[{"name":"x","title":"X","inputSchema":{"type":"object"}}]`), ""},
		{"a title before there were any", "2025-03-26", "tools/list", result(`"tools":[{"name":"x","title":"X","inputSchema":{"type":"object"}}]`), "title"},
		{"any keyword in a tool's schema", "2024-11-05", "tools/list", result(`"tools":[{"name":"x","inputSchema":{"type":"object","$defs":{},"properties":{"a":{"type":"string","x":1}}}}]`), ""},
		{"an icon before there were any", "2025-06-18", "prompts/list", result(`"prompts":[{"name":"x","icons":[]}]`), "icons"},
		{"structured content before there was any", "2025-03-26", "tools/call", result(`"content":[],"structuredContent":{}`), "structuredContent"},
		{"structured content that is a list", legacy, "tools/call", result(`"content":[],"structuredContent":[]`), "structuredContent"},
		{"a link before there were any", "2025-03-26", "tools/call", result(`"content":[{"type":"resource_link","uri":"x:y","name":"n"}]`), "content"},
		{"a sound before there were any", "2024-11-05", "tools/call", result(`"content":[{"type":"audio","data":"","mimeType":"audio/wav"}]`), "content"},
		{"a date before there were any", "2024-11-05", "tools/call", result(`"content":[{"type":"text","text":"","annotations":{"lastModified":"x"}}]`), "content"},
		{"an audience", "2024-11-05", "tools/call", result(`"content":[{"type":"text","text":"","annotations":{"audience":["user"]}}]`), ""},
		{"_meta of content before there was any", "2025-03-26", "tools/call", result(`"content":[{"type":"text","text":"","_meta":{}}]`), "content"},
		{"a message of progress before there were any", "2024-11-05", "", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"m"}}`, "message"},
		{"a message of progress", "2025-03-26", "", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"m"}}`, ""},
		{"a resultType before there were any", legacy, "tools/call", result(`"resultType":"complete","content":[]`), "resultType"},
		{"a ttl before there were any", legacy, "tools/list", result(`"tools":[],"ttlMs":0`), "ttlMs"},
		{"serverInfo before it was told", legacy, "ping", result(`"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n","version":"v"}}`), "serverInfo"},
		{"the mode of a form before there were any", "2025-06-18", "", `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}}}}`, "mode"},
		{"a form", "2025-06-18", "", `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}`, ""},
		{"a form before there were any", "2025-03-26", "", `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}`, "no method"},
		{"a parse error without an id", "2025-06-18", "", `{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}`, ""},
		{"another error without an id", "2025-06-18", "", `{"jsonrpc":"2.0","error":{"code":-32602,"message":"x"}}`, "without an id"},
		{"a parse error with id null", "2025-03-26", "", `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}`, "JSONRPCMessage"},
		{"-32042", legacy, "tools/call", `{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"x","data":{"elicitations":[]}}}`, ""},
		{"-32042 before there were URLs", "2025-06-18", "tools/call", `{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"x"}}`, "later"},
		{"2025-06-18", "2025-06-18", "tools/call", result(`"content":null`), "content"},
	}
	for _, tt := range tests {
		f := &fake{TB: t}
		c.Message(f, tt.revision, tt.method, []byte(tt.msg))
		switch got := strings.Join(f.errors, "\n"); {
		case tt.bad == "" && got != "":
			t.Errorf("%s: refused: %s", tt.why, got)
		case tt.bad != "" && !strings.Contains(got, tt.bad):
			t.Errorf("%s: complaint %q, want one about %q", tt.why, got, tt.bad)
		}
	}
}

func TestWithoutSchemasTheCheckIsSkippedAloud(t *testing.T) {
	t.Setenv(SchemaDir, "")
	f := &fake{TB: t}
	c := Open(f)
	c.Message(f, modern, "tools/call", []byte("nonsense"))
	if len(f.errors) != 0 || c.Enabled() {
		t.Errorf("a checker without schemas complains: %q", f.errors)
	}
	if len(f.logs) != 1 || f.logs[0] != "schema check skipped: MOORING_SCHEMA_DIR is not set" {
		t.Errorf("logged %q", f.logs)
	}
}

func TestSchemasMustBeWhereTheVariableSays(t *testing.T) {
	t.Setenv(SchemaDir, t.TempDir())
	if err := Open(t).Check(modern, "", []byte("{}")); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
}
