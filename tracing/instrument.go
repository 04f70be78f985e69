package tracing

import (
	"strconv"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

const scopeName = "github.com/statelink/statelink/tracing"

// Option changes what is traced.
type Option func(*settings)

type settings struct {
	provider trace.TracerProvider
	userIDs  bool
}

// WithTracerProvider sets where spans go. Default, also for nil: what
// [otel.GetTracerProvider] gives.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return func(s *settings) { s.provider = provider }
}

// WithUserIDs records the linked user of an operation as statelink.uid. It is
// personal data: spans are kept, copied and shown to many.
func WithUserIDs() Option {
	return func(s *settings) { s.userIDs = true }
}

// observer makes the spans of one executor or manager.
type observer struct {
	tracer   trace.Tracer
	userIDs  bool
	manager  *redismanager.Manager
	database atomic.Pointer[string] // number of the database in use
}

// Instrument traces the operations of e, and the calls of its manager, until
// remove is called.
func Instrument(e *statelink.Executor, opts ...Option) (remove func()) {
	o := newObserver(e.Manager(), opts)
	stopCalls, stopOperations := o.manager.AddObserver(o), e.AddObserver(o)
	return sync.OnceFunc(func() {
		stopOperations()
		stopCalls()
	})
}

// InstrumentManager traces the calls of a manager that is used without an
// executor, until remove is called.
func InstrumentManager(m *redismanager.Manager, opts ...Option) (remove func()) {
	return m.AddObserver(newObserver(m, opts))
}

func newObserver(m *redismanager.Manager, opts []Option) *observer {
	var s settings
	for _, opt := range opts {
		opt(&s)
	}
	if s.provider == nil {
		s.provider = otel.GetTracerProvider()
	}
	o := &observer{
		tracer:  s.provider.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL)),
		userIDs: s.userIDs, manager: m,
	}
	o.readDatabase()
	return o
}

func (o *observer) readDatabase() {
	number := strconv.Itoa(o.manager.GetConfig().DB)
	o.database.Store(&number)
}

// Changed learns of a new configuration.
func (o *observer) Changed(e redismanager.Event) {
	if e.Kind == redismanager.EventConfigReplaced {
		o.readDatabase()
	}
}
