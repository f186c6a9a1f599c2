package mcp

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// legacyCases are the requests in sessions whose cost is measured.
var legacyCases = []struct {
	name, method, params string
	allocs               float64
}{
	{"add", "tools/call", `"name":"add","arguments":{"a":1,"b":2}`, 1},
	{"echo", "tools/call", `"name":"echo","arguments":{"text":"hello, harbour"}`, 5},
	{"tools_list", "tools/list", ``, 0},
	{"ping", "ping", ``, 0},
}

// legacyMessage returns a decoded request and the meta of its session.
func legacyMessage(t testing.TB, rev, method, params string) (*jsonrpc.Envelope, *RequestMeta) {
	var m jsonrpc.Envelope
	if err := m.Decode(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":12345,"method":%q,"params":{%s}}`, method, params)); err != nil {
		t.Fatal(err)
	}
	return &m, &RequestMeta{HTTP: true, ProtocolVersion: []byte(rev), Session: &SessionInfo{Revision: rev, ClientName: "bench"}, SessionID: "id"}
}

func TestLegacyAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newTestServer(t, nil)
	var w discard
	for _, tt := range legacyCases {
		for _, rev := range legacies {
			m, meta := legacyMessage(t, rev, tt.method, tt.params)
			var c Call
			if got := testing.AllocsPerRun(1000, func() { answerHot(t, s, &c, m, meta, &w) }); got > tt.allocs {
				t.Errorf("%s at %s: %v allocations, want %v", tt.name, rev, got, tt.allocs)
			}
		}
	}
	var c Call
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)); err != nil {
		t.Fatal(err)
	}
	meta := &RequestMeta{Session: &SessionInfo{Revision: "2025-11-25"}}
	if got := testing.AllocsPerRun(1000, func() {
		if e := s.Prepare(&c, &m, meta); e != nil || c.Cancelled() == nil {
			t.Fatal(e)
		}
		c.Reset()
	}); got > 0 {
		t.Errorf("a notification: %v allocations", got)
	}
}

// A call in a session costs no more than that of a modern client, measured side by side.
func TestLegacyCallCost(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("measures time")
	}
	s := newTestServer(t, nil)
	var w discard
	for i, tt := range hotCases[:2] {
		modernMsg, modernMeta := hotMessage(t, tt.method, tt.target, tt.params)
		legacyMsg, legacyMeta := legacyMessage(t, "2025-11-25", legacyCases[i].method, legacyCases[i].params)
		var c Call
		run := func(m *jsonrpc.Envelope, meta *RequestMeta) time.Duration {
			start := time.Now()
			for range 500 {
				answerHot(t, s, &c, m, meta, &w)
			}
			return time.Since(start)
		}
		var ratios []float64
		for range 201 {
			a, b := run(modernMsg, modernMeta), run(legacyMsg, legacyMeta)
			ratios = append(ratios, float64(b)/float64(a))
		}
		slices.Sort(ratios)
		ratio := ratios[len(ratios)/2]
		t.Logf("%s: legacy costs %.3f times modern", tt.name, ratio)
		if ratio > 1.05 {
			t.Errorf("%s: legacy costs %.3f times modern, want at most 1.05", tt.name, ratio)
		}
	}
}

func BenchmarkLegacyCall(b *testing.B) {
	s := newTestServer(b, nil)
	for _, tt := range legacyCases {
		for _, rev := range []string{"2025-11-25", "2024-11-05"} {
			b.Run(tt.name+"/"+rev, func(b *testing.B) {
				m, meta := legacyMessage(b, rev, tt.method, tt.params)
				var c Call
				var w discard
				b.ReportAllocs()
				for b.Loop() {
					answerHot(b, s, &c, m, meta, &w)
				}
			})
		}
	}
}

func BenchmarkInitialize(b *testing.B) {
	s := newTestServer(b, nil)
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{},"sampling":{},"roots":{"listChanged":true}},"clientInfo":{"name":"bench","version":"1"}}}`)); err != nil {
		b.Fatal(err)
	}
	var c Call
	var w discard
	b.ReportAllocs()
	for b.Loop() {
		if e := s.Prepare(&c, &m, nil); e != nil {
			b.Fatal(e)
		}
		c.Run(context.Background(), &w)
		c.Reset()
	}
}
