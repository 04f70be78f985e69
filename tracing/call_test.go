package tracing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/tracing"
)

// TestCallWithoutOperation: a span of its own, as long as the call.
func TestCallWithoutOperation(t *testing.T) {
	e, srv := open(t, nil)
	spans, provider := recorder(t)
	defer tracing.InstrumentManager(e.Manager(), provider)()

	script := redismanager.Script{Name: "counting", Source: "#!lua\nreturn redis.call('INCR', KEYS[1])\n"}
	require.NoError(t, e.Manager().AddScripts(script))
	start := time.Now()
	_, err := e.Manager().ExecuteScript(t.Context(), "counting", []string{"k"}, nil)
	require.NoError(t, err)
	span := only(t, spans)
	require.Equal(t, "EVALSHA counting", span.Name)
	require.Equal(t, trace.SpanKindClient, span.SpanKind)
	require.Equal(t, at(srv, map[string]string{
		"db.system.name": "redis", "db.operation.name": "EVALSHA", "db.stored_procedure.name": "counting", "db.namespace": "0",
		"statelink.script.version": "1", "statelink.call.repairs": "1",
	}), words(span.Attributes))
	require.False(t, span.StartTime.Before(start.Add(-time.Millisecond)))
	require.True(t, span.EndTime.After(span.StartTime))

	_, err = e.Manager().ExecuteScript(t.Context(), "error('no')", []string{"k"}, nil)
	require.ErrorIs(t, err, redismanager.ErrScriptRuntime)
	span = only(t, spans)
	require.Equal(t, "EVALSHA source", span.Name)
	require.Equal(t, "script_runtime", words(span.Attributes)["error.type"])

	_, err = e.Manager().Read(t.Context(), "get", "k")
	require.NoError(t, err)
	require.Equal(t, "GET", only(t, spans).Name)
	_, err = e.Manager().GetBatch(t.Context(), []string{"k", "l"})
	require.NoError(t, err)
	span = only(t, spans)
	require.Equal(t, "PIPELINE GET", span.Name)
	require.NotContains(t, words(span.Attributes), "server.address", "a batch goes to several nodes")
}

// TestDatabaseOfANewConfiguration is the one that later spans tell of.
func TestDatabaseOfANewConfiguration(t *testing.T) {
	e, _ := open(t, nil)
	spans, provider := recorder(t)
	defer tracing.Instrument(e, provider)()
	cfg := e.Manager().GetConfig()
	cfg.DB = 5
	require.NoError(t, e.Manager().UpdateConfig(cfg))
	_, err := e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.NoError(t, err)
	require.Equal(t, "5", words(only(t, spans).Attributes)["db.namespace"])
}

// BenchmarkOperation measures what tracing adds to an operation: refused ones
// reach no server.
func BenchmarkOperation(b *testing.B) {
	e, _ := open(b, nil)
	refused := func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = e.GetLinkedPod(b.Context(), "default", "", "chat")
		}
	}
	b.Run("untraced", refused)
	b.Run("not_sampled", func(b *testing.B) {
		defer tracing.Instrument(e, tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))))()
		refused(b)
	})
	b.Run("sampled", func(b *testing.B) {
		defer tracing.Instrument(e, tracing.WithTracerProvider(sdktrace.NewTracerProvider()))()
		refused(b)
	})
}
