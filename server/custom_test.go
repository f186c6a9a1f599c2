package server

import (
	"context"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

type hailParams struct {
	mcp.ParamsBase
	Ship string `json:"ship"`
}

type hailResult struct {
	mcp.ResultBase
	Reply string `json:"reply"`
}

// Custom methods are served in both eras, and unknown ones are refused as before.
func TestCustomMethods(t *testing.T) {
	r := newRig(t, nil)
	err := mcp.AddReceivingCustomMethod(r.ms, "harbour/hail", func(_ context.Context, ss *mcp.ServerSession, p *hailParams) (*hailResult, error) {
		return &hailResult{Reply: p.Ship + " ahoy"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p := r.connect()
	modern := request{method: "harbour/hail", params: `"ship":"Ada"`}
	if res := p.exchange("modern", modern.String()); res.status != 200 || !strings.Contains(res.body, `"reply":"Ada ahoy"`) {
		t.Errorf("modern: %d %s", res.status, res.body)
	}
	if res := p.exchange("a long message", modern.big().String()); res.status != 200 || !strings.Contains(res.body, `"reply":"Ada ahoy"`) {
		t.Errorf("a long message: %d %s", res.status, res.body)
	}
	wrong := strings.Replace(modern.String(), "Mcp-Method: harbour/hail", "Mcp-Method: harbour/sink", 1)
	if res := p.exchange("another header field", wrong); res.status != 400 || !strings.Contains(res.body, "-32020") {
		t.Errorf("another header field: %d %s", res.status, res.body)
	}
	if res := p.exchange("unknown", request{method: "harbour/sink"}.String()); res.status != 404 || !strings.Contains(res.body, "-32601") {
		t.Errorf("unknown: %d %s", res.status, res.body)
	}
	for _, rev := range []string{"2025-11-25", "2024-11-05"} {
		id := p.exchange("initialize", post("", "", initializeBody(rev))).head.Get("Mcp-Session-Id")
		res := p.exchange(rev, post(id, rev, `{"jsonrpc":"2.0","id":1,"method":"harbour/hail","params":{"ship":"Bob"}}`))
		if res.status != 200 || !strings.Contains(res.body, `"result":{"reply":"Bob ahoy"}`) {
			t.Errorf("%s: %d %s", rev, res.status, res.body)
		}
	}
	r.wantInvariants("in the end")
}
