package redismanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// call is one command or script run, repeated only where that is safe.
type call struct {
	about      CallInfo // its name, for observers
	once       func(ctx context.Context, g *generation) attempt
	explain    func(a attempt, g *generation) error
	repeatable bool // it only reads, or is idempotent
	acks       Acks // that it must have
}

// run makes attempts until one is answered, may have been applied, or its
// retries or its time are used up.
func (m *Manager) run(ctx context.Context, c call) (any, error) {
	start := time.Now()
	r := retrier{start: start}
	for {
		value, pause, err := m.try(ctx, &c, &r)
		if err == nil || pause < 0 || !sleep(ctx, pause) {
			c.about.Tries, c.about.Duration, c.about.Err = r.tries, time.Since(start), err
			m.callDone(ctx, c.about)
			return value, err
		}
	}
}

// try makes one attempt. pause is how long to wait before the next one,
// negative if there must be none.
func (m *Manager) try(ctx context.Context, c *call, r *retrier) (value any, pause time.Duration, err error) {
	r.tries++
	g, err := m.acquire()
	if err != nil {
		return nil, -1, r.withDoubt(err)
	}
	defer g.release()
	if err := c.acks.validate(g.cfg); err != nil {
		return nil, -1, err
	}
	a := c.once(ctx, g)
	c.about.Node = a.node
	if a.repaired {
		c.about.Repairs++
	}
	if a.err == nil {
		return a.value, -1, c.acks.check(a)
	}
	if isTopologyError(a) {
		g.view.want()
	}
	pause, err = r.pause(ctx, g.cfg, a, c.repeatable), r.withDoubt(c.explain(a, g))
	if r.last != nil && a.ended && !a.written { // the deadline says less than what kept it from being met
		err = fmt.Errorf("%w; before that: %w", err, r.last)
	}
	r.last = err
	return a.value, pause, err
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
// after a lost reply. An absent value is nil. A command that changes its
// connection, such as SELECT, WATCH or SUBSCRIBE, is [ErrInvalidArgument].
func (m *Manager) Read(ctx context.Context, args ...any) (any, error) {
	return m.command(ctx, args, true, Acks{})
}

// Write runs one native command that writes, such as SET, on the master that
// serves its key, which is the second element of args. It is sent at most
// once; a lost reply is [ErrOutcomeUnknown]. It refuses what [Manager.Read] refuses.
func (m *Manager) Write(ctx context.Context, args ...any) (any, error) {
	return m.command(ctx, args, false, Acks{})
}

// WriteAcked is [Manager.Write] that waits for replicas. If fewer than asked for
// acknowledged the change, it gives the answer together with a
// [*NotDurableError].
func (m *Manager) WriteAcked(ctx context.Context, acks Acks, args ...any) (any, error) {
	return m.command(ctx, args, false, acks)
}

func (m *Manager) command(ctx context.Context, args []any, repeatable bool, acks Acks) (any, error) {
	key, err := keyOf(args)
	if err != nil {
		return nil, err
	}
	args, err = sendable(args)
	if err != nil {
		return nil, err
	}
	name, err := nameOf(args)
	if err != nil {
		return nil, err
	}
	return m.run(ctx, call{
		about:      CallInfo{Name: strings.ToLower(name)},
		once:       func(ctx context.Context, g *generation) attempt { return g.send(ctx, key, args, acks) },
		explain:    func(a attempt, _ *generation) error { return explain(a, repeatable) },
		repeatable: repeatable,
		acks:       acks,
	})
}

// nameOf finds the name of a native command, and refuses one that would change
// the connection for whoever gets it next.
func nameOf(args []any) (string, error) {
	name, ok := args[0].(string)
	if !ok {
		return "", &FieldError{Field: "args[0]", Got: fmt.Sprintf("%T", args[0]), Want: "the command's name as a string"}
	}
	if isOfSession(name) {
		return "", &FieldError{Field: "args[0]", Got: quoteShort(name), Want: "a command that leaves the connection as it is: it is shared"}
	}
	return name, nil
}

// keyOf finds the key of a native command.
func keyOf(args []any) (string, error) {
	if len(args) < 2 {
		return "", &FieldError{Field: "args", Got: fmt.Sprintf("%d elements", len(args)), Want: "a command and its key"}
	}
	key, ok := args[1].(string)
	if !ok {
		return "", &FieldError{Field: "args[1]", Got: fmt.Sprintf("%T", args[1]), Want: "the key as a string"}
	}
	return key, nil
}
