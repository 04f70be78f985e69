package redismanager_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// callers call a script without pause until stop, and note how long each took.
type callers struct {
	running sync.WaitGroup
	ended   atomic.Bool
	failed  atomic.Int64
	mu      sync.Mutex
	done    []timedCall
}

type timedCall struct{ begin, end time.Time }

func startCallers(t *testing.T, m *redismanager.Manager, n int, key string) *callers {
	c := &callers{}
	for range n {
		c.running.Go(func() {
			var mine []timedCall
			for !c.ended.Load() {
				begin := time.Now()
				if _, err := m.ExecuteScript(context.Background(), "counting", []string{key}, nil); err != nil {
					c.failed.Add(1)
					t.Errorf("a call failed: %v", err)
				}
				mine = append(mine, timedCall{begin, time.Now()})
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.done = append(c.done, mine...)
		})
	}
	t.Cleanup(c.stop)
	return c
}

func (c *callers) stop() {
	c.ended.Store(true)
	c.running.Wait()
}

// latencies are those of the calls that began in a span of time, shortest first.
func (c *callers) latencies(from, to time.Time) latencies {
	var list latencies
	for _, call := range c.done {
		if !call.begin.Before(from) && call.begin.Before(to) {
			list = append(list, call.end.Sub(call.begin))
		}
	}
	slices.Sort(list)
	return list
}

type latencies []time.Duration

func (l latencies) p(percent int) time.Duration { return l[(len(l)-1)*percent/100] }

func resizes(m *redismanager.Manager) []redismanager.Event {
	return slices.DeleteFunc(m.Events(), func(e redismanager.Event) bool { return e.Kind != redismanager.EventPoolResized })
}

// commandSize is the size of the only node's pool.
func commandSize(m *redismanager.Manager) int { return m.PoolStats().Nodes[0].CommandSize }

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, 5*time.Millisecond, what)
}

// slowly gives the address of a server that is 5 ms away.
func slowly(t *testing.T, srv *redistest.Server) string {
	proxy := redistest.NewProxy(t, srv.Addr())
	proxy.SetDelay(5 * time.Millisecond)
	return proxy.Addr()
}

func scaled(addr string) redismanager.RedisConfig {
	return redismanager.RedisConfig{
		Addr: addr, PoolSize: 5, PoolMin: 2, PoolMax: 300, PoolScaleInterval: 100 * time.Millisecond, PoolTimeout: 5 * time.Second,
	}
}

// connections counts the clients that the server has.
func connections(t *testing.T, srv *redistest.Server) int {
	list, err := srv.Client(t).ClientList(context.Background()).Result()
	require.NoError(t, err)
	return strings.Count(list, "\n")
}

// TestPoolGrowsAndShrinks: 200 callers on 5 connections get what they need, no
// call fails, and none takes longer for it than calls took before.
func TestPoolGrowsAndShrinks(t *testing.T) {
	certs := redistest.NewCerts(t)
	for _, c := range []struct {
		name string
		opts []redistest.Option
		tls  redismanager.TLSConfig
	}{
		{name: "plain"},
		{name: "tls", opts: []redistest.Option{redistest.WithTLS(certs)}, tls: redismanager.TLSConfig{Enabled: true, CAFile: certs.CAFile, CertFile: certs.CertFile, KeyFile: certs.KeyFile}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := redistest.StartServer(t, c.opts...)
			cfg := scaled(slowly(t, srv))
			cfg.TLS = c.tls
			growsAndShrinks(t, srv, cfg)
		})
	}
}

func growsAndShrinks(t *testing.T, srv *redistest.Server, cfg redismanager.RedisConfig) {
	m := open(t, cfg, redismanager.WithScripts(counting))
	key := redistest.NewPrefix(t)
	load := startCallers(t, m, 200, key)
	begun := time.Now()
	eventually(t, "the pool grows", func() bool { return commandSize(m) >= 190 })
	grown := time.Now()
	eventually(t, "callers do not wait", func() bool { return m.PoolStats().Total.Waiting == 0 && time.Since(grown) > 200*time.Millisecond })
	require.Greater(t, connections(t, srv), 150)
	load.stop()
	ended := time.Now()

	change := resizes(m)[0].Time // the callers that wait then, have begun before
	before, during, after := load.latencies(begun, change.Add(-400*time.Millisecond)), load.latencies(change.Add(-400*time.Millisecond), grown), load.latencies(grown, ended)
	t.Logf("before: p50 %v, p99 %v, max %v; during: p50 %v, p99 %v, max %v; after: p50 %v", before.p(50), before.p(99), before.p(100),
		during.p(50), during.p(99), during.p(100), after.p(50))
	require.Zero(t, load.failed.Load())
	require.Equal(t, strconv.Itoa(len(load.done)), srv.Client(t).Get(context.Background(), key).Val(), "executions are calls")
	require.Less(t, during.p(100), 2*before.p(100)+300*time.Millisecond, "a machine that does much else may be late")
	require.Less(t, after.p(50), before.p(50))

	eventually(t, "the pool shrinks", func() bool { return commandSize(m) == 2 })
	eventually(t, "connections close", func() bool { return connections(t, srv) <= 8 })
	checkDecisions(t, m)
}

// checkDecisions: each change is told with its numbers, and counted.
func checkDecisions(t *testing.T, m *redismanager.Manager) {
	t.Helper()
	told, stats := resizes(m), m.PoolStats().Nodes[0]
	size := 5
	for _, e := range told {
		t.Logf("%s to %s: %s", e.From, e.To, e.Reason)
		require.NoError(t, e.Err)
		require.Equal(t, strconv.Itoa(size), e.From)
		size, _ = strconv.Atoi(e.To)
		require.Equal(t, stats.Addr, e.Node)
		require.Contains(t, e.Reason, "in use")
	}
	require.Equal(t, size, stats.CommandSize)
	require.Equal(t, uint64(len(told)), stats.Resizes)
	require.Equal(t, stats.Resizes, m.GetPoolStats()["pool_resizes"])
	require.Equal(t, 2, stats.Min)
	require.Equal(t, 300, stats.Max)
	require.Contains(t, stats.LastDecision, told[len(told)-1].Reason)
	require.WithinDuration(t, told[len(told)-1].Time, stats.LastDecisionAt, time.Second)
}

func TestDryRunChangesNothing(t *testing.T) {
	srv := redistest.StartServer(t)
	cfg := scaled(slowly(t, srv))
	cfg.PoolDryRun = true
	m := open(t, cfg, redismanager.WithScripts(counting))
	startCallers(t, m, 50, redistest.NewPrefix(t))
	eventually(t, "decisions are told", func() bool { return len(resizes(m)) >= 2 })
	for _, e := range resizes(m) {
		require.Equal(t, "5", e.From)
		require.NotEqual(t, "5", e.To)
		require.True(t, strings.HasSuffix(e.Reason, "(dry run)"), e.Reason)
	}
	stats := m.PoolStats().Nodes[0]
	require.Equal(t, 5, stats.CommandSize)
	require.Zero(t, stats.Resizes)
	require.Contains(t, stats.LastDecision, "(dry run)")
	require.LessOrEqual(t, connections(t, srv), 7)
}

func TestOnlyTheHotNodeGrows(t *testing.T) {
	cfg := topologies[2].config(t)
	cfg.PoolSize, cfg.PoolMax, cfg.PoolScaleInterval = 2, 40, 100*time.Millisecond
	m := open(t, cfg, redismanager.WithScripts(counting))
	key := redistest.NewPrefix(t)
	hot := redistest.SharedCluster(t).NodeForKey(t, key).Addr()
	load := startCallers(t, m, 30, key)
	size := func(want func(addr string) bool) (size int) {
		for _, n := range m.PoolStats().Nodes {
			if want(n.Addr) {
				size = max(size, n.CommandSize)
			}
		}
		return size
	}
	eventually(t, "the hot node grows", func() bool { return size(func(addr string) bool { return addr == hot }) >= 25 })
	load.stop()
	require.Zero(t, load.failed.Load())
	require.Equal(t, 2, size(func(addr string) bool { return addr != hot }))
	for _, e := range resizes(m) {
		require.Equal(t, hot, e.Node)
	}
}

func TestLeaseOutlivesAResize(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, scaled(slowly(t, srv)), redismanager.WithScripts(counting))
	ctx := within(t, 20*time.Second)
	leased, err := m.GetConnection(ctx)
	require.NoError(t, err)
	load := startCallers(t, m, 50, redistest.NewPrefix(t))
	eventually(t, "the pool grows", func() bool { return commandSize(m) > 5 })
	require.NoError(t, leased.Ping(ctx).Err())
	load.stop()
	eventually(t, "the pool shrinks", func() bool { return commandSize(m) == 2 })
	require.NoError(t, leased.Ping(ctx).Err())
	m.ReleaseConnection(leased)
	eventually(t, "the old pool closes", func() bool { return leased.Ping(ctx).Err() != nil })
	require.NoError(t, m.HealthCheck(ctx))
}

// TestNewConfigurationKeepsTheSize: a new password under load does not begin with
// a pool that is too small; other bounds are a new beginning.
func TestNewConfigurationKeepsTheSize(t *testing.T) {
	srv := redistest.StartServer(t)
	cfg := scaled(slowly(t, srv))
	m := open(t, cfg, redismanager.WithScripts(counting))
	load := startCallers(t, m, 50, redistest.NewPrefix(t))
	eventually(t, "the pool grows", func() bool { return commandSize(m) >= 50 })
	cfg.ClientName = "renamed"
	require.NoError(t, m.UpdateConfig(&cfg))
	require.GreaterOrEqual(t, commandSize(m), 50)
	load.stop()
	require.Zero(t, load.failed.Load())
	cfg.PoolMax++
	require.NoError(t, m.UpdateConfig(&cfg))
	require.Equal(t, 5, commandSize(m))
}

// TestServerAtItsLimitOfClients: a pool that cannot have its connections stays as
// it is, and calls go on.
func TestServerAtItsLimitOfClients(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithConfig("maxclients", "15"))
	m := open(t, scaled(slowly(t, srv)), redismanager.WithScripts(counting))
	load := startCallers(t, m, 50, redistest.NewPrefix(t))
	eventually(t, "growth is given up", func() bool { return len(resizes(m)) > 0 })
	load.stop()
	require.Zero(t, load.failed.Load())
	e := resizes(m)[0]
	t.Log(e.Reason, e.Err)
	require.ErrorIs(t, e.Err, redismanager.ErrUnavailable)
	require.Equal(t, "5", e.From)
	require.Equal(t, "5", e.To)
	require.Zero(t, m.PoolStats().Nodes[0].Resizes)
	require.NoError(t, m.HealthCheck(within(t, time.Second)))
}
