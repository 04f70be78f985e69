package metrics

import (
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

// source is the part of a manager that is read at a scrape. None of it does I/O.
type source interface {
	PoolStats() redismanager.PoolStats
	Health() redismanager.HealthStatus
	Scripts() []redismanager.ScriptInfo
	Counters() redismanager.Counters
}

// Option changes a rarely changed part of the metrics.
type Option func(*settings) error

type settings struct {
	buckets  []float64
	services int // most values of the label service; 0: there is no such label
}

// defaultBuckets reach from a local Redis to the longest default timeout.
var defaultBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// WithBuckets replaces the upper bounds of all histograms, in seconds, above 0
// and rising. Default: 0.1 ms to 10 s. Each bound costs one series per operation
// and class.
func WithBuckets(seconds ...float64) Option {
	return func(s *settings) error {
		s.buckets = slices.Clone(seconds)
		last := 0.0
		for _, bound := range seconds {
			if !(bound > last) { // so that NaN is refused too
				return refuse("buckets", strconv.FormatFloat(bound, 'g', -1, 64), "bounds above 0, each greater than the one before")
			}
			last = bound
		}
		if len(seconds) == 0 {
			return refuse("buckets", "none", "at least one bound")
		}
		return nil
	}
}

// WithServiceLabel adds the label service to statelink_operations_total. The
// first limit services that are seen, 1 to 1000, have a value of their own, all
// others share "other"; an operation on several services has "". A name that was
// refused takes no place. Histograms do not get the label: a hundred services
// would be some ten thousand series.
func WithServiceLabel(limit int) Option {
	return func(s *settings) error {
		s.services = limit
		if limit < 1 || limit > 1000 {
			return refuse("service label limit", strconv.Itoa(limit), "1 to 1000")
		}
		return nil
	}
}

// Register adds the metrics of e and its manager to reg. They are gone after
// unregister, which may be called more than once. Errors:
// [statelink.ErrInvalidArgument] for an argument or option, else those of
// reg.Register; nothing is registered then.
func Register(reg prometheus.Registerer, e *statelink.Executor, opts ...Option) (unregister func(), err error) {
	if e == nil {
		return nil, refuse("executor", "nil", "a *statelink.Executor")
	}
	s, err := newSettings(reg, opts)
	if err != nil {
		return nil, err
	}
	ops := newOperations(s)
	c := newCollector(e.Manager(), s, ops)
	if err := reg.Register(c); err != nil {
		return nil, err
	}
	return unregisterer(reg, c, e.AddObserver(ops), e.Manager().AddObserver(c)), nil
}

// RegisterManager is [Register] for a manager alone: everything but the
// operations of an executor. [WithServiceLabel] has no effect.
func RegisterManager(reg prometheus.Registerer, m *redismanager.Manager, opts ...Option) (unregister func(), err error) {
	if m == nil {
		return nil, refuse("manager", "nil", "a *redismanager.Manager")
	}
	s, err := newSettings(reg, opts)
	if err != nil {
		return nil, err
	}
	c := newCollector(m, s)
	if err := reg.Register(c); err != nil {
		return nil, err
	}
	return unregisterer(reg, c, m.AddObserver(c)), nil
}

func newSettings(reg prometheus.Registerer, opts []Option) (settings, error) {
	s := settings{buckets: defaultBuckets}
	if reg == nil {
		return s, refuse("registerer", "nil", "a prometheus.Registerer")
	}
	for _, opt := range opts {
		if err := opt(&s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func unregisterer(reg prometheus.Registerer, c *collector, stops ...func()) func() {
	return sync.OnceFunc(func() {
		reg.Unregister(c)
		for _, stop := range stops {
			stop()
		}
	})
}

func refuse(field, got, want string) error {
	return &redismanager.FieldError{Field: field, Got: got, Want: want}
}
