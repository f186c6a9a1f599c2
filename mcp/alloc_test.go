package mcp

import (
	"context"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The test counts what the hot paths allocate in Prepare and Run together. For add that is the JSON
// of the output. For echo it is the exchange, the decoded text, and the handler's result with its
// content.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newTestServer(t, nil)
	var w discard
	for _, tt := range hotCases {
		m, meta := hotMessage(t, tt.method, tt.target, tt.params)
		var c Call
		if got := testing.AllocsPerRun(1000, func() { answerHot(t, s, &c, m, meta, &w) }); got > tt.allocs {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.allocs)
		}
		prepare := func() {
			if e := s.Prepare(&c, m, meta); e != nil {
				t.Fatal(e)
			}
			c.Reset()
		}
		if got := testing.AllocsPerRun(1000, prepare); got > 0 {
			t.Errorf("Prepare of %s: %v allocations", tt.name, got)
		}
	}
	l := &Listen{ID: `1`, Topics: TopicTools}
	buf := make([]byte, 0, 4096)
	for name, f := range map[string]func(){
		"AppendAcknowledged": func() { s.AppendAcknowledged(buf, l) },
		"AppendListenResult": func() { s.AppendListenResult(buf, l.ID) },
		"ChangeMessage":      func() { s.ChangeMessage(Change{Topic: TopicTools}) },
		"ResourceUpdated": func() {
			s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "test://nobody"})
		},
	} {
		if got := testing.AllocsPerRun(1000, f); got > 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// A refusal with a fixed text allocates nothing and leaves nothing behind.
func TestRefusalAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newTestServer(t, nil)
	m, meta := hotMessage(t, "tools/list", "", hotMeta)
	meta.Method = []byte("tools/call")
	var c Call
	if got := testing.AllocsPerRun(1000, func() {
		if e := s.Prepare(&c, m, meta); e == nil || e.Code != CodeHeaderMismatch {
			t.Fatal(e)
		}
		c.Reset()
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

// Reset keeps a buffer unless it is large.
func TestResetLetsGo(t *testing.T) {
	c := Call{callState: callState{buf: make([]byte, 10, maxKeptBuffer), id: []byte("1"), kind: CallRequest, method: MethodListTools}}
	c.Reset()
	if cap(c.buf) != maxKeptBuffer || len(c.buf) != 0 || c.id != nil || c.kind != CallNone || c.method != MethodOther {
		t.Errorf("kept %d octets, id %s, kind %d", cap(c.buf), c.id, c.kind)
	}
	c.buf = make([]byte, 0, maxKeptBuffer+1)
	c.Reset()
	if c.buf != nil {
		t.Errorf("kept %d octets", cap(c.buf))
	}
	var w discard
	var none context.Context // a nil context is allowed
	c.Run(none, &w)
	if w.n != 0 || c.Status(jsonrpc.CodeMethodNotFound) != 404 {
		t.Error("an empty call answered")
	}
}
