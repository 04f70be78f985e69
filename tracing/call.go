package tracing

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

const callEvent = "redis.call"

// CallDone makes an event of the operation that the call belongs to, or else a
// span of its own.
func (o *observer) CallDone(ctx context.Context, c redismanager.CallInfo) {
	running := o.operation(ctx)
	if running == nil {
		o.callSpan(ctx, c)
		return
	}
	running.answered(c.Node)
	if running.span.IsRecording() {
		attrs := append(describe(c), attribute.Float64("statelink.call.duration", c.Duration.Seconds()))
		if c.Err != nil {
			attrs = append(attrs, semconv.ErrorTypeKey.String(string(statelink.Classify(c.Err))))
		}
		running.span.AddEvent(callEvent, trace.WithAttributes(attrs...))
	}
}

// callSpan makes a span of a call that has ended.
func (o *observer) callSpan(ctx context.Context, c redismanager.CallInfo) {
	end := time.Now()
	name := command(c)
	if c.IsScript {
		name += " " + c.Name
	}
	_, span := o.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(end.Add(-c.Duration)),
		trace.WithAttributes(semconv.DBSystemNameRedis, semconv.DBOperationName(command(c))))
	if span.IsRecording() {
		span.SetAttributes(semconv.DBNamespace(*o.database.Load()))
		span.SetAttributes(describe(c)...)
		fail(span, c.Err)
	}
	span.End(trace.WithTimestamp(end))
}

// command is the Redis command that the call sends.
func command(c redismanager.CallInfo) string {
	if c.IsScript {
		return "EVALSHA"
	}
	if name, ok := strings.CutSuffix(c.Name, "_batch"); ok {
		return "PIPELINE " + strings.ToUpper(clean(name))
	}
	return strings.ToUpper(clean(c.Name))
}

// describe gives the attributes that an event and a span of a call share.
func describe(c redismanager.CallInfo) []attribute.KeyValue {
	attrs := append(make([]attribute.KeyValue, 0, 9), semconv.DBOperationName(command(c)))
	if c.IsScript {
		attrs = append(attrs, semconv.DBStoredProcedureName(c.Name))
	}
	if c.Version > 0 {
		attrs = append(attrs, attribute.Int("statelink.script.version", c.Version))
	}
	if c.Tries > 1 {
		attrs = append(attrs, attribute.Int("statelink.call.tries", c.Tries))
	}
	if c.Repairs > 0 {
		attrs = append(attrs, attribute.Int("statelink.call.repairs", c.Repairs))
	}
	return append(attrs, server(c.Node)...)
}

// server gives the node's address, or nothing if it is not known, as for the
// nodes of a batch.
func server(node string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(node)
	if err != nil {
		return nil
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil
	}
	return []attribute.KeyValue{semconv.ServerAddress(host), semconv.ServerPort(number)}
}
