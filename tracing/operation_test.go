package tracing_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/tracing"
)

// TestOperation: the span, its attributes and the call within it.
func TestOperation(t *testing.T) {
	e, srv := open(t, func(c *redismanager.RedisConfig) { c.DB = 3 })
	spans, provider := recorder(t)
	defer tracing.Instrument(e, provider)()

	_, err := e.SetLinkedPod(t.Context(), "default", "alice", "chat", 4, 60)
	require.NoError(t, err)
	span := only(t, spans)
	require.Equal(t, "set_linked_pod", span.Name)
	require.Equal(t, trace.SpanKindClient, span.SpanKind)
	require.Equal(t, codes.Unset, span.Status.Code)
	require.Equal(t, "https://opentelemetry.io/schemas/1.43.0", span.InstrumentationScope.SchemaURL)
	require.Equal(t, at(srv, map[string]string{
		"db.system.name": "redis", "db.operation.name": "set_linked_pod", "db.namespace": "3",
		"statelink.namespace": "default", "statelink.service": "chat", "statelink.pod": "4",
	}), words(span.Attributes))

	require.Len(t, span.Events, 1)
	require.Equal(t, "redis.call", span.Events[0].Name)
	call := words(span.Events[0].Attributes)
	require.NotEmpty(t, call["statelink.call.duration"])
	delete(call, "statelink.call.duration")
	require.Equal(t, at(srv, map[string]string{
		"db.operation.name": "EVALSHA", "db.stored_procedure.name": "statefulSetLink",
		"statelink.script.version": "1", "statelink.call.repairs": "1",
	}), call)
}

// TestFailures: the class is told, never the text, which names the user.
func TestFailures(t *testing.T) {
	e, srv := open(t, func(c *redismanager.RedisConfig) { c.MaxRetries = -1 })
	spans, provider := recorder(t)
	defer tracing.Instrument(e, provider)()

	_, err := e.SetLinkedPod(t.Context(), "default", "alice", "chat", -5, 60)
	require.ErrorIs(t, err, statelink.ErrInvalidArgument)
	span := only(t, spans)
	require.Equal(t, "invalid_argument", words(span.Attributes)["error.type"])
	require.Equal(t, sdktrace.Status{Code: codes.Error}, span.Status)
	require.NotContains(t, words(span.Attributes), "statelink.pod", "-5 is no pod")
	require.Empty(t, span.Events, "nothing was sent")

	_, err = e.ComputeLinkedPodIfAbsent(t.Context(), "default", "alice", "chat", 60)
	require.ErrorIs(t, err, statelink.ErrNoReadyPod)
	require.Equal(t, "no_ready_pod", words(only(t, spans).Attributes)["error.type"])

	srv.Kill()
	_, err = e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.Error(t, err)
	span = only(t, spans)
	require.Equal(t, string(statelink.Classify(err)), words(span.Attributes)["error.type"])
	require.Equal(t, string(statelink.Classify(err)), words(span.Events[0].Attributes)["error.type"])
}

// TestNothingPersonal looks for the user, the keys and the arguments in all that
// is recorded.
func TestNothingPersonal(t *testing.T) {
	e, _ := open(t, nil)
	spans, provider := recorder(t)
	defer tracing.Instrument(e, provider)()
	use(t, e, "secret-user")
	all := spans.GetSpans()
	require.Greater(t, len(all), 5)
	text := fmt.Sprintf("%+v", all)
	require.NotContains(t, text, "secret")
	require.NotContains(t, text, "sf:")
}

// TestUserIDs are recorded on request, cleaned.
func TestUserIDs(t *testing.T) {
	e, _ := open(t, nil)
	spans, provider := recorder(t)
	defer tracing.Instrument(e, provider, tracing.WithUserIDs())()
	for _, tc := range []struct{ uid, want string }{
		{"alice", "alice"}, {"a\xffb", "a?b"}, {strings.Repeat("x", 600), strings.Repeat("x", 512)},
	} {
		_, _ = e.GetLinkedPod(t.Context(), "default", tc.uid, "chat")
		require.Equal(t, tc.want, words(only(t, spans).Attributes)["statelink.uid"])
	}
}

// use makes operations and calls of many kinds, with a user that must not be seen.
func use(t *testing.T, e *statelink.Executor, uid string) {
	t.Helper()
	ctx := t.Context()
	_, err := e.SetLinkedPod(ctx, "default", uid, "chat", 1, 60)
	require.NoError(t, err)
	_, err = e.GetLinkedPod(ctx, "default", uid, "chat")
	require.NoError(t, err)
	_, err = e.BatchGetLinkedPod(ctx, "default", []string{uid, uid + "2"}, "chat")
	require.NoError(t, err)
	_, err = e.ComputeLinkedPodIfAbsent(ctx, "default", uid, "none", 60)
	require.ErrorIs(t, err, statelink.ErrNoReadyPod)
	require.ErrorContains(t, err, uid)
	_, err = e.Manager().ExecuteScript(ctx, "return redis.error_reply('ERR secret')", []string{uid}, []any{"secret"})
	require.Error(t, err)
	_, err = e.Manager().Write(ctx, "set", uid, "secret")
	require.NoError(t, err)
}

// TestParents: an operation's span is a child of the caller's, and what the
// caller's sampler leaves out is not recorded.
func TestParents(t *testing.T) {
	e, _ := open(t, nil)
	spans, provider := recorder(t, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	defer tracing.Instrument(e, provider)()
	_, err := e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.NoError(t, err)
	_, err = e.Manager().Read(t.Context(), "get", "k")
	require.NoError(t, err)
	require.Empty(t, spans.GetSpans())

	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	_, err = e.GetLinkedPod(trace.ContextWithSpanContext(t.Context(), parent), "default", "alice", "chat")
	require.NoError(t, err)
	span := only(t, spans)
	require.Equal(t, parent.SpanID(), span.Parent.SpanID())
	require.Equal(t, parent.TraceID(), span.SpanContext.TraceID())
}

// TestRemove: no span after it, also if it is called twice; a second observer
// goes on, with spans of its own.
func TestRemove(t *testing.T) {
	e, _ := open(t, nil)
	first, firstProvider := recorder(t)
	second, secondProvider := recorder(t)
	remove := tracing.Instrument(e, firstProvider)
	defer tracing.Instrument(e, secondProvider)()
	_, err := e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.NoError(t, err)
	require.Len(t, only(t, first).Events, 1)
	require.Len(t, only(t, second).Events, 1)
	remove()
	remove()
	_, err = e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.NoError(t, err)
	require.Empty(t, first.GetSpans())
	require.Len(t, only(t, second).Events, 1)
}

// TestDefaultProvider: nothing that is global is changed.
func TestDefaultProvider(t *testing.T) {
	e, _ := open(t, nil)
	before := otel.GetTracerProvider()
	defer tracing.Instrument(e, tracing.WithTracerProvider(nil))()
	_, err := e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.NoError(t, err)
	require.Same(t, before, otel.GetTracerProvider())
}

// TestManyAtOnce: each operation has its own span and its own call.
func TestManyAtOnce(t *testing.T) {
	e, _ := open(t, nil)
	spans, provider := recorder(t)
	defer tracing.Instrument(e, provider)()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 20 {
				_, err := e.GetLinkedPod(t.Context(), "default", fmt.Sprintf("u%d", i), "chat")
				require.NoError(t, err)
			}
		})
	}
	group.Wait()
	require.Len(t, spans.GetSpans(), 160)
	for _, span := range spans.GetSpans() {
		require.Len(t, span.Events, 1)
	}
}
