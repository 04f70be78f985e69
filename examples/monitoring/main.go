// Monitoring shows metrics for Prometheus and traces for OpenTelemetry of one
// executor.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/metrics"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/tracing"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	ctx := context.Background()
	srv, err := embedded.Start() // in production: the address of your Redis
	if err != nil {
		return err
	}
	defer srv.Close()
	links, err := statelink.Open(ctx, redismanager.RedisConfig{Addr: srv.Addr()})
	if err != nil {
		return err
	}
	defer links.Close()

	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	unregister, err := metrics.Register(registry, links)
	if err != nil {
		return err
	}
	defer unregister()

	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(printer{out})) // in production: a batcher and an OTLP exporter
	defer func() { _ = provider.Shutdown(ctx) }()
	defer tracing.Instrument(links, tracing.WithTracerProvider(provider))()

	if _, err := links.SetLinkedPod(ctx, "default", "u42", "game", 1, statelink.PersistForever); err != nil {
		return err
	}
	if _, err := links.GetLinkedPod(ctx, "default", "u42", "game"); err != nil {
		return err
	}
	if _, err := links.GetLinkedPod(ctx, "default", "u 42\n", "game"); err == nil {
		return fmt.Errorf("a user id with a line break was taken")
	}
	return scrape(out, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// scrape prints the operations as Prometheus would read them from /metrics.
func scrape(out io.Writer, handler http.Handler) error {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "statelink_operations_total") {
			if _, err := io.WriteString(out, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// printer is an exporter that prints the name and the calls of each span.
type printer struct{ out io.Writer }

// ExportSpans prints one line per span.
func (p printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		if _, err := fmt.Fprintf(p.out, "span %s: %s, %d calls of redis\n", s.Name(), s.Status().Code, len(s.Events())); err != nil {
			return err
		}
	}
	return nil
}

// Shutdown has nothing to do.
func (printer) Shutdown(context.Context) error { return nil }
