package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// collector is one collector for the registerer, made of several, so that
// either all metrics are registered or none. It is the manager's observer.
type collector struct {
	calls
	changes
	parts []prometheus.Collector
}

func newCollector(from source, s settings, more ...prometheus.Collector) *collector {
	c := &collector{calls: newCalls(s), changes: newChanges()}
	c.parts = append(c.parts, c.calls.vectors()...)
	c.parts = append(c.parts, c.changes.vectors()...)
	c.parts = append(c.parts,
		newPools(from), newHealth(from), scriptInfo{from}, topology{from}, newBuildInfo())
	c.parts = append(c.parts, more...)
	return c
}

// Describe lists all metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, part := range c.parts {
		part.Describe(ch)
	}
}

// Collect reads memory only.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, part := range c.parts {
		part.Collect(ch)
	}
}

const prefix = "statelink_"

// desc describes a metric whose value is read at the scrape.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

func counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
}

func histogramVec(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	send(ch, d, prometheus.GaugeValue, value, labels)
}

func counter(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	send(ch, d, prometheus.CounterValue, value, labels)
}

// send repairs label values that are not UTF-8: one of them would make the
// program's whole scrape fail.
func send(ch chan<- prometheus.Metric, d *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "?")
	}
	ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
}

// oneHot sends 1 for the value that holds and 0 for the others.
func oneHot(ch chan<- prometheus.Metric, d *prometheus.Desc, holds string, values []string, labels ...string) {
	for _, v := range values {
		n := 0.0
		if v == holds {
			n = 1
		}
		gauge(ch, d, n, append(labels[:len(labels):len(labels)], v)...)
	}
}
