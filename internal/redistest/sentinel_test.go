package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func failoverClient(t *testing.T, set *SentinelSet) *redis.Client {
	t.Helper()
	data, sentinel := set.Master().Options(), set.Sentinels()[0].Options()
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: set.MasterName, SentinelAddrs: set.Addrs(),
		SentinelPassword: sentinel.Password,
		Username:         data.Username, Password: data.Password, TLSConfig: data.TLSConfig,
		DisableIdentity: true,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	var all []int
	t.Run("works", func(t *testing.T) {
		begin := time.Now()
		set := StartSentinel(t)
		t.Logf("started in %v", time.Since(begin))
		servers := append(set.Sentinels(), set.Master(), set.Replica())
		all = pids(servers)
		for _, s := range servers {
			requireRunning(t, s)
		}
		require.Len(t, set.Addrs(), 3)
		requireReplicates(t, set)
	})
	requireGone(t, all...)
}

// requireReplicates writes through the sentinels and asks the replica for it.
func requireReplicates(t *testing.T, set *SentinelSet) {
	t.Helper()
	ctx := context.Background()
	require.Equal(t, "master", set.Master().Info(t, "replication", "role"))
	require.Equal(t, "slave", set.Replica().Info(t, "replication", "role"))
	require.NoError(t, failoverClient(t, set).Set(ctx, "k", "v", 0).Err())
	require.EqualValues(t, 0, set.Master().Client(t).Exists(ctx, "absent").Val())
	replica := set.Replica().Client(t)
	require.Eventually(t, func() bool { return replica.Get(ctx, "k").Val() == "v" },
		5*time.Second, 5*time.Millisecond)
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	set := StartSentinel(t)
	old, next := set.Master(), set.Replica()
	old.Kill()
	require.Eventually(t, func() bool { return set.Master() == next },
		15*time.Second, 20*time.Millisecond)

	old.Restart(t)
	set.WaitReady(t)
	require.Equal(t, next, set.Master())
	require.Equal(t, old, set.Replica())
}
