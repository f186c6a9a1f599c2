package mcp_test

import (
	"context"
	"log"
	"strings"

	"github.com/mooring-mcp/mooring/mcp"
)

type TranslateParams struct {
	mcp.ParamsBase
	Text string `json:"text"`
}

type TranslateResult struct {
	mcp.ResultBase
	Latin string `json:"latin"`
}

// A method that the protocol does not have.
func ExampleAddReceivingCustomMethod() {
	s := mcp.NewServer(&mcp.Implementation{Name: "latin", Version: "v1.0.0"}, nil)
	err := mcp.AddReceivingCustomMethod(s, "latin/translate",
		func(_ context.Context, _ *mcp.ServerSession, p *TranslateParams) (*TranslateResult, error) {
			return &TranslateResult{Latin: strings.ReplaceAll(p.Text, "sea", "mare")}, nil
		})
	if err != nil {
		log.Fatal(err)
	}
	serve(s, `{"jsonrpc":"2.0","id":1,"method":"latin/translate","params":{"text":"sea","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`)
	// Output:
	// respond 0 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"latin","version":"v1.0.0"}},"latin":"mare"}}
}
