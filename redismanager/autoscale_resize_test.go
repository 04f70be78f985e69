package redismanager

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

func openNode(t *testing.T, cfg RedisConfig) (*Manager, *node) {
	m, err := New(context.Background(), cfg, WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	return m, m.current.Load().topology().single
}

// TestStormOfResizes: whatever the sizes do, every call runs once.
func TestStormOfResizes(t *testing.T) {
	srv := redistest.StartServer(t)
	m, n := openNode(t, RedisConfig{Addr: srv.Addr(), PoolTimeout: 5 * time.Second})
	key := redistest.NewPrefix(t)
	var calls atomic.Int64
	var ended atomic.Bool
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for !ended.Load() {
				if _, err := m.ExecuteScript(context.Background(), "return redis.call('INCR', KEYS[1])", []string{key}, nil); err != nil {
					t.Errorf("a call failed: %v", err)
				}
				calls.Add(1)
			}
		})
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for i := range 20 {
		<-ticker.C
		size := []int{1, 60, 7, 20, 3}[i%5]
		_, err := n.resizeWarm(t.Context(), size, size)
		require.NoError(t, err)
		require.Equal(t, size, n.size())
	}
	ended.Store(true)
	callers.Wait()
	require.Equal(t, strconv.FormatInt(calls.Load(), 10), srv.Client(t).Get(t.Context(), key).Val(), "executions are calls")
	require.Eventually(t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.former) == 0
	}, 5*time.Second, time.Millisecond, "replaced pools close")
}

// TestWarmPool: the connections of the new pool are open and logged in before
// the first call, which opens none.
func TestWarmPool(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithPassword("right-secret"))
	m, n := openNode(t, RedisConfig{Addr: srv.Addr(), Password: "right-secret", MinIdleConns: -1})
	_, err := n.resizeWarm(t.Context(), 50, 20)
	require.NoError(t, err)
	stats := n.current.Load().PoolStats()
	require.Equal(t, 20, int(stats.TotalConns))
	require.Equal(t, 20, int(stats.IdleConns))
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			_, err := m.Read(context.Background(), "get", "nothing")
			require.NoError(t, err)
		})
	}
	calls.Wait()
	require.Equal(t, stats.Misses, n.current.Load().PoolStats().Misses)
}

// TestExhaustedErrorAfterAResize: the numbers are those of the new pool.
func TestExhaustedErrorAfterAResize(t *testing.T) {
	srv := redistest.StartServer(t)
	m, n := openNode(t, RedisConfig{Addr: srv.Addr(), PoolTimeout: 50 * time.Millisecond})
	_, err := n.resizeWarm(t.Context(), 3, 3)
	require.NoError(t, err)
	var held []*redis.Conn
	c, err := m.GetConnection(t.Context())
	require.NoError(t, err)
	for range 3 {
		held = append(held, c.Conn())
		require.NoError(t, held[len(held)-1].Ping(t.Context()).Err())
	}
	_, err = m.Read(context.Background(), "get", "nothing")
	var full *PoolExhaustedError
	require.ErrorAs(t, err, &full)
	require.Equal(t, 3, full.Size)
	require.Equal(t, 3, full.InUse)
	require.Equal(t, srv.Addr(), full.Node)
	require.GreaterOrEqual(t, full.Waited, 50*time.Millisecond)
	for _, conn := range held {
		require.NoError(t, conn.Close())
	}
	m.ReleaseConnection(c)
}

// TestStuckServerIsNotResized: the pool stays as it is, within dial_timeout, and
// whoever closes does not wait for that.
func TestStuckServerIsNotResized(t *testing.T) {
	srv := redistest.StartServer(t)
	_, n := openNode(t, RedisConfig{Addr: srv.Addr(), DialTimeout: 200 * time.Millisecond, CloseTimeout: 50 * time.Millisecond})
	srv.Pause()
	defer srv.Resume()
	begin := time.Now()
	_, err := n.resizeWarm(t.Context(), 20, 20)
	require.Error(t, err)
	require.Less(t, time.Since(begin), 2*time.Second)
	require.Equal(t, 10, n.size())

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	n.set.cfg.DialTimeout = time.Minute
	_, err = n.resizeWarm(ctx, 20, 20)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(begin), 4*time.Second)
}

// TestWaitersMove: calls that wait for a connection of the old pool are served by
// the new one at once; without that they would wait until somebody gives one back.
func TestWaitersMove(t *testing.T) {
	srv := redistest.StartServer(t)
	m, n := openNode(t, RedisConfig{ // whose pool can be scaled, but is not within this test
		Addr: srv.Addr(), PoolSize: 1, PoolMax: 10, PoolScaleInterval: time.Hour, PoolTimeout: 10 * time.Second,
	})
	c, err := m.GetConnection(t.Context())
	require.NoError(t, err)
	held := c.Conn()
	require.NoError(t, held.Ping(t.Context()).Err())
	key := redistest.NewPrefix(t)
	done := make(chan error, 30)
	for range cap(done) {
		go func() {
			_, err := m.Write(context.Background(), "incr", key)
			done <- err
		}()
	}
	require.Eventually(t, func() bool { return m.PoolStats().Total.Waiting == cap(done) }, 5*time.Second, time.Millisecond)
	_, err = n.resizeWarm(t.Context(), 10, 10)
	require.NoError(t, err)
	for range cap(done) {
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(5 * time.Second):
			t.Fatal("calls still wait for the old pool")
		}
	}
	require.Equal(t, "30", srv.Client(t).Get(t.Context(), key).Val())
	require.NoError(t, held.Close())
	m.ReleaseConnection(c)
}

// TestCallerEndsItsWait: a caller that gives up is not moved, and a call whose
// pool is replaced while it is in flight stays what it is.
func TestCallerEndsItsWait(t *testing.T) {
	srv := redistest.StartServer(t)
	m, n := openNode(t, RedisConfig{Addr: srv.Addr(), PoolSize: 1, ReadTimeout: 300 * time.Millisecond, CloseTimeout: time.Second})
	p := n.acquire()
	defer p.release()
	inFlight, waits := make(chan error, 1), make(chan error, 1)
	srv.Pause()
	defer srv.Resume()
	go func() {
		a, moves := p.sendUnlessReplaced(context.Background(), []any{"incr", "k"})
		if moves {
			t.Error("a call that was sent moved")
		}
		inFlight <- explain(a, false)
	}()
	require.Eventually(t, func() bool { return m.PoolStats().Total.InUse == 1 }, time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	go func() {
		a, _ := p.sendUnlessReplaced(ctx, []any{"incr", "k"})
		waits <- explain(a, false)
	}()
	require.ErrorIs(t, <-waits, ErrPoolExhausted)
	n.resize(5, 0)
	require.ErrorIs(t, <-inFlight, ErrOutcomeUnknown)
}
