package admin

import (
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// An Extra is what a host adds to what [Handler] serves.
type Extra struct {
	// Metrics is called for each GET /metrics, perhaps several times at once, and calls emit for
	// each value. Values of one name must have the same Help, Counter and names of labels, and no
	// two the same labels. May be nil.
	Metrics func(emit func(Metric))
	// Pages are further handlers, by pattern of http.ServeMux, such as "GET /servers".
	Pages map[string]http.Handler
}

// A Metric is one value for GET /metrics.
type Metric struct {
	Name, Help string
	Counter    bool // it only grows; otherwise it is a gauge
	Value      float64
	Labels     []Label
}

// A Label distinguishes values of one name.
type Label struct{ Name, Value string }

// extraCollector collects what hosts add. It is unchecked: which metrics there are is not known
// before they are collected.
type extraCollector struct {
	metrics func(emit func(Metric))
}

// Describe implements prometheus.Collector.
func (extraCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c extraCollector) Collect(ch chan<- prometheus.Metric) {
	c.metrics(func(m Metric) {
		names, values := make([]string, len(m.Labels)), make([]string, len(m.Labels))
		for i, l := range m.Labels {
			names[i], values[i] = l.Name, l.Value
		}
		kind := prometheus.GaugeValue
		if m.Counter {
			kind = prometheus.CounterValue
		}
		d := prometheus.NewDesc(m.Name, m.Help, names, nil)
		v, err := prometheus.NewConstMetric(d, kind, m.Value, values...)
		if err != nil {
			v = prometheus.NewInvalidMetric(d, err)
		}
		ch <- v
	})
}

// add adds what e has to a registry and a mux.
func (e *Extra) add(reg *prometheus.Registry, mux *http.ServeMux) {
	if e.Metrics != nil {
		reg.MustRegister(extraCollector{e.Metrics})
	}
	patterns := make([]string, 0, len(e.Pages))
	for p := range e.Pages {
		patterns = append(patterns, p)
	}
	slices.Sort(patterns)
	for _, p := range patterns {
		mux.Handle(p, e.Pages[p])
	}
}
