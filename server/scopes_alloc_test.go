package server

import (
	"testing"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// Deciding that a call is allowed allocates nothing.
func TestScopesAllocs(t *testing.T) {
	r := newRig(t, nil)
	rules := newScopeRules(&Scopes{
		Methods:   map[string][]string{"tools/call": {"call"}, "subscriptions/*": {"listen"}},
		Tools:     map[string][]string{"a*": {"many"}, "add": {"add"}},
		Resources: map[string][]string{"rig://*": {"rig"}},
		Implies:   map[string][]string{"all": {"call", "add", "many"}},
	})
	who := identityOf(&auth.TokenInfo{UserID: "ann", Scopes: []string{"x", "all", "listen", "rig"}})
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{` + everything + `},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
	} {
		var m jsonrpc.Envelope
		var call mcp.Call
		if err := m.Decode([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if e := r.ms.Prepare(&call, &m, nil); e != nil {
			t.Fatal(e)
		}
		if n := testing.AllocsPerRun(100, func() {
			if !rules.allows(&call, who) {
				t.Fatal("refused")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", call.MethodName(), n)
		}
	}
}
