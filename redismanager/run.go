package redismanager

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// call is one command or script run, repeated only where that is safe.
type call struct {
	about      CallInfo // its name, for observers
	once       func(ctx context.Context, g *generation) attempt
	explain    func(a attempt, g *generation) error
	repeatable bool // it only reads, or is idempotent
}

// run makes attempts until one is answered, may have been applied, or the
// configured number of retries or the deadline is used up.
func (m *Manager) run(ctx context.Context, c call) (any, error) {
	start := time.Now()
	for tries := 0; ; tries++ {
		value, pause, err := m.try(ctx, &c, tries)
		if err == nil || pause < 0 || !sleep(ctx, pause) {
			c.about.Tries, c.about.Duration, c.about.Err = tries+1, time.Since(start), err
			m.callDone(ctx, c.about)
			return value, err
		}
	}
}

// try makes one attempt. pause is how long to wait before the next one,
// negative if there must be none.
func (m *Manager) try(ctx context.Context, c *call, tries int) (value any, pause time.Duration, err error) {
	g, err := m.acquire()
	if err != nil {
		return nil, -1, err
	}
	defer g.release()
	a := c.once(ctx, g)
	c.about.Node = a.node
	if a.repaired {
		c.about.Repairs++
	}
	if a.err == nil {
		return a.value, -1, nil
	}
	if isTopologyError(a) {
		g.view.want()
	}
	pause = -1
	if tries < g.cfg.MaxRetries && c.mayRepeat(a) {
		pause = backoff(g.cfg, tries)
	}
	return nil, pause, c.explain(a, g)
}

// mayRepeat reports whether the attempt surely left nothing behind, or leaves
// nothing behind by nature, and another may go better.
func (c call) mayRepeat(a attempt) bool {
	if a.refused {
		return false
	}
	if isServerError(a.err) {
		return isPassing(a.err.Error())
	}
	if a.ended {
		return false
	}
	if errors.Is(a.err, redis.ErrPoolTimeout) {
		return false // pool_timeout is the wait that was asked for
	}
	return !a.written || c.repeatable
}

// backoff grows from the shortest to the longest pause, each with jitter, so
// that callers that failed together do not return together.
func backoff(cfg RedisConfig, tries int) time.Duration {
	d := cfg.MinRetryBackoff << min(tries, 16)
	d = min(max(d, cfg.MinRetryBackoff), cfg.MaxRetryBackoff)
	return d/2 + rand.N(d/2+1)
}

// sleep reports false if the context ends first, or would end within d.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// isTopologyError reports a failure that a newer view of the Cluster may cure.
func isTopologyError(a attempt) bool {
	if isServerError(a.err) {
		return hasPrefix(a.err.Error(), "CLUSTERDOWN ", "READONLY ", "MASTERDOWN ", "MOVED ")
	}
	return isDialError(a.err) || isTimeout(a.err) || errors.Is(a.err, errNoMaster) || errors.Is(a.err, errDemoted)
}

// Read runs one native command that reads, such as GET, on the master that
// serves its key, which is the second element of args. It may be sent again
// after a lost reply. An absent value is nil.
func (m *Manager) Read(ctx context.Context, args ...any) (any, error) {
	return m.command(ctx, args, true)
}

// Write runs one native command that writes, such as SET, on the master that
// serves its key, which is the second element of args. It is sent at most
// once; a lost reply is [ErrOutcomeUnknown].
func (m *Manager) Write(ctx context.Context, args ...any) (any, error) {
	return m.command(ctx, args, false)
}

func (m *Manager) command(ctx context.Context, args []any, repeatable bool) (any, error) {
	if len(args) < 2 {
		return nil, &FieldError{Field: "args", Got: fmt.Sprintf("%d elements", len(args)), Want: "a command and its key"}
	}
	key, ok := args[1].(string)
	if !ok {
		return nil, &FieldError{Field: "args[1]", Got: fmt.Sprintf("%T", args[1]), Want: "the key as a string"}
	}
	args, err := sendable(args)
	if err != nil {
		return nil, err
	}
	name, _ := args[0].(string)
	return m.run(ctx, call{
		about:      CallInfo{Name: strings.ToLower(name)},
		once:       func(ctx context.Context, g *generation) attempt { return g.send(ctx, key, args) },
		explain:    func(a attempt, _ *generation) error { return explain(a, repeatable) },
		repeatable: repeatable,
	})
}
