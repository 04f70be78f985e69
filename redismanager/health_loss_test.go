package redismanager_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// markerOf0 is the marker outside a Cluster: its hash tag belongs to slot 0.
func markerOf0(prefix string) string {
	for n := 0; ; n++ {
		if tag := "health-" + strconv.Itoa(n); redismanager.Slot(tag) == 0 {
			return prefix + "{" + tag + "}marker"
		}
	}
}

func lost(n int) func(redismanager.HealthStatus) bool {
	return func(s redismanager.HealthStatus) bool { return s.Losses == n }
}

// A master without persistence that restarts is told of by the first check
// that it answers, by the log at level error, and to whoever follows the health.
func TestRestartedEmpty(t *testing.T) {
	for name, policy := range map[string]redismanager.HealthPolicy{
		"with a marker": {}, "without": {NoMarker: true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := redistest.StartServer(t)
			require.NoError(t, srv.Client(t).Set(context.Background(), "link", 1, 0).Err())
			m := checked(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithHealthPolicy(policy), redismanager.WithScripts(counting))
			changes, cancel := m.HealthChanges()
			defer cancel()
			for i := range 2 {
				require.NoError(t, srv.Client(t).Set(context.Background(), "link", 1, 0).Err())
				rounds(t, m, 1)
				srv.Restart(t)
				start := time.Now()
				checks := reach(t, m, 3*time.Second, lost(i+1))
				require.LessOrEqual(t, checks, 2, "the one that was under way, and the next")
				t.Logf("told %v after the restart", time.Since(start).Round(time.Millisecond))
				require.Equal(t, i+1, (<-changes).Losses)
			}
			events := told(m, redismanager.EventRestartedEmpty)
			require.Len(t, events, 2)
			require.Equal(t, srv.Addr(), events[0].Node)
			require.Contains(t, events[0].Reason, "it restarted without its data")
			require.False(t, node(t, m, srv.Addr()).LostData.IsZero())
			require.Len(t, told(m, redismanager.EventScriptRepaired), 2)
			rounds(t, m, 3)
			require.Equal(t, 2, m.Health().Losses, "it is told once")
			require.Equal(t, policy.NoMarker, srv.Client(t).Exists(context.Background(), markerOf0("sf:")).Val() == 0)
		})
	}
}

// Data that somebody removed is gone as well. Several programs share the marker:
// the one that does not see it gone sees another one.
func TestFlushedData(t *testing.T) {
	srv := redistest.StartServer(t)
	var managers []*redismanager.Manager
	for range 3 {
		managers = append(managers, checked(t, redismanager.RedisConfig{Addr: srv.Addr()},
			redismanager.WithHealthPolicy(redismanager.HealthPolicy{MarkerPrefix: "own:"})))
	}
	admin := srv.Client(t)
	epoch := admin.Get(context.Background(), markerOf0("own:")).Val()
	require.NotEmpty(t, epoch)
	require.NoError(t, admin.FlushAll(context.Background()).Err())
	for _, m := range managers {
		reach(t, m, 3*time.Second, lost(1))
		require.Contains(t, told(m, redismanager.EventRestartedEmpty)[0].Reason, "its data was removed")
	}
	require.NotEqual(t, epoch, admin.Get(context.Background(), markerOf0("own:")).Val())
	for _, m := range managers {
		rounds(t, m, 2)
		require.Equal(t, 1, m.Health().Losses)
		require.Empty(t, told(m, redismanager.EventHealthChanged), "it serves")
	}
}

// While it is watched a deployment is written to once per master.
func TestMarkerIsWrittenOnce(t *testing.T) {
	srv := redistest.StartServer(t)
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr()})
	rounds(t, m, 4)
	m.StopHealthCheck()
	m.StartHealthCheck(pace)
	rounds(t, m, 4)
	stats := srv.Info(t, "commandstats", "cmdstat_set")
	require.True(t, strings.HasPrefix(stats, "calls=1,"), stats)
}

// The restart is noticed also if it happens while nobody looks.
func TestRestartedEmptyWhileStopped(t *testing.T) {
	srv := redistest.StartServer(t)
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr()})
	m.StopHealthCheck()
	srv.Restart(t)
	m.StartHealthCheck(pace)
	reach(t, m, 3*time.Second, lost(1))
}

// Another deployment is a new beginning, and no loss. The same one under a
// changed configuration is not forgotten.
func TestLossAndUpdateConfig(t *testing.T) {
	first, second := redistest.StartServer(t), redistest.StartServer(t)
	m := checked(t, redismanager.RedisConfig{Addr: first.Addr()})
	require.NoError(t, m.UpdateConfig(&redismanager.RedisConfig{Addr: second.Addr()}))
	reach(t, m, 3*time.Second, nodeIs(second.Addr(), redismanager.Healthy))
	rounds(t, m, 2)
	require.Len(t, m.Health().Nodes, 1)
	require.Zero(t, m.Health().Losses)
	require.Empty(t, told(m, redismanager.EventHealthChanged))
	m.StopHealthCheck()
	second.Restart(t)
	require.NoError(t, m.UpdateConfig(&redismanager.RedisConfig{Addr: second.Addr(), PoolSize: 3}))
	m.StartHealthCheck(pace)
	reach(t, m, 3*time.Second, lost(1))
}

// A replica without data takes over: the addresses differ, the loss is the same.
func TestFailoverToAnEmptyReplica(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()})
	reach(t, m, 15*time.Second, func(s redismanager.HealthStatus) bool { return len(s.Nodes) == 6 && s.State == redismanager.Healthy })
	ctx := context.Background()
	old := time.Now().Add(3 * time.Second) // what is younger may not have reached a replica yet
	reach(t, m, 5*time.Second, func(redismanager.HealthStatus) bool { return time.Now().After(old) })

	withData := cluster.Masters()[0]
	heir := cluster.ReplicaOf(withData)
	require.NoError(t, heir.Client(t).Do(ctx, "cluster", "failover").Err())
	isMaster := func(addr string) func(redismanager.HealthStatus) bool {
		return func(s redismanager.HealthStatus) bool {
			for _, n := range s.Nodes {
				if n.Addr == addr {
					return n.Role == "master" && n.State == redismanager.Healthy
				}
			}
			return false
		}
	}
	reach(t, m, 10*time.Second, isMaster(heir.Addr()))
	rounds(t, m, 2)
	require.Zero(t, m.Health().Losses, "a failover with the data: %+v", told(m, redismanager.EventRestartedEmpty))

	victim := cluster.Masters()[1]
	empty := cluster.ReplicaOf(victim)
	require.NoError(t, empty.Client(t).ConfigSet(ctx, "replica-read-only", "no").Err())
	require.NoError(t, empty.Client(t).Do(ctx, "readonly").Err())
	_, err := empty.Client(t).Eval(ctx, "#!lua flags=allow-cross-slot-keys\nreturn redis.call('FLUSHALL')", nil).Result()
	require.NoError(t, err)
	require.NoError(t, empty.Client(t).Do(ctx, "cluster", "failover", "takeover").Err())
	reach(t, m, 10*time.Second, lost(1))
	e := told(m, redismanager.EventRestartedEmpty)[0]
	require.Equal(t, empty.Addr(), e.Node)
	require.Contains(t, e.Reason, "in place of "+victim.Addr())
}

// Slots that move to another master take their markers along.
func TestSlotMigrationIsNoLoss(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()})
	from, to := cluster.Masters()[0], cluster.Masters()[1]
	slot := firstSlotOf(t, from)
	moveSlot(t, cluster, slot, from, to)
	require.Equal(t, to.Addr(), cluster.NodeForKey(t, keyOf(slot)).Addr())
	end := time.Now().Add(2500 * time.Millisecond) // a refresh comes every two seconds
	reach(t, m, 5*time.Second, func(redismanager.HealthStatus) bool { return time.Now().After(end) })
	require.Zero(t, m.Health().Losses, "%+v", told(m, redismanager.EventRestartedEmpty))
	require.Empty(t, told(m, redismanager.EventHealthChanged))
	require.NoError(t, from.Client(t).FlushAll(context.Background()).Err())
	reach(t, m, 5*time.Second, lost(1)) // the master has another marker by now
	require.Equal(t, from.Addr(), told(m, redismanager.EventRestartedEmpty)[0].Node)
}

func keyOf(slot int) string {
	for n := 0; ; n++ {
		if key := "k" + strconv.Itoa(n); redismanager.Slot(key) == slot {
			return key
		}
	}
}

func firstSlotOf(t *testing.T, srv *redistest.Server) int {
	t.Helper()
	//nolint:staticcheck // CLUSTER SHARDS says no more here
	slots, err := srv.Client(t).ClusterSlots(context.Background()).Result()
	require.NoError(t, err)
	for _, r := range slots {
		if r.Nodes[0].Addr == srv.Addr() {
			return r.Start
		}
	}
	require.FailNow(t, "no slot")
	return 0
}

// moveSlot moves a slot with its keys, as redis-cli does.
func moveSlot(t *testing.T, cluster *redistest.Cluster, slot int, from, to *redistest.Server) {
	t.Helper()
	ctx := context.Background()
	a, b := from.Client(t), to.Client(t)
	fromID, toID := a.Do(ctx, "cluster", "myid").Val(), b.Do(ctx, "cluster", "myid").Val()
	require.NoError(t, b.Do(ctx, "cluster", "setslot", slot, "importing", fromID).Err())
	require.NoError(t, a.Do(ctx, "cluster", "setslot", slot, "migrating", toID).Err())
	keys, err := a.ClusterGetKeysInSlot(ctx, slot, 100).Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys, "the marker is there")
	host, port, err := net.SplitHostPort(to.Addr())
	require.NoError(t, err)
	for _, key := range keys {
		require.NoError(t, a.Migrate(ctx, host, port, key, 0, time.Second).Err())
	}
	for _, srv := range append([]*redistest.Server{to, from}, cluster.Masters()...) {
		require.NoError(t, srv.Client(t).Do(ctx, "cluster", "setslot", slot, "node", toID).Err())
	}
}
