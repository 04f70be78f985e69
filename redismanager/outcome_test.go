package redismanager_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// A proxy swallows 1 to 4 replies. A script that writes is executed once and
// the caller told that the outcome is unknown; a reader and an idempotent
// script are answered.
func TestLostReply(t *testing.T) {
	for lost := 1; lost <= 4; lost++ {
		for name, how := range map[string]redistest.Fault{"closed": redistest.FaultClose, "silent": redistest.FaultSilence} {
			t.Run(fmt.Sprintf("%d %s", lost, name), func(t *testing.T) {
				t.Parallel()
				srv := redistest.SharedStandalone(t)
				proxy := redistest.NewProxy(t, srv.Addr())
				m := open(t, throughProxy(proxy), redismanager.WithScripts(counting, setting, reading))
				ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)

				proxy.DropReplies("evalsha", lost, how)
				_, err := m.ExecuteScript(ctx, "counting", []string{key}, nil)
				require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
				require.NotErrorIs(t, err, redismanager.ErrUnavailable, "that says: not applied")
				require.Equal(t, redismanager.ClassOutcomeUnknown, redismanager.Classify(err))
				require.False(t, redismanager.Retryable(err))
				require.Equal(t, 1, proxy.Dropped())
				require.Equal(t, "1", srv.Client(t).Get(ctx, key).Val(), "executions")

				proxy.DropReplies("evalsha", min(lost, 3), how)
				value, err := m.ExecuteScript(ctx, "reading", []string{key}, nil)
				require.NoError(t, err)
				require.Equal(t, "1", value)

				proxy.DropReplies("evalsha", min(lost, 3), how)
				value, err = m.ExecuteScript(ctx, "setting", []string{key}, nil)
				require.NoError(t, err)
				require.Equal(t, "done", value)
			})
		}
	}
}

// An idempotent script may be sent again, but what is never answered may have
// been applied, also if the last try surely was not.
func TestLostRepliesOfAnIdempotentScript(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, throughProxy(proxy), redismanager.WithScripts(setting))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	proxy.DropReplies("evalsha", 100, redistest.FaultClose)
	_, err := m.ExecuteScript(ctx, "setting", []string{key}, nil)
	require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)

	proxy.DropReplies("evalsha", 1, redistest.FaultSilence)
	time.AfterFunc(50*time.Millisecond, func() { proxy.Refuse(true) })
	_, err = m.ExecuteScript(within(t, time.Second), "setting", []string{key}, nil)
	require.Equal(t, redismanager.ClassOutcomeUnknown, redismanager.Classify(err), "%v", err)
}

func throughProxy(p *redistest.Proxy) redismanager.RedisConfig {
	return redismanager.RedisConfig{
		Addr: p.Addr(), MinIdleConns: -1,
		ReadTimeout: 100 * time.Millisecond, MinRetryBackoff: time.Millisecond, MaxRetryBackoff: 5 * time.Millisecond,
	}
}

// The reply of the EVAL that repairs a missing script is lost: still one execution.
func TestLostReplyOfARepair(t *testing.T) {
	srv := redistest.StartServer(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, throughProxy(proxy), redismanager.WithScripts(counting))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	require.NoError(t, srv.Client(t).ScriptFlush(ctx).Err())
	proxy.DropReplies("eval\r\n", 3, redistest.FaultClose)
	_, err := m.ExecuteScript(ctx, "counting", []string{key}, nil)
	require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	require.Equal(t, "1", srv.Client(t).Get(ctx, key).Val())
}

// Native commands keep the same rule.
func TestLostReplyOfANativeCommand(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, throughProxy(proxy))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	proxy.DropReplies("incr", 4, redistest.FaultClose)
	_, err := m.Write(ctx, "incr", key)
	require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	require.Equal(t, "1", srv.Client(t).Get(ctx, key).Val())
	proxy.DropReplies("get", 2, redistest.FaultClose)
	value, err := m.Read(ctx, "get", key)
	require.NoError(t, err)
	require.Equal(t, "1", value)
}

// In a Cluster a lost reply is not sent again either. Every connection of the
// manager is cut while scripts run.
func TestKilledConnectionsNeverRunAScriptTwice(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 30*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, counting))
		stop := make(chan struct{})
		var killer sync.WaitGroup
		killer.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					killNormalConnections(ctx, m)
				}
			}
		})
		var mu sync.Mutex
		ok, unknown := 0, 0
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				for range 150 {
					_, err := m.ExecuteScript(ctx, "counting", []string{key}, nil)
					mu.Lock()
					switch redismanager.Classify(err) {
					case redismanager.ClassOK:
						ok++
					case redismanager.ClassOutcomeUnknown:
						unknown++
					}
					mu.Unlock()
				}
			})
		}
		callers.Wait()
		close(stop)
		killer.Wait()
		executed := counterValue(ctx, t, m, key)
		t.Logf("ok %d, unknown %d, executed %d", ok, unknown, executed)
		require.GreaterOrEqual(t, executed, ok)
		require.LessOrEqual(t, executed, ok+unknown)
	})
}

func killNormalConnections(ctx context.Context, m *redismanager.Manager) {
	_ = m.ForEachMaster(ctx, func(ctx context.Context, _ string, c *redis.Client) error {
		return c.ClientKillByFilter(ctx, "type", "normal", "skipme", "yes").Err()
	})
}

func counterValue(ctx context.Context, tb testing.TB, m *redismanager.Manager, key string) int {
	tb.Helper()
	value, err := m.Read(ctx, "get", key)
	require.NoError(tb, err)
	text, _ := value.(string)
	n, err := strconv.Atoi(text)
	require.NoError(tb, err)
	return n
}

// A call that fails by its deadline may run later: it is never called failed.
func TestLateExecutionIsUnknown(t *testing.T) {
	srv := redistest.StartServer(t)
	// No spare connections: the call must go out on one that has logged in.
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), MinIdleConns: -1}, redismanager.WithScripts(counting))
	key := redistest.NewPrefix(t)
	_, err := m.ExecuteScript(within(t, time.Second), "counting", []string{key}, nil)
	require.NoError(t, err)
	srv.Pause()
	_, err = m.ExecuteScript(within(t, 100*time.Millisecond), "counting", []string{key}, nil)
	srv.Resume()
	require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	require.ErrorIs(t, err, redismanager.ErrTimeout)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	c := srv.Client(t)
	require.Eventually(t, func() bool { return c.Get(context.Background(), key).Val() == "2" }, 2*time.Second, 10*time.Millisecond)
}

// Nothing was sent: the caller may try again.
func TestRefusedDialIsNotUnknown(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, throughProxy(proxy), redismanager.WithScripts(counting))
	proxy.Refuse(true)
	proxy.CutAll()
	_, err := m.ExecuteScript(within(t, time.Second), "counting", []string{redistest.NewPrefix(t)}, nil)
	require.Error(t, err)
	if strings.Contains(err.Error(), "EOF") { // a cut connection that still looked alive
		_, err = m.ExecuteScript(within(t, time.Second), "counting", []string{redistest.NewPrefix(t)}, nil)
	}
	require.ErrorIs(t, err, redismanager.ErrUnavailable)
	require.NotErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	require.True(t, redismanager.Retryable(err))
}

// A dial that is refused for a moment is tried again within the deadline.
func TestRefusedDialIsRetried(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	cfg := throughProxy(proxy)
	cfg.MaxRetries, cfg.MaxRetryBackoff = 100, 50*time.Millisecond // go-redis probes a dead address once a second
	m := open(t, cfg, redismanager.WithScripts(counting))
	proxy.Refuse(true)
	proxy.CutAll()
	time.AfterFunc(150*time.Millisecond, func() { proxy.Refuse(false) })
	ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
	value, err := m.ExecuteScript(ctx, "counting", []string{key}, nil)
	if err == nil {
		require.EqualValues(t, 1, value)
		return
	}
	require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown) // sent on a connection that was just cut
}
