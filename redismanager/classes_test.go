package redismanager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// Each class is reached on a real server.

func TestClassPoolExhausted(t *testing.T) {
	onEach(t, func(t *testing.T, old *redismanager.Manager) {
		cfg := *old.GetConfig()
		cfg.PoolSize, cfg.MinIdleConns, cfg.PoolTimeout = 2, -1, 80*time.Millisecond
		m := open(t, cfg, redismanager.WithScripts(counting))
		key := redistest.NewPrefix(t)
		release := holdConnections(t, m, key, 2)
		defer release()

		start := time.Now() // without a deadline pool_timeout is the wait that was asked for
		_, err := m.ExecuteScript(context.Background(), "counting", []string{key}, nil)
		require.WithinDuration(t, start.Add(80*time.Millisecond), time.Now(), 300*time.Millisecond)
		var full *redismanager.PoolExhaustedError
		require.ErrorAs(t, err, &full)
		require.ErrorIs(t, err, redismanager.ErrPoolExhausted)
		require.Equal(t, redismanager.ClassPoolExhausted, redismanager.Classify(err))
		require.True(t, redismanager.Retryable(err))
		require.Equal(t, 2, full.Size)
		require.Equal(t, 2, full.InUse)
		require.GreaterOrEqual(t, full.Waited, 70*time.Millisecond)
		require.NotEmpty(t, full.Node)

		// The caller's own deadline comes first: the same class, and not unknown.
		_, err = m.ExecuteScript(within(t, 20*time.Millisecond), "counting", []string{key}, nil)
		require.ErrorAs(t, err, &full)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	})
}

// holdConnections takes n connections of the pool that serves key.
func holdConnections(tb testing.TB, m *redismanager.Manager, key string, n int) (release func()) {
	tb.Helper()
	ctx := context.Background()
	c, err := m.GetConnection(redismanager.WithRoutingKey(ctx, key))
	require.NoError(tb, err)
	var closers []func() error
	for range n {
		conn := c.Conn()
		require.NoError(tb, conn.Ping(ctx).Err())
		closers = append(closers, conn.Close)
	}
	return func() {
		for _, closeConn := range closers {
			_ = closeConn()
		}
		m.ReleaseConnection(c)
	}
}

func TestClassTimeoutOfAReader(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()})
	srv.Pause()
	defer srv.Resume()
	_, err := m.Read(within(t, 100*time.Millisecond), "get", "k")
	require.Equal(t, redismanager.ClassTimeout, redismanager.Classify(err), "%v", err)
	require.ErrorIs(t, err, redismanager.ErrTimeout)
	require.True(t, redismanager.Retryable(err))
}

func TestClassCanceled(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, redismanager.WithScripts(counting))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := m.ExecuteScript(ctx, "counting", []string{"k"}, nil)
	require.Equal(t, redismanager.ClassCanceled, redismanager.Classify(err))
	require.ErrorIs(t, err, context.Canceled)
	_, err = m.GetConnection(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestClassUnavailable(t *testing.T) {
	_, err := redismanager.New(within(t, 2*time.Second), redismanager.RedisConfig{Addr: closedPort(t)})
	require.Equal(t, redismanager.ClassUnavailable, redismanager.Classify(err), "%v", err)
	require.True(t, redismanager.Retryable(err))
}

// closedPort gives an address where nobody listens.
func closedPort(tb testing.TB) string {
	srv := redistest.StartServer(tb)
	srv.Kill()
	return srv.Addr()
}

func TestClassUnavailableWhileLoading(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithConfig("loading-process-events-interval-bytes", "1024"))
	c := srv.Client(t)
	ctx := context.Background()
	for i := range 200 {
		require.NoError(t, c.Set(ctx, fmt.Sprint("k", i), strings.Repeat("v", 1024), 0).Err())
	}
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), MaxRetries: -1}, redismanager.WithScripts(counting))
	require.NoError(t, c.ConfigSet(ctx, "key-load-delay", "5000").Err()) // 200 keys: one second
	loaded := make(chan error, 1)
	go func() { loaded <- c.Do(ctx, "debug", "reload").Err() }()
	var err error
	require.Eventually(t, func() bool {
		_, err = m.ExecuteScript(within(t, time.Second), "counting", []string{"k"}, nil)
		return errors.Is(err, redismanager.ErrUnavailable)
	}, 5*time.Second, time.Millisecond, "LOADING was never seen")
	require.ErrorContains(t, err, "LOADING")
	require.True(t, redismanager.Retryable(err))
	require.NoError(t, <-loaded)
}

func TestClassReadOnly(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), MaxRetries: -1}, redismanager.WithScripts(counting))
	master := redistest.StartServer(t)
	ctx := context.Background()
	host, port := split(t, master.Addr())
	require.NoError(t, srv.Client(t).ReplicaOf(ctx, host, port).Err())
	_, err := m.ExecuteScript(within(t, 2*time.Second), "counting", []string{"k"}, nil)
	require.Equal(t, redismanager.ClassReadOnly, redismanager.Classify(err), "%v", err)
}

func TestClassAuth(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithPassword("right-secret"))
	_, err := redismanager.New(within(t, 2*time.Second), redismanager.RedisConfig{Addr: srv.Addr(), Password: "wrong-secret"})
	require.Equal(t, redismanager.ClassAuth, redismanager.Classify(err), "%v", err)
	require.False(t, redismanager.Retryable(err))
	require.NotContains(t, err.Error(), "secret")
	_, err = redismanager.New(within(t, 2*time.Second), redismanager.RedisConfig{Addr: srv.Addr()})
	require.ErrorIs(t, err, redismanager.ErrAuth)
}

// A user who may run only loaded scripts gets a clear error for a missing one,
// and a refusal inside a script is a matter of permission too.
func TestClassAuthByACL(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithACL("app on >app-secret ~app:* -@all +evalsha +get +incr +ping"))
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: "app", Password: "app-secret"}, redismanager.WithScripts(counting))
	ctx := within(t, 2*time.Second)
	_, err := m.ExecuteScript(ctx, "counting", []string{"app:n"}, nil)
	require.Equal(t, redismanager.ClassScriptUnknown, redismanager.Classify(err))
	require.ErrorIs(t, err, redismanager.ErrAuth)

	require.NoError(t, srv.Client(t).ScriptLoad(ctx, counting.Source).Err())
	_, err = m.ExecuteScript(ctx, "counting", []string{"app:n"}, nil)
	require.NoError(t, err)
	_, err = m.ExecuteScript(ctx, "counting", []string{"other"}, nil)
	require.Equal(t, redismanager.ClassAuth, redismanager.Classify(err), "%v", err)
}

func TestClassOutOfMemory(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithConfig("maxmemory", "1"), redistest.WithConfig("maxmemory-policy", "noeviction"))
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(counting, reading))
	ctx := within(t, 2*time.Second)
	_, err := m.ExecuteScript(ctx, "counting", []string{"k"}, nil)
	require.Equal(t, redismanager.ClassOutOfMemory, redismanager.Classify(err), "%v", err)
	_, err = m.ExecuteScript(ctx, "reading", []string{"k"}, nil)
	require.NoError(t, err)
}

func TestClassBusyScript(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithConfig("busy-reply-threshold", "50"))
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(counting))
	looping := make(chan struct{})
	go func() {
		defer close(looping)
		_, _ = m.ExecuteScript(context.Background(), "while true do end", []string{"k"}, nil)
	}()
	var err error
	require.Eventually(t, func() bool {
		_, err = m.ExecuteScript(within(t, time.Second), "counting", []string{"k"}, nil)
		return errors.Is(err, redismanager.ErrBusyScript)
	}, 5*time.Second, 5*time.Millisecond)
	require.Equal(t, redismanager.ClassBusyScript, redismanager.Classify(err))
	require.True(t, redismanager.Retryable(err))
	require.ErrorIs(t, m.HealthCheck(within(t, time.Second)), redismanager.ErrBusyScript)
	require.NoError(t, srv.Client(t).ScriptKill(context.Background()).Err())
	<-looping
	require.Eventually(t, func() bool { return m.HealthCheck(within(t, time.Second)) == nil }, 2*time.Second, 5*time.Millisecond)
}

func TestClassCrossSlot(t *testing.T) {
	m := open(t, topologies[2].config(t), redismanager.WithScripts(counting))
	_, err := m.ExecuteScript(within(t, time.Second), "counting", []string{"a", "b"}, nil)
	require.Equal(t, redismanager.ClassCrossSlot, redismanager.Classify(err))
	require.ErrorContains(t, err, `"a" in slot 15495`)
	require.ErrorContains(t, err, `"b" in slot 3300`)
	_, err = m.ExecuteScript(within(t, time.Second), "counting", nil, nil)
	require.Equal(t, redismanager.ClassInvalidArgument, redismanager.Classify(err))
}

func TestClassScriptRuntimeAndWrongType(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
		_, err := m.ExecuteScript(ctx, "local x = 1\nreturn x .. nil", []string{key}, nil)
		require.Equal(t, redismanager.ClassScriptRuntime, redismanager.Classify(err))
		var failure *redismanager.ScriptError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, 2, failure.Line)
		require.Len(t, failure.SHA, 40)

		_, err = m.Write(ctx, "lpush", key, "x")
		require.NoError(t, err)
		_, err = m.ExecuteScript(ctx, "return redis.call('GET', KEYS[1])", []string{key}, nil)
		require.Equal(t, redismanager.ClassWrongType, redismanager.Classify(err))
		require.ErrorIs(t, err, redismanager.ErrScriptRuntime)
		_, err = m.Read(ctx, "get", key)
		require.ErrorIs(t, err, redismanager.ErrWrongType)
		_, err = m.GetBatch(ctx, []string{key})
		require.ErrorIs(t, err, redismanager.ErrWrongType)
	})
}

func TestClassifyOfOtherErrors(t *testing.T) {
	require.Equal(t, redismanager.ClassOK, redismanager.Classify(nil))
	require.Equal(t, redismanager.ClassOther, redismanager.Classify(errors.New("x")))
	require.Equal(t, redismanager.ClassTimeout, redismanager.Classify(context.DeadlineExceeded))
	require.Equal(t, redismanager.ClassNotDurable, redismanager.Classify(fmt.Errorf("x: %w", redismanager.ErrNotDurable)))
	require.Equal(t, redismanager.ClassMalformedData, redismanager.Classify(fmt.Errorf("x: %w", redismanager.ErrMalformedData)))
	require.False(t, redismanager.Retryable(nil))
}

// 200 callers with 100 ms each on a server that does not answer. As many
// goroutines that only wait for the same deadline tell how late this machine
// itself is.
func TestDeadlineIsKept(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(counting))
	srv.Pause()
	defer srv.Resume()
	const callers = 200
	calls, waits := make(chan time.Duration, callers), make(chan time.Duration, callers)
	for range callers {
		go timed(calls, func(ctx context.Context) {
			_, err := m.ExecuteScript(ctx, "counting", []string{"k"}, nil)
			assert.Error(t, err)
		})
		go timed(waits, func(ctx context.Context) { <-ctx.Done() })
	}
	late, machine := p99(calls, callers), p99(waits, callers)
	t.Logf("p99 of return %v, of this machine's timers %v", late, machine)
	require.LessOrEqual(t, late, max(machine, 100*time.Millisecond)+50*time.Millisecond)
}

func timed(out chan<- time.Duration, wait func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	wait(ctx)
	out <- time.Since(start)
}

func p99(durations <-chan time.Duration, n int) time.Duration {
	list := make([]time.Duration, n)
	for i := range list {
		list[i] = <-durations
	}
	slices.Sort(list)
	return list[n*99/100]
}
