package redisconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

// patience is far more than anything here takes, on a busy machine too.
const patience = 30 * time.Second

// bench is a watcher under test with what it did.
type bench struct {
	t       *testing.T
	watcher *Watcher
	applied chan *redismanager.RedisConfig
	reports chan Report
	log     *safeBuffer
	outcome func() error // what apply returns; nil for success
}

// watchFile watches one file without the environment.
func watchFile(t *testing.T, path string, opts ...Option) *bench {
	t.Helper()
	return watch(t, append([]Option{WithFile(path), WithoutEnv()}, opts...)...)
}

// watch begins a bench whose watcher does not follow yet.
func watch(t *testing.T, opts ...Option) *bench {
	t.Helper()
	b := &bench{
		t: t, log: &safeBuffer{}, outcome: func() error { return nil },
		applied: make(chan *redismanager.RedisConfig, 1000), reports: make(chan Report, 1000),
	}
	opts = append([]Option{
		WithWatchLogger(slog.New(slog.NewTextHandler(b.log, nil))),
		WithReport(func(r Report) { b.reports <- r }),
		byNotification,
	}, opts...)
	w, err := Watch(opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	b.watcher = w
	return b
}

// follow starts the watcher with an apply that notes what it gets.
func (b *bench) follow() *bench {
	b.t.Helper()
	require.NoError(b.t, b.watcher.Follow(func(_ context.Context, c *redismanager.RedisConfig) error {
		b.applied <- c
		return b.outcome()
	}))
	return b
}

// next waits for the next report.
func (b *bench) next() Report {
	b.t.Helper()
	select {
	case r := <-b.reports:
		requireNoCanary(b.t, r.Err)
		return r
	case <-time.After(patience):
		require.FailNow(b.t, "no report", b.log.String())
		return Report{}
	}
}

// skipRefused passes over refusals of what was seen half done.
func (b *bench) skipRefused() {
	b.t.Helper()
	for {
		r := b.next()
		if r.Result != ResultRefused {
			b.reports <- r
			return
		}
	}
}

// requireApplied waits for a report that names these changes, and that the
// watcher then has the pool size that tells which content it is.
func (b *bench) requireApplied(poolSize int, changed ...string) {
	b.t.Helper()
	require.Equal(b.t, Report{Result: ResultApplied, Changed: changed}, b.next())
	require.Equal(b.t, poolSize, (<-b.applied).PoolSize)
	require.Equal(b.t, poolSize, b.watcher.Config().PoolSize)
	require.NoError(b.t, b.watcher.Err())
}

// requireRefused waits for a refusal and for nothing else.
func (b *bench) requireRefused(problem string) {
	b.t.Helper()
	r := b.next()
	require.Equal(b.t, ResultRefused, r.Result)
	require.ErrorIs(b.t, r.Err, redismanager.ErrInvalidArgument)
	require.ErrorContains(b.t, r.Err, problem)
	require.Equal(b.t, r.Err, b.watcher.Err())
	require.Empty(b.t, b.applied)
}

// requireIdle asks for a change more, so that all before it was seen: there was
// nothing to do for it.
func (b *bench) requireIdle(path string) {
	b.t.Helper()
	replaceFile(b.t, path, poolOf(99))
	b.requireApplied(99, "redis.pool_size")
	require.Empty(b.t, b.reports)
	require.Empty(b.t, b.applied)
}

// byNotification leaves nothing to polling.
func byNotification(o *options) { o.watch.poll = time.Hour }

var errNoNotify = errors.New("too many open files")

// byPolling has no notifications.
func byPolling(o *options) {
	o.watch.poll, o.watch.quiet = shortestPoll, 20*time.Millisecond
	o.watch.notify = func(*slog.Logger) (*notifier, error) { return nil, errNoNotify }
}

func poolOf(n int) string { return fmt.Sprintf("redis:\n  pool_size: %d\n", n) }

func write(tb testing.TB, path, content string) {
	tb.Helper()
	require.NoError(tb, os.WriteFile(path, []byte(content), 0o600))
}

// replaceFile is how editors and careful programs write.
func replaceFile(tb testing.TB, path, content string) {
	tb.Helper()
	write(tb, path+".tmp", content)
	require.NoError(tb, os.Rename(path+".tmp", path))
}

// configMap makes a folder as kubelet does: the names are links to ..data/name,
// and ..data is one to the folder of a version.
func configMap(tb testing.TB, dir, version string, files map[string]string) {
	tb.Helper()
	folder := filepath.Join(dir, "..v"+version)
	require.NoError(tb, os.MkdirAll(folder, 0o700))
	for name, content := range files {
		write(tb, filepath.Join(folder, name), content)
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			require.NoError(tb, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
		}
	}
	data := filepath.Join(dir, "..data")
	old, _ := os.Readlink(data)
	require.NoError(tb, os.Symlink("..v"+version, data+"_tmp"))
	require.NoError(tb, os.Rename(data+"_tmp", data))
	if old != "" {
		require.NoError(tb, os.RemoveAll(filepath.Join(dir, old)))
	}
}

// safeBuffer is a log that may be read while it is written.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *safeBuffer) count(text string) int { return strings.Count(b.String(), text) }
