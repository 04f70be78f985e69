package redismanager_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// whole waits until all nodes of a deployment are seen and healthy.
func whole(t *testing.T, m *redismanager.Manager, nodes int) {
	t.Helper()
	reach(t, m, 20*time.Second, func(s redismanager.HealthStatus) bool {
		return len(s.Nodes) == nodes && s.State == redismanager.Healthy
	})
}

// A master of a Cluster dies: red while its slots are not served, degraded while
// the dead node is missing, healthy when it is back. Nothing is lost.
func TestHealthOfAClusterThatFailsOver(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()}, redismanager.WithScripts(counting))
	whole(t, m, 6)
	victim := cluster.Masters()[0]
	heir := cluster.ReplicaOf(victim)
	victim.Kill()
	require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Down)), 3)
	require.Less(t, m.Health().SlotsServed, 16384)
	require.Contains(t, m.Health().Reason, "slots are not served; master "+victim.Addr()+" is down")

	reach(t, m, 15*time.Second, is(redismanager.Degraded))
	require.Equal(t, 16384, m.Health().SlotsServed)
	require.Equal(t, "master", node(t, m, heir.Addr()).Role)
	reach(t, m, 5*time.Second, nodeIs(victim.Addr(), redismanager.Down)) // it may first have to vanish
	sha, err := m.GetScriptSHA("counting")
	require.NoError(t, err)
	require.Equal(t, []bool{true}, heir.Client(t).ScriptExists(context.Background(), sha).Val(), "the new master got the scripts")
	require.Equal(t, heir.Addr(), told(m, redismanager.EventScriptRepaired)[0].Node)
	require.EqualValues(t, 1, m.Counters().ScriptRepairs)

	victim.Restart(t)
	whole(t, m, 6)
	require.Equal(t, "replica", node(t, m, victim.Addr()).Role)
	require.Zero(t, m.Health().Losses, "%+v", told(m, redismanager.EventRestartedEmpty))
}

// A Cluster leaves a dead replica out: it stays listed until it is back.
func TestHealthOfAReplicaThatVanishes(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()})
	whole(t, m, 6)
	victim := cluster.Replicas()[0]
	victim.Kill()
	reach(t, m, 15*time.Second, func(s redismanager.HealthStatus) bool {
		return s.State == redismanager.Degraded && strings.Contains(s.Reason, "replica "+victim.Addr()+" is down: it left the topology")
	})
	require.Equal(t, 16384, m.Health().SlotsServed)
	victim.Restart(t)
	whole(t, m, 6)
	for _, e := range told(m, redismanager.EventHealthChanged) {
		if e.Node == "" {
			require.NotEqual(t, "down", e.To, "%+v", e)
		}
	}
}

// The sentinels replace a master that dies.
func TestHealthOfASentinelSetThatFailsOver(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinel(t)
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: set.Addrs(), MasterName: set.MasterName})
	whole(t, m, 2)
	old, heir := set.Master(), set.Replica()
	old.Kill() // so soon that the replica may not have the marker yet
	reach(t, m, 5*time.Second, is(redismanager.Down))
	require.Contains(t, m.Health().Reason, old.Addr())
	reach(t, m, 15*time.Second, is(redismanager.Degraded))
	require.Equal(t, "master", node(t, m, heir.Addr()).Role)
	for _, sentinel := range set.Sentinels() { // else they may take the old master, empty as it is, for the right one
		require.Eventually(t, func() bool {
			pair, err := sentinel.Client(t).Do(context.Background(), "sentinel", "get-master-addr-by-name", set.MasterName).StringSlice()
			return err == nil && pair[0]+":"+pair[1] == heir.Addr()
		}, 10*time.Second, 20*time.Millisecond)
	}
	old.Restart(t)
	whole(t, m, 2)
	require.Equal(t, "replica", node(t, m, old.Addr()).Role)
	require.Zero(t, m.Health().Losses, "%+v", told(m, redismanager.EventRestartedEmpty))
}

// A replica that is cut off, and one that hangs while its master goes on.
func TestHealthOfReplicas(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinel(t)
	ctx := context.Background()
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: set.Addrs(), MasterName: set.MasterName})
	whole(t, m, 2)
	master, replica := set.Master(), set.Replica()

	replica.Pause()
	payload := strings.Repeat("x", 100_000)
	for i := range 10 {
		require.NoError(t, master.Client(t).Set(ctx, "bulk", payload, 0).Err(), i)
	}
	reach(t, m, 15*time.Second, func(s redismanager.HealthStatus) bool {
		n := node(t, m, replica.Addr())
		return s.State == redismanager.Degraded && n.State == redismanager.Down && n.LagBytes >= 1_000_000
	})
	replica.Resume()
	reach(t, m, 20*time.Second, func(s redismanager.HealthStatus) bool {
		return s.State == redismanager.Healthy && node(t, m, replica.Addr()).LagBytes < 100_000
	})

	host, _ := split(t, replica.Addr())
	require.NoError(t, replica.Client(t).ReplicaOf(ctx, host, "1").Err())
	require.LessOrEqual(t, reach(t, m, 5*time.Second, func(s redismanager.HealthStatus) bool {
		return nodeIs(replica.Addr(), redismanager.Degraded)(s) && nodeIs(master.Addr(), redismanager.Degraded)(s)
	}), 4)
	require.Contains(t, node(t, m, replica.Addr()).Reason, "its link to the master is down")
	require.Contains(t, node(t, m, master.Addr()).Reason, "none of its replicas is connected")
	require.Equal(t, redismanager.Degraded, m.Health().State)
	host, port := split(t, master.Addr())
	require.NoError(t, replica.Client(t).ReplicaOf(ctx, host, port).Err())
	whole(t, m, 2)
}

// Scripts that a node lost are loaded again, once per loss.
func TestHealthRepairsScripts(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()}, redismanager.WithScripts(counting, setting, reading))
	masters := cluster.Masters()
	for i, srv := range masters {
		require.NoError(t, srv.Client(t).ScriptFlush(context.Background()).Err())
		reach(t, m, 5*time.Second, func(redismanager.HealthStatus) bool { return m.Counters().ScriptRepairs == uint64(3*(i+1)) })
	}
	rounds(t, m, 2)
	events := told(m, redismanager.EventScriptRepaired)
	require.Len(t, events, len(masters))
	require.Contains(t, events[0].Reason, "it lacked 3 scripts: counting, reading, setting")
	require.Empty(t, told(m, redismanager.EventHealthChanged), "a node that was repaired is well")
	list, _, err := m.VerifyScripts(within(t, time.Second))
	require.NoError(t, err)
	for _, row := range list {
		require.Empty(t, row.Missing)
	}
}

// A user without the rights that only the health check wants: no failure, and no
// steady refusals in the server's log.
func TestHealthWithFewRights(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		state redismanager.HealthState
	}{
		"no info, no loading, no key": {"+evalsha +eval ~app:*", redismanager.Healthy},
		"nothing but scripts":         {"+evalsha", redismanager.Healthy},
		"may ask, may not load":       {"+evalsha +script|exists +info", redismanager.Degraded},
	} {
		t.Run(name, func(t *testing.T) {
			srv := redistest.StartServer(t, redistest.WithACL("app on >secret resetkeys -@all "+c.rules))
			m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: "app", Password: "secret"}, redismanager.WithScripts(counting))
			admin := srv.Client(t)
			require.NoError(t, admin.Do(context.Background(), "acl", "log", "reset").Err())
			m.StartHealthCheck(pace)
			rounds(t, m, 6)
			s := m.Health()
			require.Equal(t, c.state, s.State, s.Reason)
			require.EqualValues(t, -1, s.Nodes[0].LagBytes)
			entries, err := admin.ACLLog(context.Background(), 100).Result()
			require.NoError(t, err)
			for _, e := range entries {
				require.EqualValues(t, 1, e.Count, "%+v", e)
			}
			require.LessOrEqual(t, len(entries), 5)
			require.EqualValues(t, 0, admin.Exists(context.Background(), markerOf0("sf:")).Val())
		})
	}
}

// A user who loses the right to run scripts finds servers that answer and are of
// no use to him.
func TestHealthWithoutTheRightToRunScripts(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithACL("app on >secret ~* +@all"))
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: "app", Password: "secret"})
	admin := srv.Client(t)
	require.NoError(t, admin.ACLSetUser(context.Background(), "app", "-evalsha").Err())
	require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Degraded)), 3)
	require.Contains(t, m.Health().Reason, "the user may not run scripts")
	rounds(t, m, 3)
	require.EqualValues(t, 1, admin.ACLLog(context.Background(), 1).Val()[0].Count)
	srv.Kill()
	reach(t, m, 5*time.Second, is(redismanager.Down))
}

// In a Cluster the same, where the script of a master has a key.
func TestHealthOfAClusterWithFewRights(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.WithACL("app on >secret resetkeys -@all +evalsha +eval +cluster|slots ~app:*"))
	m := checked(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs(), Username: "app", Password: "secret"})
	srv := cluster.Masters()[0]
	rounds(t, m, 1)
	require.Equal(t, redismanager.Healthy, node(t, m, srv.Addr()).State)
	require.NoError(t, srv.Client(t).Do(context.Background(), "acl", "log", "reset").Err())
	rounds(t, m, 4)
	require.Empty(t, srv.Client(t).ACLLog(context.Background(), 100).Val())
}
