package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func clusterClient(t *testing.T, c *Cluster) *redis.ClusterClient {
	t.Helper()
	opts := c.Nodes()[0].Options()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: c.Addrs(), Password: opts.Password, TLSConfig: opts.TLSConfig,
		DisableIdentity: true, MaintNotificationsConfig: opts.MaintNotificationsConfig,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestCluster(t *testing.T) {
	t.Parallel()
	var all []int
	t.Run("works", func(t *testing.T) {
		begin := time.Now()
		c := StartCluster(t)
		t.Logf("started in %v", time.Since(begin))
		all = pids(c.Nodes())
		for _, node := range c.Nodes() {
			requireRunning(t, node)
		}
		require.Len(t, c.Masters(), 3)
		require.Len(t, c.Replicas(), 3)
		for _, m := range c.Masters() {
			require.Contains(t, c.Replicas(), c.ReplicaOf(m))
		}
		requireServesEverySlot(t, c)
	})
	requireGone(t, all...)
}

// requireServesEverySlot writes keys that fall on all masters, at once after the
// start, and reads each on the node that NodeForKey names.
func requireServesEverySlot(t *testing.T, c *Cluster) {
	t.Helper()
	ctx := context.Background()
	client := clusterClient(t, c)
	seen := map[*Server]bool{}
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		require.NoError(t, client.Set(ctx, key, key, 0).Err())
		owner := c.NodeForKey(t, key)
		seen[owner] = true
		require.Equal(t, key, owner.Client(t).Get(ctx, key).Val())
	}
	require.Len(t, seen, 3)
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := StartCluster(t)
	key := NewPrefix(t)
	old := c.NodeForKey(t, key)
	next := c.ReplicaOf(old)
	old.Kill()

	require.Eventually(t, func() bool { return next.Client(t).Set(ctx, key, "1", 0).Err() == nil },
		15*time.Second, 20*time.Millisecond)
	require.Equal(t, next, c.NodeForKey(t, key))

	old.Restart(t)
	c.WaitReady(t)
	require.Equal(t, next, c.NodeForKey(t, key))
	require.Equal(t, old, c.ReplicaOf(next))
}
