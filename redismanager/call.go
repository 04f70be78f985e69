package redismanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// oneShot is a command that go-redis may send at most once, and that knows
// whether sending began. go-redis asks for the arguments only to write them,
// so a command whose arguments were never asked for was surely not sent. (A
// hook that looks at the arguments makes the answer "maybe": still safe.)
type oneShot struct {
	*redis.Cmd
	written bool
}

func newOneShot(ctx context.Context, args []any) *oneShot {
	return &oneShot{Cmd: redis.NewCmd(ctx, args...)}
}

// NoRetry keeps go-redis from sending the command again after a lost reply.
func (c *oneShot) NoRetry() bool { return true }

// Args is called when the command is written to the connection.
func (c *oneShot) Args() []any {
	c.written = true
	return c.Cmd.Args()
}

// attempt is what became of the command in a pipeline. If a later reply cannot
// be read, go-redis gives its error to those that were answered before, too.
func (c *oneShot) attempt(node string, client *redis.Client) attempt {
	a := attempt{value: c.Val(), err: c.Err(), written: c.written, node: node, client: client}
	if a.value != nil {
		a.err = nil
	}
	return a
}

// attempt is what became of sending one command once.
type attempt struct {
	value    any
	err      error
	written  bool // the command may have reached the server
	refused  bool // by the manager: no node was asked
	repaired bool // the node lacked the script and was sent its source
	node     string
	client   *redis.Client // nil if no node could be chosen
	waited   time.Duration
	ended    bool // the caller's context had ended by then
	acks     acknowledged
}

// sendTo sends the command once over c.
func sendTo(ctx context.Context, c *redis.Client, args []any) attempt {
	cmd := newOneShot(ctx, args)
	start := time.Now()
	err := c.Process(ctx, cmd)
	a := attempt{value: cmd.Val(), err: err, written: cmd.written, node: c.Options().Addr, client: c}
	return a.finish(ctx, start)
}

// finish turns the reply "nil" into a value, and notes of a failed attempt how
// long it took and whether the caller's context had ended.
func (a attempt) finish(ctx context.Context, start time.Time) attempt {
	if a.written && a.err == redis.Nil { //nolint:errorlint // a failed dial may carry a sentinel's nil in its chain
		a.value, a.err = nil, nil
	}
	if a.err == nil {
		return a
	}
	a.waited = time.Since(start)
	if end := endOf(ctx); end != nil && !isServerError(a.err) {
		a.ended = true
		if !errors.Is(a.err, end) {
			a.err = fmt.Errorf("%w: %w", end, a.err)
		}
	}
	return a
}

// endOf gives the error of a context that has ended. A socket has the context's
// deadline and may notice it a moment before the context does.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
