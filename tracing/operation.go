package tracing

import (
	"context"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/statelink/statelink"
)

// operation is an operation that runs. Its calls find it in their context; some
// operations make several at once.
type operation struct {
	span trace.Span

	mu      sync.Mutex
	node    string // the node that answered
	several bool   // more than one did
}

// operationKey is where the observer's operation is in a context. Another
// observer of the same executor has a key of its own.
type operationKey struct{ owner *observer }

func (o *observer) operation(ctx context.Context) *operation {
	running, _ := ctx.Value(operationKey{o}).(*operation)
	return running
}

// Begin starts the span of an operation.
func (o *observer) Begin(ctx context.Context, op statelink.Op) (context.Context, func(error)) {
	ctx, span := o.tracer.Start(ctx, op.Name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(semconv.DBSystemNameRedis, semconv.DBOperationName(op.Name)))
	running := &operation{span: span}
	if span.IsRecording() {
		span.SetAttributes(o.about(op)...)
	}
	return context.WithValue(ctx, operationKey{o}, running), running.end
}

// about says what the operation works on.
func (o *observer) about(op statelink.Op) []attribute.KeyValue {
	attrs := append(make([]attribute.KeyValue, 0, 6), semconv.DBNamespace(*o.database.Load()))
	for _, a := range []struct{ key, value string }{
		{"statelink.namespace", op.Namespace}, {"statelink.service", op.Service}, {"statelink.uid", o.uid(op)},
	} {
		if a.value != "" {
			attrs = append(attrs, attribute.String(a.key, clean(a.value)))
		}
	}
	if op.Pod >= 0 {
		attrs = append(attrs, attribute.Int("statelink.pod", op.Pod))
	}
	if op.Items > 1 {
		attrs = append(attrs, semconv.DBOperationBatchSize(op.Items))
	}
	return attrs
}

func (o *observer) uid(op statelink.Op) string {
	if o.userIDs {
		return op.UID
	}
	return ""
}

// longestValue is as long as the longest user id, in bytes.
const longestValue = 512

// clean makes an argument that nobody has checked yet fit for exporters: one
// that is not UTF-8 makes some of them drop the whole batch of spans.
func clean(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), longestValue)], "?")
}

// answered notes the node of a call, "" if none was reached.
func (r *operation) answered(node string) {
	if node == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.several = r.several || r.node != "" && r.node != node
	r.node = node
}

// server is the only node that answered, "" if there is none.
func (r *operation) server() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.several {
		return ""
	}
	return r.node
}

func (r *operation) end(err error) {
	if r.span.IsRecording() {
		r.span.SetAttributes(server(r.server())...)
		fail(r.span, err)
	}
	r.span.End()
}

// fail records the class of an error and never its text, which names the user.
func fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	span.SetAttributes(semconv.ErrorTypeKey.String(string(statelink.Classify(err))))
	span.SetStatus(codes.Error, "")
}
