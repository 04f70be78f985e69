package redismanager_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func split(tb testing.TB, addr string) (host, port string) {
	tb.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(tb, err)
	return host, port
}

func TestLeaseSpeaksToTheKeysMaster(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 5*time.Second), redistest.NewPrefix(t)
		for i := range 20 {
			key := prefix + strconv.Itoa(i)
			c, err := m.GetConnection(redismanager.WithRoutingKey(ctx, key))
			require.NoError(t, err)
			require.NoError(t, c.Set(ctx, key, "x", time.Minute).Err()) // MOVED on a wrong node
			m.ReleaseConnection(c)
		}
		require.Equal(t, 0, m.PoolStats().Leases)
	})
}

func TestClusterLeaseNeedsAKey(t *testing.T) {
	m := open(t, topologies[2].config(t))
	_, err := m.GetConnection(within(t, time.Second))
	require.ErrorIs(t, err, redismanager.ErrNoRoutingKey)
	require.Equal(t, redismanager.ClassNoRoutingKey, redismanager.Classify(err))
}

func TestReleaseOfWhatIsNotLeasedIsIgnored(t *testing.T) {
	m := open(t, topologies[0].config(t))
	m.ReleaseConnection(nil)
	c, err := m.GetConnection(within(t, time.Second))
	require.NoError(t, err)
	m.ReleaseConnection(c)
	m.ReleaseConnection(c)
	require.NoError(t, m.HealthCheck(within(t, time.Second)))
}

// A lease taken before a change of configuration stays usable until its end,
// then the old client closes.
func TestUpdateConfigDrainsLeases(t *testing.T) {
	first, second := redistest.StartServer(t), redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: first.Addr()}, redismanager.WithScripts(counting))
	ctx := within(t, 10*time.Second)
	leased, err := m.GetConnection(ctx)
	require.NoError(t, err)

	require.NoError(t, m.UpdateConfig(&redismanager.RedisConfig{Addr: second.Addr(), PoolSize: 7}))
	require.Equal(t, second.Addr(), m.GetConfig().Addr)
	require.Equal(t, 7, m.GetConfig().PoolSize)
	require.Equal(t, 1, m.PoolStats().Draining)
	require.NoError(t, leased.Set(ctx, "leased", "1", 0).Err())
	require.Equal(t, "1", first.Client(t).Get(ctx, "leased").Val())

	_, err = m.ExecuteScript(ctx, "counting", []string{"n"}, nil)
	require.NoError(t, err)
	require.Equal(t, "1", second.Client(t).Get(ctx, "n").Val())

	m.ReleaseConnection(leased)
	require.Eventually(t, func() bool { return m.PoolStats().Draining == 0 }, 2*time.Second, time.Millisecond)
	require.ErrorIs(t, leased.Ping(ctx).Err(), redis.ErrClosed)
}

func TestUpdateConfigUnderLoadFailsNoCall(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(counting))
	key := redistest.NewPrefix(t)
	stop := make(chan struct{})
	var calls, failed atomic.Int64
	var callers sync.WaitGroup
	for range 30 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				calls.Add(1)
				if _, err := m.ExecuteScript(context.Background(), "counting", []string{key}, nil); err != nil {
					failed.Add(1)
					t.Errorf("call failed: %v", err)
				}
			}
		})
	}
	for i := range 20 {
		require.NoError(t, m.UpdateConfig(&redismanager.RedisConfig{Addr: srv.Addr(), PoolSize: 10 + i}))
	}
	close(stop)
	callers.Wait()
	require.Zero(t, failed.Load())
	require.Equal(t, strconv.FormatInt(calls.Load(), 10), srv.Client(t).Get(context.Background(), key).Val())
}

// Whatever is wrong with the new configuration, the old one stays.
func TestUpdateConfigFailureKeepsTheOld(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithPassword("right-secret"))
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Password: "right-secret"})
	before := m.GetConfig()
	cluster := redistest.SharedCluster(t)
	unwritable := redistest.StartServer(t, redistest.WithConfig("min-replicas-to-write", "1"))
	for name, bad := range map[string]struct {
		cfg  *redismanager.RedisConfig
		want error
	}{
		"nil":      {nil, redismanager.ErrInvalidArgument},
		"range":    {&redismanager.RedisConfig{Addr: srv.Addr(), PoolSize: -3}, redismanager.ErrInvalidArgument},
		"address":  {&redismanager.RedisConfig{Addr: closedPort(t)}, redismanager.ErrUnavailable},
		"writes":   {&redismanager.RedisConfig{Addr: unwritable.Addr()}, redismanager.ErrUnavailable},
		"password": {&redismanager.RedisConfig{Addr: srv.Addr(), Password: "wrong"}, redismanager.ErrAuth},
		"topology": {&redismanager.RedisConfig{Addr: cluster.Addrs()[0]}, redismanager.ErrWrongTopology},
		"file":     {&redismanager.RedisConfig{Addr: srv.Addr(), TLS: redismanager.TLSConfig{Enabled: true, CAFile: "/nonexistent.pem"}}, redismanager.ErrInvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			err := m.UpdateConfig(bad.cfg)
			require.ErrorIs(t, err, bad.want)
			require.Equal(t, before, m.GetConfig())
			require.NoError(t, m.HealthCheck(within(t, time.Second)))
			require.Zero(t, m.PoolStats().Draining)
		})
	}
}

// The new client has the scripts before it is used.
func TestUpdateConfigLoadsScriptsFirst(t *testing.T) {
	first, second := redistest.StartServer(t), redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: first.Addr()}, redismanager.WithScripts(counting))
	require.NoError(t, m.UpdateConfig(&redismanager.RedisConfig{Addr: second.Addr()}))
	sha, err := m.GetScriptSHA("counting")
	require.NoError(t, err)
	exists, err := second.Client(t).ScriptExists(context.Background(), sha).Result()
	require.NoError(t, err)
	require.Equal(t, []bool{true}, exists)
}

func TestGetConfigIsACopy(t *testing.T) {
	m := open(t, topologies[2].config(t))
	got := m.GetConfig()
	addr := got.Addrs[0]
	got.Addrs[0], got.PoolSize = "changed:1", 99
	require.Equal(t, addr, m.GetConfig().Addrs[0])
	require.Equal(t, 10, m.GetConfig().PoolSize)
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		require.NoError(t, m.Close())
		require.NoError(t, m.Close())
		ctx := within(t, time.Second)
		_, err := m.ExecuteScript(ctx, "return 1", []string{"k"}, nil)
		require.Equal(t, redismanager.ClassClosed, redismanager.Classify(err))
		_, err = m.GetConnection(ctx)
		require.ErrorIs(t, err, redismanager.ErrClosed)
		require.ErrorIs(t, m.HealthCheck(ctx), redismanager.ErrClosed)
		require.ErrorIs(t, m.PreloadScripts(ctx), redismanager.ErrClosed)
		require.ErrorIs(t, m.UpdateConfig(m.GetConfig()), redismanager.ErrClosed)
		_, err = m.GetBatch(ctx, []string{"k"})
		require.ErrorIs(t, err, redismanager.ErrClosed)
	})
}

func TestCloseWaitsForCallsInFlight(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()})
	started := make(chan struct{})
	result := make(chan error, 1)
	go func() {
		close(started)
		_, err := m.ExecuteScript(context.Background(),
			"local t = redis.call('TIME')[1] while redis.call('TIME')[1] - t < 1 do end return 1", []string{"k"}, nil)
		result <- err
	}()
	<-started
	require.Eventually(t, func() bool { return m.PoolStats().Total.InUse > 0 }, time.Second, time.Millisecond)
	require.NoError(t, m.Close())
	require.NoError(t, <-result)
}

// A lease that is never released holds Close only for CloseTimeout.
func TestCloseIsBounded(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr(), CloseTimeout: 100 * time.Millisecond})
	_, err := m.GetConnection(within(t, time.Second))
	require.NoError(t, err)
	start := time.Now()
	err = m.Close()
	require.ErrorIs(t, err, redismanager.ErrTimeout)
	require.ErrorContains(t, err, "1 calls or leases")
	require.Less(t, time.Since(start), time.Second)
}

func TestCloseEndsAnUpdate(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	srv.Pause()
	defer srv.Resume()
	result := make(chan error, 1)
	go func() {
		result <- m.UpdateConfig(&redismanager.RedisConfig{Addr: srv.Addr(), ReadTimeout: time.Minute})
	}()
	time.Sleep(50 * time.Millisecond) // either order is right: the update is seen to end
	require.NoError(t, m.Close())
	select {
	case err := <-result:
		require.ErrorIs(t, err, redismanager.ErrClosed)
	case <-time.After(3 * time.Second):
		t.Fatal("the update outlived Close")
	}
}

func TestStatsAddUp(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 10*time.Second), redistest.NewPrefix(t)
		keys := make([]string, 300)
		for i := range keys {
			keys[i] = prefix + strconv.Itoa(i)
			_, err := m.Read(ctx, "get", keys[i])
			require.NoError(t, err)
		}
		_, err := m.GetBatch(ctx, keys)
		require.NoError(t, err)
		s := m.PoolStats()
		var sum redismanager.PoolNumbers
		for _, node := range s.Nodes {
			require.NotEmpty(t, node.Addr)
			sum.Hits += node.Hits
			sum.Total += node.Total
			sum.Size += node.Size
		}
		require.Equal(t, sum.Hits, s.Total.Hits)
		require.Equal(t, sum.Total, s.Total.Total)
		require.GreaterOrEqual(t, int(s.Total.Hits+s.Total.Misses), len(keys))
		if m.Mode() == redismanager.ModeCluster {
			require.GreaterOrEqual(t, len(s.Nodes), 3)
		} else {
			require.Len(t, s.Nodes, 1)
			require.Equal(t, 20, s.Total.Size) // 10 for commands, 10 for batches
		}
		byName := m.GetPoolStats()
		require.Equal(t, string(m.Mode()), byName["mode"])
		require.Equal(t, s.Total.Size, byName["pool_size"])
		require.Len(t, byName, 16)
	})
}

func TestHealthCheckNamesADeadMaster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs(), DialTimeout: time.Second})
	require.NoError(t, m.HealthCheck(within(t, 2*time.Second)))
	victim := cluster.Masters()[1]
	victim.Kill()
	err := m.HealthCheck(within(t, 5*time.Second))
	require.ErrorContains(t, err, victim.Addr())
}

// A dead replica does not stop a start, and its shard is served.
func TestStartWithADeadReplica(t *testing.T) {
	cluster := redistest.StartCluster(t)
	cluster.Replicas()[0].Kill()
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs(), DialTimeout: time.Second}, redismanager.WithScripts(counting))
	ctx := within(t, 10*time.Second)
	for i := range 30 {
		_, err := m.ExecuteScript(ctx, "counting", []string{"k" + strconv.Itoa(i)}, nil)
		require.NoError(t, err)
	}
}

func TestWrongTopologyIsOneSentence(t *testing.T) {
	standalone, set, cluster := redistest.SharedStandalone(t), redistest.SharedSentinel(t), redistest.SharedCluster(t)
	replica := redistest.StartServer(t, redistest.WithReplicaOf(standalone))
	for name, c := range map[string]struct {
		cfg  redismanager.RedisConfig
		want string
	}{
		"cluster node as standalone":  {redismanager.RedisConfig{Addr: cluster.Addrs()[0]}, "is a Cluster node, but mode is standalone: set mode cluster"},
		"standalone as cluster":       {redismanager.RedisConfig{Mode: "cluster", Addr: standalone.Addr()}, "is a standalone server, but mode is cluster: set mode standalone"},
		"sentinel as standalone":      {redismanager.RedisConfig{Addr: set.Addrs()[0]}, "is a sentinel, but mode is standalone"},
		"sentinel as cluster":         {redismanager.RedisConfig{Mode: "cluster", Addrs: set.Addrs()}, "is a sentinel, but mode is cluster"},
		"data node as sentinel":       {redismanager.RedisConfig{Mode: "sentinel", Addr: standalone.Addr(), MasterName: "mymaster"}, "is a standalone server, but mode is sentinel"},
		"replica as standalone":       {redismanager.RedisConfig{Addr: replica.Addr()}, "is a replica and refuses to write"},
		"unknown master of sentinels": {redismanager.RedisConfig{Mode: "sentinel", Addrs: set.Addrs(), MasterName: "othermaster"}, "no sentinel knows a master named \"othermaster\""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redismanager.New(within(t, 5*time.Second), c.cfg, redismanager.WithLogger(quiet))
			require.ErrorIs(t, err, redismanager.ErrWrongTopology)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(strings.Split(err.Error(), ". ")), 2, "one sentence: %v", err)
		})
	}
}
