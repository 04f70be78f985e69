package redismanager

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Acks asks for the acknowledgement of a change by replicas: the change and
// WAIT travel together over one connection to the master of the key. Redis
// replicates asynchronously, so a change that no replica has acknowledged is lost
// if the master dies at that moment. It is no promise against every fault: see
// docs/reliability.md.
type Acks struct {
	// Replicas is how many must acknowledge, 1 to 16; 0 asks for none.
	Replicas int
	// Timeout is how long to wait for them, 1 ms to nine tenths of ReadTimeout.
	// The context's deadline cuts it short.
	Timeout time.Duration
}

func (a Acks) wanted() bool { return a != Acks{} }

// maxAcks is more than any deployment waits for.
const maxAcks = 16

func (a Acks) validate(cfg RedisConfig) error {
	if !a.wanted() {
		return nil
	}
	if a.Replicas < 1 || a.Replicas > maxAcks {
		return &FieldError{Field: "replica acks", Got: strconv.Itoa(a.Replicas), Want: fmt.Sprintf("1 to %d", maxAcks)}
	}
	if longest := cfg.ReadTimeout / 10 * 9; a.Timeout < time.Millisecond || a.Timeout > longest {
		return &FieldError{Field: "replica acks timeout", Got: a.Timeout.String(), Want: fmt.Sprintf("1ms to %v, which is nine tenths of read_timeout", longest)}
	}
	return nil
}

// waitLate is how late Redis answers a WAIT whose time is up: it looks at clients
// ten times a second.
const waitLate = 120 * time.Millisecond

// wait is the command that asks for them. It gives up before the context does,
// so that its answer still arrives in time.
func (a Acks) wait(ctx context.Context) []any {
	timeout := a.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timeout = min(timeout, max(left-waitLate, left/2))
	}
	return []any{"wait", a.Replicas, max(timeout.Milliseconds(), 1)} // 0 would wait for ever
}

// acknowledged is what became of WAIT.
type acknowledged struct {
	replicas int // -1 if not known
	err      error
	waited   time.Duration
}

// NotDurableError says that a change was applied, but acknowledged by fewer
// replicas than were asked for within the time, so that a failover now may lose
// it. The change's own answer is returned with it. It matches [ErrNotDurable].
type NotDurableError struct {
	Acked  int           // replicas that acknowledged, -1 if that is not known
	Wanted int           // replicas asked for
	Waited time.Duration // how long
	Node   string        // address of the master that applied it
	Cause  error         // why Acked is not known
}

// Error names the numbers, and the cause if there is one.
func (e *NotDurableError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%v: applied on node %s, acknowledgements of %d replicas not known: %v", ErrNotDurable, e.Node, e.Wanted, e.Cause)
	}
	return fmt.Sprintf("%v: applied on node %s, acknowledged by %d of %d replicas within %v",
		ErrNotDurable, e.Node, e.Acked, e.Wanted, e.Waited.Round(time.Millisecond))
}

// Is reports whether target is [ErrNotDurable].
func (e *NotDurableError) Is(target error) bool { return target == ErrNotDurable }

// Unwrap gives the cause.
func (e *NotDurableError) Unwrap() error { return e.Cause }

// check gives the error of a change that was applied but not acknowledged.
func (a Acks) check(done attempt) error {
	if !a.wanted() || done.acks.err == nil && done.acks.replicas >= a.Replicas {
		return nil
	}
	return &NotDurableError{
		Acked: done.acks.replicas, Wanted: a.Replicas, Waited: done.acks.waited, Node: done.node, Cause: done.acks.err,
	}
}

// doAll sends a command once to the node, together with what must travel over
// the same connection: ASKING before it, WAIT after it.
func (n *node) doAll(ctx context.Context, args []any, asking bool, acks Acks) attempt {
	p := n.acquire()
	if p == nil {
		return attempt{err: errNodeGone, node: n.addr}
	}
	defer p.release()
	start := time.Now()
	pipe := p.Pipeline()
	if asking {
		_ = pipe.Process(ctx, newOneShot(ctx, []any{"asking"}))
	}
	cmd := newOneShot(ctx, args)
	_ = pipe.Process(ctx, cmd)
	var wait *oneShot
	if acks.wanted() {
		wait = newOneShot(ctx, acks.wait(ctx))
		_ = pipe.Process(ctx, wait)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	a := cmd.attempt(n.addr, p.Client).finish(ctx, start)
	if wait != nil && a.err == nil {
		a.acks = answerOf(wait, time.Since(start))
	}
	return a
}

// answerOf reads the reply to WAIT.
func answerOf(wait *oneShot, waited time.Duration) acknowledged {
	if err := wait.Err(); err != nil {
		return acknowledged{replicas: -1, err: err, waited: waited}
	}
	n, ok := wait.Val().(int64)
	if !ok {
		return acknowledged{replicas: -1, err: fmt.Errorf("%w: reply to WAIT is %T", ErrMalformedData, wait.Val()), waited: waited}
	}
	return acknowledged{replicas: int(n), waited: waited}
}
