package server

import (
	"errors"
	"math"
	"testing"
)

// Limits that cannot work are refused, and those that limit nothing cost nothing.
func TestClientLimitOptions(t *testing.T) {
	for _, tt := range []struct {
		limits ClientLimits
		option string // "" if they are valid
	}{
		{ClientLimits{CallRate: math.NaN()}, "CallRate"}, {ClientLimits{ListRate: math.Inf(1)}, "ListRate"},
		{ClientLimits{CallBurst: 3}, "CallBurst"}, {ClientLimits{CallRate: -1, CallBurst: 3}, "CallBurst"},
		{ClientLimits{ListRate: 0.5, ListBurst: 3}, ""}, {ClientLimits{Connections: -1, Calls: -1, MaxTracked: -1}, ""}, {ClientLimits{}, ""},
	} {
		for name, o := range map[string]*Options{"PerPrincipal.": {PerPrincipal: &tt.limits}, "PerAddress.": {PerAddress: &tt.limits}} {
			var e *OptionError
			if err := o.Validate(); tt.option == "" && err != nil || tt.option != "" && (!errors.As(err, &e) || e.Option != name+tt.option) {
				t.Errorf("%s %+v: %v", name, tt.limits, err)
			}
		}
	}
	for _, l := range []*ClientLimits{nil, {}, {MaxTracked: 5}, {Streams: -3, CallRate: -1}} {
		if r := newRig(t, &Options{PerPrincipal: l, PerAddress: l}); r.s.quotas != nil || r.l.places != nil {
			t.Errorf("%+v: something is counted", l)
		}
	}
	got := *withQuotaDefaults(&ClientLimits{CallRate: 2.5, ListRate: 0.1, Calls: math.MaxInt})
	if want := (ClientLimits{CallRate: 2.5, CallBurst: 3, ListRate: 0.1, ListBurst: 1, Calls: math.MaxUint32 - 1, MaxTracked: 1_000_000}); got != want {
		t.Errorf("defaults: %+v", got)
	}
}
