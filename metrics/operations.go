package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

// operations counts and times the operations of an executor. It is the
// executor's observer.
type operations struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	services *names // nil: there is no label for them

	series table[opKey, opSeries]
	timers sync.Pool // of *timer
}

type opKey struct {
	op, service string
	class       redismanager.Class
}

// opSeries are the two series that one operation adds to.
type opSeries struct {
	total    prometheus.Counter
	duration prometheus.Observer
}

func newOperations(s settings) *operations {
	labels := []string{"op", "class"}
	o := &operations{}
	if s.services > 0 {
		o.services = &names{limit: s.services}
		labels = append(labels, "service")
	}
	o.total = counterVec("operations_total", "Operations of the executor, by class of error (ok: none).", labels...)
	o.duration = histogramVec("operation_duration_seconds",
		"Time of an operation of the executor with all its tries, by class of error (ok: none).", s.buckets, "op", "class")
	o.timers.New = func() any { return newTimer(o) }
	return o
}

// Describe lists the metrics of operations.
func (o *operations) Describe(ch chan<- *prometheus.Desc) {
	o.total.Describe(ch)
	o.duration.Describe(ch)
}

// Collect sends the metrics of operations.
func (o *operations) Collect(ch chan<- prometheus.Metric) {
	o.total.Collect(ch)
	o.duration.Collect(ch)
}

// timer is an operation that runs. Timers are used again, each with the one
// function that was made for it, so that an operation allocates nothing here.
type timer struct {
	owner       *operations
	op, service string
	start       time.Time
	end         func(error)
}

func newTimer(o *operations) *timer {
	t := &timer{owner: o}
	t.end = t.done
	return t
}

// Begin starts the clock of an operation.
func (o *operations) Begin(ctx context.Context, op statelink.Op) (context.Context, func(error)) {
	t, _ := o.timers.Get().(*timer)
	t.op, t.service, t.start = op.Name, op.Service, time.Now()
	return ctx, t.end
}

func (t *timer) done(err error) {
	o, took := t.owner, time.Since(t.start)
	class := statelink.Classify(err)
	s := o.seriesOf(t.op, o.serviceLabel(t.service, class), class)
	o.timers.Put(t)
	s.total.Inc()
	s.duration.Observe(took.Seconds())
}

// serviceLabel lets only names that passed the checks into the label.
func (o *operations) serviceLabel(service string, class redismanager.Class) string {
	if o.services == nil {
		return ""
	}
	return o.services.label(service, class != redismanager.ClassInvalidArgument)
}

func (o *operations) seriesOf(op, service string, class redismanager.Class) opSeries {
	key := opKey{op: op, service: service, class: class}
	s, ok := o.series.get(key)
	if !ok {
		s, _ = o.series.add(key, 0, o.resolve)
	}
	return s
}

func (o *operations) resolve(k opKey) opSeries {
	labels := []string{k.op, string(k.class)}
	s := opSeries{duration: o.duration.WithLabelValues(labels...)}
	if o.services != nil {
		labels = append(labels, k.service)
	}
	s.total = o.total.WithLabelValues(labels...)
	return s
}
