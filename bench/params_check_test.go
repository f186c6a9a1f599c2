package bench

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestParamsCheck checks that Run rejects parameters that would never end or fill the memory,
// before it sends the server anything.
func TestParamsCheck(t *testing.T) {
	for want, p := range map[string]Params{
		"streams": {Streams: -5}, "clients": {Clients: -1}, "rounds": {Rounds: -1}, "concurrency": {Concurrency: -1}, "stalled": {Stalled: -1}, "large-bytes": {LargeBytes: -1},
		"rate is NaN": {Rate: math.NaN()}, "rate is +Inf": {Rate: math.Inf(1)}, "rate is -5": {Rate: -5}, "rate is 1e+12": {Rate: 1e12}, "open-rate": {OpenRate: math.NaN()},
		"duration": {Duration: -time.Second}, "wait": {Wait: -1}, "silence": {Silence: 1 << 62},
		"order": {Order: "random"},
	} {
		_, err := Run(t.Context(), Options{URL: "http://127.0.0.1:1/", Params: p}, "call")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "bench: ") {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, s := range Scenarios() {
		p := s.AllDefaults()
		if err := p.check(); err != nil {
			t.Errorf("the defaults of %s: %v", s.Name, err)
		}
	}
}

// TestOrderInDocuments checks that a document has the order of connections only if it is not the
// original one, so that documents from before the choice can be compared.
func TestOrderInDocuments(t *testing.T) {
	for order, want := range map[string]int{lastFirst: 1, inTurn: 2} {
		p := Params{Order: order, Concurrency: 64}
		if got := p.list([]string{"concurrency", "order"}); len(got) != want {
			t.Errorf("order %s: %v", order, got)
		}
	}
}
