package redisconfig

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

// stepped gives a follower that is driven by hand, with its time.
func stepped(t *testing.T, path string) (*bench, *follower) {
	t.Helper()
	b := watchFile(t, path, byPolling)
	f := newFollower(b.watcher, func(_ context.Context, c *redismanager.RedisConfig) error {
		b.applied <- c
		return b.outcome()
	})
	t.Cleanup(func() { f.rest.Stop(); f.retry.Stop() })
	return b, f
}

// TestHalfWrittenIsNotTaken: pool_size: 3 is what a file looks like for a
// moment that is about to say 30.
func TestHalfWrittenIsNotTaken(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b, f := stepped(t, path)
	f.look()
	require.False(t, f.unrest(), "nothing has changed")
	for _, half := range []string{"", "redis:\n", poolOf(3), "redis:\n  pool_size: 30"} {
		write(t, path, half)
		if f.unrest() {
			f.check()
		} else {
			f.look()
		}
		require.True(t, f.unrest())
		require.Empty(t, b.reports)
	}
	f.check()
	require.False(t, f.unrest())
	b.requireApplied(30, "redis.pool_size")
}

// TestRestlessFileIsJudged: a file that never rests is taken after a second.
func TestRestlessFileIsJudged(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b, f := stepped(t, path)
	write(t, path, poolOf(11))
	f.look()
	f.since = f.since.Add(-f.longest)
	write(t, path, poolOf(12))
	f.check()
	b.requireApplied(12, "redis.pool_size")
}

// settleOn lets the follower see the content and judge what the file then says.
func settleOn(t *testing.T, f *follower, path, content string) {
	t.Helper()
	write(t, path, content)
	f.look()
	require.True(t, f.unrest())
	f.check()
	require.False(t, f.unrest())
}

// TestFlappingIsToldOnce: content that returns before it was judged was never
// away.
func TestFlappingIsToldOnce(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b, f := stepped(t, path)
	settleOn(t, f, path, "redis: 1")
	b.requireRefused("got a number, want a section")
	write(t, path, poolOf(20))
	f.look()
	write(t, path, "redis: 1")
	for f.unrest() {
		f.check()
	}
	require.Empty(t, b.reports)
	require.Empty(t, b.applied)
	require.Error(t, b.watcher.Err())
}

// TestNewContentEndsTheRetry: nothing is left to run out later.
func TestNewContentEndsTheRetry(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b, f := stepped(t, path)
	for _, content := range []string{"redis: 1", poolOf(10)} {
		b.outcome = func() error { return redismanager.ErrUnavailable }
		settleOn(t, f, path, poolOf(20))
		require.Equal(t, ResultFailed, b.next().Result)
		settleOn(t, f, path, content)
		require.NotEqual(t, ResultFailed, b.next().Result)
		require.False(t, f.retry.Stop(), "still waiting")
	}
}

// TestPauseDoubles: 1 s to 1 min.
func TestPauseDoubles(t *testing.T) {
	t.Parallel()
	f := &follower{watchOptions: defaultWatch()}
	var pauses []time.Duration
	for f.tries = 1; f.tries <= 8; f.tries++ {
		pauses = append(pauses, f.pause()/time.Second)
	}
	require.Equal(t, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}, pauses)
}

// TestWithoutNotifications goes on by polling, and says so.
func TestWithoutNotifications(t *testing.T) {
	t.Parallel()
	for name, notify := range map[string]notifyFunc{
		"no notifier": func(*slog.Logger) (*notifier, error) { return nil, errNoNotify },
		"no watch for the folder": func(log *slog.Logger) (*notifier, error) {
			n, err := newNotifier(log)
			return n, errors.Join(err, n.fs.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, "c.yaml", poolOf(10))
			b := watchFile(t, path, byPolling, func(o *options) { o.watch.notify = notify }).follow()
			for _, n := range []int{20, 30} {
				replaceFile(t, path, poolOf(n))
				b.requireApplied(n, "redis.pool_size")
			}
			require.Equal(t, 1, b.log.count("no notifications of changes"), b.log)
		})
	}
}

// TestPollingIsTheSafetyNet: notifications that never come, as on some network
// file systems, cost time and nothing else.
func TestPollingIsTheSafetyNet(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	deaf := func(log *slog.Logger) (*notifier, error) {
		n, err := newNotifier(log)
		n.changed = make(chan struct{}) // nobody receives from the one that forward knew
		return n, err
	}
	b := watchFile(t, path, WithPollInterval(shortestPoll), func(o *options) { o.watch.notify = deaf }).follow()
	replaceFile(t, path, poolOf(20))
	b.requireApplied(20, "redis.pool_size")
}

// TestLostEventsAreLookedFor: an overflow of the queue is a reason to look.
func TestLostEventsAreLookedFor(t *testing.T) {
	t.Parallel()
	n, err := newNotifier(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer n.close()
	n.fs.Errors <- errors.New("overflow")
	select {
	case <-n.changed:
	case <-time.After(patience):
		require.Fail(t, "no signal")
	}
}

// TestNotifierMindsItsFilesOnly: a busy folder is no work.
func TestNotifierMindsItsFilesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "noise")
	write(t, path, poolOf(10))
	n, err := newNotifier(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer n.close()
	require.True(t, n.follow([]string{path}))
	require.False(t, n.follow([]string{path}))
	require.NoError(t, n.fs.Remove(dir)) // a folder made anew may get the inode of the old one
	require.True(t, n.follow([]string{path}))
	for range 100 {
		write(t, other, "x")
	}
	require.False(t, n.counts(other))
	require.True(t, n.counts(path))
	require.True(t, n.counts(dir))
	write(t, path, poolOf(20))
	select {
	case <-n.changed:
	case <-time.After(patience):
		require.Fail(t, "no signal")
	}
}

func TestSpots(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := func(name string) string { return filepath.Join(dir, name) }
	configMap(t, dir, "1", map[string]string{"app.yaml": ""})
	require.NoError(t, os.Symlink(in("ring"), in("ring")))
	require.NoError(t, os.Mkdir(in("sub"), 0o700))
	require.NoError(t, os.Symlink("../sub/../..data", in("sub/up")))

	require.Equal(t, []string{in("app.yaml"), in("..data"), in("..v1/app.yaml")}, spots(in("app.yaml")))
	require.Equal(t, []string{in("sub/up"), in("..data"), in("..v1/app.yaml")}, spots(in("sub/up/app.yaml")))
	require.Equal(t, []string{in("gone")}, spots(in("gone/deep/app.yaml")))
	require.Equal(t, []string{in("..v1/app.yaml/x")}, spots(in("..v1/app.yaml/x")))
	require.Len(t, spots(in("ring")), maxLinks+1)
}
