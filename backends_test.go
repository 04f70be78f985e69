package statelink_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// backend is one kind of deployment. Its tests share one executor.
type backend struct {
	name   string
	config func(tb testing.TB) (cfg redismanager.RedisConfig, stop func() error)
	shared sharedExecutor
}

var backends = []*backend{
	{name: "embedded", config: embeddedConfig},
	{name: "standalone", config: standaloneConfig},
	{name: "sentinel", config: sentinelConfig},
	{name: "cluster", config: clusterConfig},
}

// backendNamed gives the backend for a test that needs a certain one.
func backendNamed(tb testing.TB, name string) *backend {
	tb.Helper()
	for _, b := range backends {
		if b.name == name {
			return b
		}
	}
	tb.Fatalf("no backend is named %q", name)
	return nil
}

func nothing() error { return nil }

func embeddedConfig(tb testing.TB) (redismanager.RedisConfig, func() error) {
	tb.Helper()
	srv, err := embedded.Start()
	require.NoError(tb, err)
	return redismanager.RedisConfig{Addr: srv.Addr()}, srv.Close
}

func standaloneConfig(tb testing.TB) (redismanager.RedisConfig, func() error) {
	tb.Helper()
	return redismanager.RedisConfig{Addr: redistest.SharedStandalone(tb).Addr()}, nothing
}

func sentinelConfig(tb testing.TB) (redismanager.RedisConfig, func() error) {
	tb.Helper()
	set := redistest.SharedSentinel(tb)
	return redismanager.RedisConfig{
		Mode: redismanager.ModeSentinel, Addrs: set.Addrs(), MasterName: set.MasterName,
	}, nothing
}

func clusterConfig(tb testing.TB) (redismanager.RedisConfig, func() error) {
	tb.Helper()
	return redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: redistest.SharedCluster(tb).Addrs()}, nothing
}

// sharedExecutor is opened by the first test that needs it and closed when no
// running test does: nothing of it is left when goroutines are counted.
type sharedExecutor struct {
	mu    sync.Mutex
	users int
	exec  *statelink.Executor
	stop  func() error
}

// executor gives the backend's executor until the end of the test.
func (b *backend) executor(tb testing.TB) *statelink.Executor {
	tb.Helper()
	s := &b.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		cfg, stop := b.config(tb)
		exec, err := statelink.Open(context.Background(), cfg)
		require.NoError(tb, err)
		s.exec, s.stop = exec, stop
	}
	s.users++
	tb.Cleanup(func() { require.NoError(tb, s.release()) })
	return s.exec
}

func (s *sharedExecutor) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 {
		return nil
	}
	return errors.Join(s.exec.Close(), s.stop())
}

// ownExecutor opens an executor for one test, on the backend's servers.
func (b *backend) ownExecutor(tb testing.TB, cfg func(*redismanager.RedisConfig), opts ...statelink.Option) *statelink.Executor {
	tb.Helper()
	c, stop := b.config(tb)
	if cfg != nil {
		cfg(&c)
	}
	exec, err := statelink.Open(context.Background(), c, opts...)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, errors.Join(exec.Close(), stop())) })
	return exec
}

// stage is an executor and a namespace that no other test uses.
type stage struct {
	*statelink.Executor
	ctx     context.Context
	ns      string
	keys    statelink.Keys
	pattern string        // finds every key with the namespace anywhere in its name
	early   time.Duration // by how much a key may expire too early
}

// newStage gives a namespace that is empty, and emptied at the end.
func newStage(tb testing.TB, exec *statelink.Executor) *stage {
	tb.Helper()
	ns := redistest.NewPrefix(tb)
	s := &stage{
		Executor: exec, ctx: tb.Context(), ns: ns, keys: statelink.NewKeys(statelink.DefaultKeyPrefix),
		pattern: "*" + ns + "*",
	}
	tb.Cleanup(func() { unlink(tb, exec, s.pattern) })
	return s
}

// raw reads and plants data without the library's rules.
func (s *stage) raw() redis.UniversalClient { return s.Manager().Client() }

// onEveryBackend runs a test on each backend, in a namespace of its own.
func onEveryBackend(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, b.executor(t))
			if b.name == "embedded" {
				s.early = 250 * time.Millisecond // its clock moves in steps when other tests store thousands of keys
			}
			test(t, s)
		})
	}
}
