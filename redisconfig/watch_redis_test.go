package redisconfig

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// service is what a program does with a Watcher: a manager that it feeds, here
// with 50 goroutines that call it all the time.
type service struct {
	*bench
	manager *redismanager.Manager
	calls   atomic.Int64
	failed  atomic.Pointer[error]
}

var readClock = redismanager.Script{Name: "clock", Source: "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])\n"}

func startService(t *testing.T, path string) *service {
	t.Helper()
	s := &service{bench: watchFile(t, path)}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	var err error
	s.manager, err = redismanager.New(t.Context(), *s.watcher.Config(),
		redismanager.WithScripts(readClock), redismanager.WithLogger(log))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.manager.Close()) })
	require.NoError(t, s.watcher.Follow(s.manager.UpdateConfigContext))
	t.Cleanup(func() { require.NoError(t, s.watcher.Close()) })
	s.load(t, 50)
	return s
}

// load calls until the test ends, and then fails it if a call has failed.
func (s *service) load(t *testing.T, goroutines int) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	prefix := redistest.NewPrefix(t)
	for i := range goroutines {
		key := fmt.Sprint(prefix, i)
		running.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.manager.ExecuteScript(context.Background(), readClock.Name, []string{key}, nil); err != nil {
					s.failed.CompareAndSwap(nil, &err)
				}
				s.calls.Add(1)
			}
		})
	}
	t.Cleanup(func() { cancel(); running.Wait() })
}

// requireCalls waits until each goroutine has called a few times, all with success.
func (s *service) requireCalls() {
	s.t.Helper()
	target := s.calls.Load() + 500
	require.Eventually(s.t, func() bool { return s.calls.Load() >= target }, patience, time.Millisecond)
	if err := s.failed.Load(); err != nil {
		require.NoError(s.t, *err, "a call failed")
	}
}

// TestPasswordRotation: the server takes both passwords for a while, the file
// changes, the server forgets the old one. Not one call fails.
func TestPasswordRotation(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t, redistest.WithACL("default on >"+canary+"0 ~* &* +@all"))
	admin := srv.Client(t)
	dir := t.TempDir()
	path, file := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "password")
	write(t, file, canary+"0\n")
	write(t, path, fmt.Sprintf("redis: {addr: %q, password_file: %q, pool_timeout: 30s}", srv.Addr(), file))
	s := startService(t, path)
	s.requireCalls()
	for n := 1; n <= 3; n++ {
		old, fresh := fmt.Sprint(canary, n-1), fmt.Sprint(canary, n)
		require.NoError(t, admin.Do(t.Context(), "ACL", "SETUSER", "default", ">"+fresh).Err())
		replaceFile(t, file, fresh+"\n")
		require.Equal(t, Report{Result: ResultApplied, Changed: []string{"redis.password"}}, s.next())
		require.Equal(t, fresh, s.manager.GetConfig().Password)
		require.NoError(t, admin.Do(t.Context(), "ACL", "SETUSER", "default", "<"+old).Err())
		s.requireCalls()
	}
	stale := *s.watcher.Config()
	stale.Password = canary + "0"
	_, err := redismanager.New(t.Context(), stale)
	require.ErrorIs(t, err, redismanager.ErrAuth, "without the rotation all would have ended here")
	require.NotContains(t, s.log.String(), canary)
}

// TestBadFileUnderLoad: what cannot be used leaves the old in force, and calls
// go on.
func TestBadFileUnderLoad(t *testing.T) {
	t.Parallel()
	srv, gone := redistest.StartServer(t), redistest.StartServer(t)
	gone.Stop()
	content := func(addr, more string) string {
		return fmt.Sprintf("redis: {addr: %q, pool_timeout: 30s, dial_timeout: 500ms, %s}", addr, more)
	}
	path := writeFile(t, "c.yaml", content(srv.Addr(), ""))
	s := startService(t, path)
	s.requireCalls()
	before := s.manager.GetConfig()
	for _, tc := range []struct {
		content string
		result  Result
		err     error
	}{
		{content(srv.Addr(), "pool_sice: 20"), ResultRefused, redismanager.ErrInvalidArgument},
		{content(srv.Addr(), "pool_size: '20'"), ResultRefused, redismanager.ErrInvalidArgument},
		{content(gone.Addr(), ""), ResultFailed, redismanager.ErrUnavailable},
	} {
		replaceFile(t, path, tc.content)
		r := s.next()
		require.Equal(t, tc.result, r.Result)
		require.ErrorIs(t, r.Err, tc.err)
		require.ErrorIs(t, s.watcher.Err(), tc.err)
		require.Equal(t, before, s.manager.GetConfig())
		s.requireCalls()
	}
	gone.Restart(t) // nobody touches the file: the next try finds the server
	r := s.next()
	for ; r.Result == ResultFailed; r = s.next() {
		require.ErrorIs(t, r.Err, redismanager.ErrUnavailable)
	}
	require.Equal(t, Report{Result: ResultApplied, Changed: []string{"redis.addr"}}, r)
	require.Equal(t, gone.Addr(), s.manager.GetConfig().Addr)
	s.requireCalls()
}
