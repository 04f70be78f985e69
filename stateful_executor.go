package statelink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/statelink/statelink/redismanager"
)

// DefaultPodMaxAge is how old a pod's last heartbeat may be, by the server's
// clock, before the pod counts as dead. See [WithPodMaxAge].
const DefaultPodMaxAge = 15 * time.Second

// Executor is the [StatefulExecutor]: links, pod states and workload states of
// one Redis deployment. It is safe for concurrent use.
type Executor struct {
	settings
	scripts *ScriptExecutor
	manager *redismanager.Manager
	owned   bool // Close closes the manager too

	observers *observers
}

// Option changes a rarely changed part of an [Executor].
type Option func(*settings) error

type settings struct {
	keys      Keys
	podMaxAge time.Duration
}

// WithKeyPrefix replaces [DefaultKeyPrefix] in every key. It is checked like a
// namespace. Programs that share data must use the same prefix.
func WithKeyPrefix(prefix string) Option {
	return func(s *settings) error {
		s.keys = NewKeys(prefix)
		return checkName("key prefix", prefix)
	}
}

// WithPodMaxAge sets after how long without a heartbeat a pod counts as dead
// and its users may move: 100 ms to 24 h, default [DefaultPodMaxAge]. It should
// be at least three heartbeat intervals.
func WithPodMaxAge(d time.Duration) Option {
	return func(s *settings) error {
		s.podMaxAge = d
		if d < 100*time.Millisecond || d > 24*time.Hour {
			return refuse("pod max age", d.String(), "100ms to 24h")
		}
		return nil
	}
}

// NewExecutor makes an executor on a manager that the caller keeps and closes.
// It registers the embedded scripts without I/O; each is loaded by its first
// run, or by [redismanager.Manager.PreloadScripts].
func NewExecutor(m *redismanager.Manager, opts ...Option) (*Executor, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	scripts, err := NewScriptExecutor(m)
	if err != nil {
		return nil, err
	}
	return &Executor{settings: s, scripts: scripts, manager: m, observers: &observers{}}, nil
}

func newSettings(opts []Option) (settings, error) {
	s := settings{keys: NewKeys(DefaultKeyPrefix), podMaxAge: DefaultPodMaxAge}
	for _, opt := range opts {
		if err := opt(&s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Open connects to Redis, loads the scripts on every master and makes an
// executor that owns its manager: [Executor.Close] closes both. Errors are
// those of [redismanager.New] and of the options. For a manager with options of
// its own, such as a logger, use [redismanager.New] and [NewExecutor].
func Open(ctx context.Context, cfg redismanager.RedisConfig, opts ...Option) (*Executor, error) {
	if _, err := newSettings(opts); err != nil {
		return nil, err
	}
	m, err := redismanager.New(ctx, cfg, redismanager.WithScripts(embeddedScripts()...))
	if err != nil {
		return nil, err
	}
	e, err := NewExecutor(m, opts...)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	e.owned = true
	return e, nil
}

// WithReplicaAcks gives an executor on the same manager whose changes each wait
// until n replicas have acknowledged them, 1 to 16, for at most timeout, 1 ms to
// nine tenths of the read timeout. If fewer did, the change is applied and its
// answer returned as always, together with a [*redismanager.NotDurableError] that
// matches [ErrNotDurable] and says how many. What n or timeout is not is refused
// by each change. Also a change that finds nothing to do waits, so what it
// answers is as durable. It costs a round trip to the replicas; see
// docs/reliability.md for what it survives.
func (e *Executor) WithReplicaAcks(n int, timeout time.Duration) *Executor {
	derived := *e
	derived.scripts = e.scripts.withAcks(redismanager.Acks{Replicas: n, Timeout: timeout})
	derived.owned = false
	return &derived
}

// Manager gives the manager that the executor works on.
func (e *Executor) Manager() *redismanager.Manager { return e.manager }

// Close ends an executor made by [Open] together with its manager. For one
// made by [NewExecutor] it does nothing: the manager is the caller's.
func (e *Executor) Close() error {
	if !e.owned {
		return nil
	}
	return e.manager.Close()
}

// about adds to an error what was being done, and to whom.
func about(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
