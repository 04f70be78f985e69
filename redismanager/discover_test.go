package redismanager_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// Redis writes an IPv6 address into MOVED and ASK without brackets.
func TestRedirectionToAnIPv6Address(t *testing.T) {
	cluster := redistest.StartCluster(t, redistest.WithConfig("bind", "127.0.0.1 ::1"), redistest.WithConfig("cluster-announce-ip", "::1"))
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs(), MaxRetries: -1}, redismanager.WithScripts(counting))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	slot := redistest.Slot(key)
	from, to := cluster.SlotOwner(slot), cluster.Masters()[0]
	if from == to {
		to = cluster.Masters()[1]
	}
	move, err := cluster.StartMove(slot, to)
	require.NoError(t, err)
	value, err := m.ExecuteScript(ctx, "counting", []string{key}, nil)
	require.NoError(t, err, "sent on by ASK")
	require.EqualValues(t, 1, value)
	require.NoError(t, move.Finish())
	value, err = m.ExecuteScript(ctx, "counting", []string{key}, nil)
	require.NoError(t, err, "sent on by MOVED")
	require.EqualValues(t, 2, value)
}

// A node may be told to name no addresses, because the clients reach all nodes
// over the one that they know, each at its own port; or host names, which it does
// not know.
func TestClusterWithUnknownEndpoints(t *testing.T) {
	for _, kind := range []string{"unknown-endpoint", "hostname"} {
		cluster := redistest.StartCluster(t, redistest.WithConfig("cluster-preferred-endpoint-type", kind))
		m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()[:1]}, redismanager.WithScripts(counting))
		ctx := within(t, 10*time.Second)
		for range 20 {
			value, err := m.ExecuteScript(ctx, "counting", []string{redistest.NewPrefix(t)}, nil)
			require.NoError(t, err, kind)
			require.EqualValues(t, 1, value, kind)
		}
		require.Len(t, m.PoolStats().Nodes, 3, kind)
	}
}

// Sentinels remember for ever those that have gone, and an address that is gone
// may swallow packets. They must not keep a failover from being followed.
func TestFailoverBesideSilentSentinels(t *testing.T) {
	set := redistest.StartSentinel(t)
	addrs := set.Addrs()
	for range 3 {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = silent.Close() })
		addrs = append(addrs, silent.Addr().String())
	}
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: addrs, MasterName: set.MasterName}, redismanager.WithScripts(counting))
	set.Master().Kill()
	_, err := m.ExecuteScript(within(t, 10*time.Second), "counting", []string{redistest.NewPrefix(t)}, nil)
	require.NoError(t, err)
}

// One sentinel names another server, which is a master, while the others are
// silent. The master in use still is one: it is kept.
func TestOneSentinelAloneDoesNotMoveTheMaster(t *testing.T) {
	set, stranger := redistest.StartSentinel(t), redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: set.Addrs(), MasterName: set.MasterName})
	before := master(m)
	sentinels := set.Sentinels()
	for _, s := range sentinels[1:] {
		s.Pause()
		defer s.Resume() //nolint:gocritic // both, at the end
	}
	c, ctx := sentinels[0].Client(t), within(t, 10*time.Second)
	host, port := split(t, stranger.Addr())
	require.NoError(t, c.Do(ctx, "sentinel", "remove", set.MasterName).Err())
	require.NoError(t, c.Do(ctx, "sentinel", "monitor", set.MasterName, host, port, 2).Err())
	refreshes := m.Counters().TopologyRefreshes
	require.Eventually(t, func() bool { return m.Counters().TopologyRefreshes >= refreshes+2 }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, before, master(m))
}

// master is the address of the only master.
func master(m *redismanager.Manager) (addr string) {
	_ = m.ForEachMaster(context.Background(), func(_ context.Context, at string, _ *redis.Client) error {
		addr = at
		return nil
	})
	return addr
}
