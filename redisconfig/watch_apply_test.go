package redisconfig

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

// impatient tries a failed apply again at once.
func impatient(o *options) { o.watch.minRetry, o.watch.maxRetry = time.Millisecond, 4*time.Millisecond }

// TestFailedApplyIsTriedAgain until it works, with the old in force meanwhile.
func TestFailedApplyIsTriedAgain(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b := watchFile(t, path, impatient)
	down := fmt.Errorf("%w: refused", redismanager.ErrUnavailable)
	failures := 5
	b.outcome = func() error {
		if failures--; failures >= 0 {
			return down
		}
		return nil
	}
	b.follow()
	replaceFile(t, path, poolOf(20))
	for _, pause := range []time.Duration{1, 2, 4, 4, 4} {
		want := Report{Result: ResultFailed, Changed: []string{"redis.pool_size"}, Err: down, Retry: pause * time.Millisecond}
		require.Equal(t, want, b.next())
		require.Equal(t, 20, (<-b.applied).PoolSize)
	}
	b.requireApplied(20, "redis.pool_size")
	require.Equal(t, 5, b.log.count("level=WARN msg=\"redis configuration not applied"), b.log)
}

// TestFailedApplyIsGivenUpForNewContent: the content after it counts.
func TestFailedApplyIsGivenUpForNewContent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, content string
		result        Result
	}{
		{"another configuration", poolOf(30), ResultApplied},
		{"the one in force", poolOf(10), ResultRestored},
		{"a bad one", "redis: 1", ResultRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, "c.yaml", poolOf(10))
			b := watchFile(t, path, func(o *options) { o.watch.minRetry, o.watch.maxRetry = time.Hour, time.Hour })
			var fail atomic.Bool
			b.outcome = func() error {
				if fail.Load() {
					return redismanager.ErrUnavailable
				}
				return nil
			}
			b.follow()
			fail.Store(true)
			replaceFile(t, path, poolOf(20))
			require.Equal(t, ResultFailed, b.next().Result)
			require.ErrorIs(t, b.watcher.Err(), redismanager.ErrUnavailable)
			require.Equal(t, 10, b.watcher.Config().PoolSize)

			fail.Store(false)
			replaceFile(t, path, tc.content)
			require.Equal(t, tc.result, b.next().Result)
			require.Equal(t, tc.result == ResultRefused, b.watcher.Err() != nil)
		})
	}
}

// TestClosedManagerIsNotTriedAgain: it can never work again.
func TestClosedManagerIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b := watchFile(t, path, impatient)
	closed := fmt.Errorf("wrapped: %w", redismanager.ErrClosed)
	b.outcome = func() error { return closed }
	b.follow()
	for n := 20; n <= 22; n++ {
		replaceFile(t, path, poolOf(n))
		r := b.next()
		require.Equal(t, Report{Result: ResultFailed, Changed: []string{"redis.pool_size"}, Err: closed}, r)
		require.Equal(t, n, (<-b.applied).PoolSize, "a second try of the one before")
	}
}

// TestBadContentChangesNothing and is told once.
func TestBadContentChangesNothing(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b := watchFile(t, path).follow()
	for _, bad := range []struct{ content, problem string }{
		{"redis:\n  pool_size: 20\n  pol_size: 20\n", "redis.pol_size in " + path + ": unknown key, did you mean redis.pool_size?"},
		{"redis:\n  pool_size: many\n", `got "many", want a whole number`},
		{"redis:\n  pool_size: 20\n  read_timeout: 7h\n", "redis.read_timeout"},
		{"redis:\n  pool_size: [\n", "not valid YAML"},
		{"", "no key redis"},
	} {
		replaceFile(t, path, bad.content)
		b.requireRefused(bad.problem)
		replaceFile(t, path, bad.content+"\n# still bad")
	}
	require.Equal(t, 10, b.watcher.Config().PoolSize)
	b.requireIdle(path)
	require.Equal(t, 5, b.log.count("WARN"), b.log)
}

// TestCloseInterruptsApply and leaves no call behind.
func TestCloseInterruptsApply(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b := watchFile(t, path)
	begun, done := make(chan time.Duration, 1), make(chan error, 1)
	require.NoError(t, b.watcher.Follow(func(ctx context.Context, _ *redismanager.RedisConfig) error {
		deadline, _ := ctx.Deadline()
		begun <- time.Until(deadline)
		<-ctx.Done()
		done <- ctx.Err()
		return ctx.Err()
	}))
	replaceFile(t, path, poolOf(20))
	require.InDelta(t, applyTimeout, <-begun, float64(applyTimeout)/2)
	require.NoError(t, b.watcher.Close())
	require.ErrorIs(t, <-done, context.Canceled)
	require.NoError(t, b.watcher.Close())
	require.NoError(t, b.watcher.Err())
	require.Equal(t, 10, b.watcher.Config().PoolSize)
	require.Empty(t, b.reports)
}

// TestFollowMisused: each is an error with a reason.
func TestFollowMisused(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	apply := func(context.Context, *redismanager.RedisConfig) error { return nil }
	b := watchFile(t, path)
	require.EqualError(t, b.watcher.Follow(nil),
		"invalid argument: Follow: got nil, want a function such as the manager's UpdateConfigContext")
	require.NoError(t, b.watcher.Follow(apply))
	require.EqualError(t, b.watcher.Follow(apply), "invalid argument: Follow: called twice")
	require.NoError(t, b.watcher.Close())
	require.ErrorIs(t, b.watcher.Follow(apply), redismanager.ErrClosed)
	require.NoError(t, watchFile(t, path).watcher.Close(), "without Follow")
}

// TestWatchRefused: what Watch itself refuses.
func TestWatchRefused(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	missing := filepath.Join(t.TempDir(), "c.yaml")
	for _, tc := range []struct {
		want string
		opts []Option
	}{
		{"WithFile: no file to follow", []Option{WithoutEnv()}},
		{"WithFile: no file to follow: neither this option nor the variable SHOP_CONFIG names one", []Option{WithEnv("SHOP"), withVariables()}},
		{missing + ": no such file or directory", []Option{WithoutEnv(), WithFile(missing)}},
		{"WithPollInterval: got 0s, want 100ms to 1h", []Option{WithoutEnv(), WithFile(path), WithPollInterval(0)}},
		{"WithPollInterval: got 2h0m0s, want 100ms to 1h", []Option{WithoutEnv(), WithFile(path), WithPollInterval(2 * time.Hour)}},
		{"WithWatchLogger: got nil, want a *slog.Logger", []Option{WithoutEnv(), WithFile(path), WithWatchLogger(nil)}},
		{"WithEnv: got an empty text, want capitals, digits and underscores beginning with a capital, or WithoutEnv", []Option{WithEnv("")}},
	} {
		w, err := Watch(tc.opts...)
		require.EqualError(t, err, "invalid argument: "+tc.want)
		require.Nil(t, w)
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	}
}

// TestCallersOwnTheirCopies: a change of a configuration that was handed out
// changes nothing here.
func TestCallersOwnTheirCopies(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", "redis: {mode: cluster, addrs: ['127.0.0.1:1']}")
	b := watchFile(t, path)
	require.NoError(t, b.watcher.Follow(func(_ context.Context, c *redismanager.RedisConfig) error {
		c.Addrs[0], c.PoolSize = "spoilt", 77
		return nil
	}))
	b.watcher.Config().Addrs[0] = "spoilt"
	replaceFile(t, path, "redis: {mode: cluster, addrs: ['127.0.0.1:2']}")
	require.Equal(t, Report{Result: ResultApplied, Changed: []string{"redis.addrs"}}, b.next())
	require.Equal(t, []string{"127.0.0.1:2"}, b.watcher.Config().Addrs)
	require.Equal(t, 10, b.watcher.Config().PoolSize)
}
