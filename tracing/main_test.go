package tracing_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/tracing"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// open makes an executor on a server of its own, which does not know the scripts.
func open(tb testing.TB, change func(*redismanager.RedisConfig)) (*statelink.Executor, *redistest.Server) {
	tb.Helper()
	srv := redistest.StartServer(tb)
	cfg := redismanager.RedisConfig{Addr: srv.Addr()}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	m, err := redismanager.New(ctx, cfg, redismanager.WithLogger(quiet))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = m.Close() })
	e, err := statelink.NewExecutor(m)
	require.NoError(tb, err)
	return e, srv
}

// recorder keeps the spans that have ended.
func recorder(tb testing.TB, opts ...sdktrace.TracerProviderOption) (*tracetest.InMemoryExporter, tracing.Option) {
	tb.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(append(opts, sdktrace.WithSyncer(spans))...)
	tb.Cleanup(func() { require.NoError(tb, provider.Shutdown(context.Background())) })
	return spans, tracing.WithTracerProvider(provider)
}

// only gives the one span that there is, and forgets it.
func only(tb testing.TB, spans *tracetest.InMemoryExporter) tracetest.SpanStub {
	tb.Helper()
	found := spans.GetSpans()
	require.Len(tb, found, 1)
	spans.Reset()
	return found[0]
}

// words gives attributes as text, by key.
func words(attrs []attribute.KeyValue) map[string]string {
	found := map[string]string{}
	for _, a := range attrs {
		found[string(a.Key)] = a.Value.String()
	}
	return found
}

// at adds the server's address to expected attributes.
func at(srv *redistest.Server, attrs map[string]string) map[string]string {
	host, port, _ := net.SplitHostPort(srv.Addr())
	number, _ := strconv.Atoi(port)
	attrs["server.address"], attrs["server.port"] = host, fmt.Sprint(number)
	return attrs
}
