package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

// session is a connection for one command. The scripts are registered but not
// loaded: the first run of each does that, so that looking changes nothing.
type session struct {
	exec    *statelink.Executor
	manager *redismanager.Manager
	keys    statelink.Keys
}

// withRedis connects as configured, does the work and closes, all within
// --timeout.
func (p *program) withRedis(ctx context.Context, work func(ctx context.Context, s *session) error) error {
	cfg, err := p.loadConfig()
	if err != nil {
		return err
	}
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	s, err := p.connect(ctx, cfg)
	if err == nil {
		err = errors.Join(work(ctx, s), s.close())
	}
	if err != nil && timeIsUp(ctx) {
		return fmt.Errorf("%w (--timeout %v)", err, p.flags.timeout)
	}
	return err
}

// timeIsUp also holds for a socket that gave up just before the context did.
func timeIsUp(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < 10*time.Millisecond
}

// connect opens no idle connections: one command needs one.
func (p *program) connect(ctx context.Context, cfg redismanager.RedisConfig, opts ...statelink.Option) (*session, error) {
	cfg.MinIdleConns = -1
	m, err := redismanager.New(ctx, cfg, redismanager.WithLogger(p.log))
	if errors.Is(err, redismanager.ErrInvalidArgument) {
		return nil, configError{err}
	}
	if err != nil {
		return nil, err
	}
	exec, err := statelink.NewExecutor(m, append(opts, statelink.WithKeyPrefix(p.flags.keyPrefix))...)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &session{exec: exec, manager: m, keys: statelink.NewKeys(p.flags.keyPrefix)}, nil
}

func (s *session) close() error { return s.manager.Close() }
