package bench

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
	"github.com/mooring-mcp/mooring/bench/load"
)

func TestSlow(t *testing.T) {
	mooring, pid := startMooring(t)
	other := badserver.StartProcess(t)
	for _, tt := range []struct {
		url string
		pid int
		era dialect.Era
	}{{mooring, pid, dialect.Modern}, {other.URL, other.PID, dialect.Legacy}} {
		t.Run(tt.era.String(), func(t *testing.T) {
			p := Params{Streams: 50, Stalled: 5, Rounds: 1, Concurrency: 4, Duration: 300 * time.Millisecond, Wait: time.Second}
			s := measure(t, "slow", Options{URL: tt.url, PID: tt.pid, Era: tt.era, Params: p},
				"slowdown_p99", "others_p99_without", "others_p99_with", "stalled_queued", "stalled_rss", "stalled_dropped", "large_slowdown_p99", "large_p99_without", "large_p99_with", "large_bytes", "large_rss", "large_dropped")
			wantNone(t, s)
			for _, d := range s.Distributions {
				if strings.HasPrefix(d.Name, "others_") && d.Count != 45*changesEach {
					t.Errorf("%s has %d", d.Name, d.Count)
				}
			}
			if value(t, s, "others_p99_without") <= 0 || value(t, s, "others_p99_with") > 1000 || value(t, s, "large_bytes") < 512<<10 {
				t.Errorf("figures:\n%s", table(s))
			}
		})
	}
}

// TestSlowStalls measures a server in which one stalled reader holds up all others.
func TestSlowStalls(t *testing.T) {
	p := badserver.StartProcess(t, badserver.SlowFanout, badserver.KeepDeadPeers)
	s := measure(t, "slow", Options{URL: p.URL, PID: p.PID, Params: Params{Streams: 50, Rounds: 1, Concurrency: 2, Duration: 100 * time.Millisecond, Wait: time.Second}})
	wantFinding(t, s, "stalled_reader_stalls_all")
	if value(t, s, "stalled_dropped") != 0 || value(t, s, "stalled_queued") <= 0 || value(t, s, "others_p99_with") < 1000 || value(t, s, "others_p99_without") <= 0 {
		t.Errorf("figures:\n%s", table(s))
	}
	if !strings.Contains(strings.Join(s.Notes, "\n"), "stalled_never_dropped") {
		t.Errorf("notes: %q", s.Notes)
	}
}

func TestSlowdown(t *testing.T) {
	for _, tt := range []struct {
		without, with []float64
		percent       float64
		stalls        bool
	}{
		{[]float64{10, 20, 10}, []float64{11, 20, 15}, 10, false},
		{[]float64{10, 10, 10}, []float64{5000, 5000, 10}, 49_900, true},
		{[]float64{10, 10, 10}, []float64{50, 50, 50}, 400, false}, // 40 ms are not a stall
		{[]float64{1000}, []float64{1200}, 20, false},
		{[]float64{10}, []float64{9}, 0, false},
		{nil, nil, 0, false},
	} {
		s := slowdown{without: tt.without, with: tt.with}
		if got := s.percent(); got < tt.percent-0.01 || got > tt.percent+0.01 {
			t.Errorf("%v, %v: %v %%", tt.without, tt.with, got)
		}
		if s.stalls() != tt.stalls {
			t.Errorf("%v, %v: stalls %v", tt.without, tt.with, s.stalls())
		}
	}
}

func TestPeerTable(t *testing.T) {
	const table4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 02A0007F:9C40 01 00000100:00000000 00:00000000 00000000     0        0 2 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F90 03A0007F:9C41 08 00000010:00000000 00:00000000 00000000     0        0 3 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:1F90 03A0007F:9C42 04 00000077:00000000 00:00000000 00000000     0        0 3 1 0000000000000000 20 4 30 10 -1
   4: 0100007F:1F90 0200007F:9C43 01 00000055:00000000 00:00000000 00000000     0        0 4 1 0000000000000000 20 4 30 10 -1
   5: 02A0007F:9C40 0100007F:1F90 01 00000033:00000000 00:00000000 00000000     0        0 5 1 0000000000000000 20 4 30 10 -1
`
	const table6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF000002A0007F:9C40 01 00001000:00000000
`
	sources := load.Sources(netip.MustParseAddr("127.0.0.1"), stalledSource, 64)
	if sources[0] != netip.MustParseAddr("127.0.160.2") {
		t.Fatalf("the first source is %v, not the one in the tables", sources[0])
	}
	p := newPeerTable(8080, sources)
	if held, queued := p.read(table4); held != 2 || queued != 0x110 {
		t.Errorf("%d held, %d queued", held, queued)
	}
	if held, queued := p.read(table6); held != 1 || queued != 0x1000 {
		t.Errorf("IPv6: %d held, %d queued", held, queued)
	}
	if _, _, ok := newPeerTable(8080, nil).count(); ok {
		t.Error("without addresses there is a result")
	}
}

func TestWithText(t *testing.T) {
	args, ok := withText(`{"n":1,"text":"hello"}`, `a "quoted" one`)
	var m map[string]any
	if err := json.Unmarshal([]byte(args), &m); !ok || err != nil || m["text"] != `a "quoted" one` || m["n"] != 1.0 {
		t.Errorf("%s, %v, %v", args, ok, err)
	}
	for _, bad := range []string{`{"n":1}`, `{}`, ``, `[]`} {
		if args, ok := withText(bad, "x"); ok {
			t.Errorf("%q: %s", bad, args)
		}
	}
}
