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
		require.NoError(t, n.resizeWarm(t.Context(), size, size))
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
	require.NoError(t, n.resizeWarm(t.Context(), 50, 20))
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
	require.NoError(t, n.resizeWarm(t.Context(), 3, 3))
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
// closing does not wait for it.
func TestStuckServerIsNotResized(t *testing.T) {
	srv := redistest.StartServer(t)
	_, n := openNode(t, RedisConfig{Addr: srv.Addr(), DialTimeout: 200 * time.Millisecond, CloseTimeout: 50 * time.Millisecond})
	srv.Pause()
	defer srv.Resume()
	begin := time.Now()
	err := n.resizeWarm(t.Context(), 20, 20)
	require.ErrorIs(t, err, ErrUnavailable)
	require.Less(t, time.Since(begin), 2*time.Second)
	require.Equal(t, 10, n.size())
}
