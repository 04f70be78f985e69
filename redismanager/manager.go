package redismanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisManager is the contract: connections, scripts, health, configuration
// and statistics of one Redis deployment. [*Manager] implements it and offers
// more.
type RedisManager interface {
	// GetConnection leases a client; ReleaseConnection ends the lease.
	GetConnection(ctx context.Context) (*redis.Client, error)
	ReleaseConnection(client *redis.Client)
	// HealthCheck runs a script on every master.
	HealthCheck(ctx context.Context) error
	// Close ends the manager.
	Close() error
	// GetPoolStats gives the pools' numbers by name.
	GetPoolStats() map[string]interface{}
	// LoadScript gives the source of a registered script.
	LoadScript(ctx context.Context, name string) (string, error)
	// ExecuteScript runs a registered script, or Lua source.
	ExecuteScript(ctx context.Context, script string, keys []string, args []interface{}) (interface{}, error)
	// PreloadScripts loads all registered scripts on every master.
	PreloadScripts(ctx context.Context) error
	// GetScriptSHA gives the SHA1 of a registered script.
	GetScriptSHA(name string) (string, error)
	// GetConfig gives a copy of the configuration in use.
	GetConfig() *RedisConfig
	// UpdateConfig replaces the configuration while calls run.
	UpdateConfig(config *RedisConfig) error
}

var _ RedisManager = (*Manager)(nil)

// Manager is a [RedisManager] for a standalone server, Sentinel or Cluster.
// It is safe for concurrent use.
type Manager struct {
	log     *slog.Logger
	scripts *ScriptCache
	adHoc   *adHocScripts
	leases  leases
	events  events
	hot     hotScripts

	counters counters
	health   *HealthChecker

	current  atomic.Pointer[generation]
	updating chan struct{} // holds one token; who has it may replace current

	stop       context.CancelFunc // ends updates, drains and what runs in the background
	life       context.Context
	background sync.WaitGroup // goroutines that end with life
	drains     sync.WaitGroup // retired generations that are still closing
	draining   atomic.Int64   // how many those are
	isClosed   atomic.Bool
	closing    sync.Once
	closeErr   error
}

// Option changes a rarely changed part of a [Manager].
type Option func(*Manager) error

// WithLogger sets where the manager logs changes of state. Default:
// [slog.Default]. A nil logger is refused.
func WithLogger(log *slog.Logger) Option {
	return func(m *Manager) error {
		if log == nil {
			return &FieldError{Field: "logger", Got: "nil", Want: "a *slog.Logger"}
		}
		m.log = log
		return nil
	}
}

// WithScripts registers scripts before the manager connects.
func WithScripts(scripts ...Script) Option {
	return func(m *Manager) error { return m.scripts.register(scripts...) }
}

// New connects to the deployment that cfg describes, checks its topology and
// loads the registered scripts on every master. It returns [ErrInvalidArgument]
// for a setting, [ErrWrongTopology] when the mode does not fit the servers,
// [ErrAuth], [ErrUnavailable], [ErrTimeout] or [ErrBusyScript] when they cannot
// be used, [ErrScriptCompile] for a script. Part of a Cluster that is down, and
// a server that refuses writes for now, are logged and do not stop a start:
// [Manager.HealthCheck] tells of them.
func New(ctx context.Context, cfg RedisConfig, opts ...Option) (*Manager, error) {
	m := &Manager{log: slog.Default(), scripts: newScriptCache(), updating: make(chan struct{}, 1)}
	m.health = newHealthChecker(m)
	for _, opt := range opts {
		if err := opt(m); err != nil {
			return nil, err
		}
	}
	m.adHoc = newAdHocScripts(m.log)
	m.life, m.stop = context.WithCancel(context.Background())
	g, err := m.connect(ctx, cfg)
	if err != nil {
		m.stop()
		return nil, err
	}
	m.current.Store(g)
	m.updating <- struct{}{}
	return m, nil
}

// connect makes a generation that is ready to serve, or nothing.
func (m *Manager) connect(ctx context.Context, cfg RedisConfig) (*generation, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.TLS.build()
	if err != nil {
		return nil, err
	}
	hello, err := probe(ctx, cfg, tlsConfig)
	if err != nil {
		return nil, err
	}
	g := m.newGeneration(cfg, tlsConfig)
	g.plain = hello.isEmbedded()
	unwatch := context.AfterFunc(ctx, func() { _ = g.close() }) // a read would not notice a cancellation
	if err = g.view.start(ctx); err == nil {
		err = m.prepare(ctx, g)
	}
	if !unwatch() { // whatever failed, failed because of that
		err = explainConnection(attempt{err: ctx.Err(), ended: true})
	}
	if err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// prepare makes sure that the deployment serves, and loads the scripts. A shard
// that is down, or a server that refuses writes for now, does not stop a start:
// the rest is served, reads are, and scripts are loaded by their first run. It
// does stop a change of configuration: there the old one goes on. A program that
// may not load scripts leaves that to somebody else.
func (m *Manager) prepare(ctx context.Context, g *generation) error {
	starting := m.current.Load() == nil
	serving, err := g.serving(ctx)
	if err == nil {
		err = g.preload(ctx, m.scripts.all())
	}
	if err != nil && serving > 0 && ctx.Err() == nil && isTolerable(err, starting) {
		m.log.Warn("redis is not wholly ready", "error", err)
		return nil
	}
	return err
}

// serving counts the masters that answer a script, if only to say that they
// refuse to write for now. The error names the others.
func (g *generation) serving(ctx context.Context) (masters int64, err error) {
	var n atomic.Int64
	err = g.eachMaster(ctx, func(ctx context.Context, _ string, c *redis.Client) error {
		err := g.runsScripts(ctx, c)
		if text, replied := replyInChain(err); err == nil || replied && notWritable.MatchString(text) {
			n.Add(1)
		}
		return err
	})
	return n.Load(), err
}

// isTolerable reports whether every one of several nodes' failures is a missing
// permission or, at a start, may go away by itself.
func isTolerable(err error, starting bool) bool {
	var several nodeErrors
	if !errors.As(err, &several) {
		several = nodeErrors{err}
	}
	return !slices.ContainsFunc(several, func(err error) bool {
		passes := errors.Is(err, ErrUnavailable) || errors.Is(err, ErrTimeout)
		return !errors.Is(err, ErrAuth) && !(starting && passes)
	})
}

// acquire takes the current generation for one call.
func (m *Manager) acquire() (*generation, error) {
	for {
		if m.isClosed.Load() {
			return nil, ErrClosed
		}
		if g := m.current.Load(); g.acquire() {
			return g, nil
		}
	}
}

// Client gives a go-redis client for commands that the manager does not offer.
// It has a pool of its own, which is opened when it is first used, and lives
// until the next change of configuration or Close: to keep a client alive while
// it is used, take a lease with [Manager.GetConnection]. What go-redis does by
// itself applies to it: its retries, also after a lost reply, and its slowness
// to notice that a master has died.
func (m *Manager) Client() redis.UniversalClient { return m.current.Load().universal() }

// Mode is the topology in use.
func (m *Manager) Mode() Mode { return m.current.Load().cfg.Mode }

// GetConfig gives a copy of the configuration in use, with defaults filled in.
func (m *Manager) GetConfig() *RedisConfig {
	cfg := m.current.Load().cfg.WithDefaults()
	return &cfg
}

// Register adds scripts, all or none, and loads them on every master. The
// same body again changes nothing; another body under a known name is
// [ErrInvalidArgument].
func (m *Manager) Register(ctx context.Context, scripts ...Script) error {
	if err := m.AddScripts(scripts...); err != nil {
		return err
	}
	return m.PreloadScripts(ctx)
}

// AddScripts is [Manager.Register] without I/O: each script is loaded by its
// first run on a node, or by [Manager.PreloadScripts].
func (m *Manager) AddScripts(scripts ...Script) error { return m.scripts.register(scripts...) }

// Close ends the manager: new calls get [ErrClosed]; calls in flight and
// leases have CloseTimeout to end before their connections are closed. It may
// be called more than once and returns what the first call returned.
func (m *Manager) Close() error {
	m.closing.Do(func() { m.closeErr = m.shutdown() })
	return m.closeErr
}

func (m *Manager) shutdown() error {
	m.seal()
	m.stop()
	m.health.close()
	m.background.Wait()
	<-m.updating // an update in progress sees the end and gives up
	g := m.current.Load()
	g.retire()
	err := m.waitDrained(g)
	m.drains.Wait()
	return errors.Join(err, g.close())
}

// waitDrained waits at most CloseTimeout.
func (m *Manager) waitDrained(g *generation) error {
	timer := time.NewTimer(g.cfg.CloseTimeout)
	defer timer.Stop()
	select {
	case <-g.drained:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: %d calls or leases had not ended after %v", ErrTimeout, g.inUse(), g.cfg.CloseTimeout)
	}
}
