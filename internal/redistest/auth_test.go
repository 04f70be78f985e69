package redistest

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestSentinelPasswords(t *testing.T) {
	t.Parallel()
	set := StartSentinel(t, WithPassword("data"), WithSentinelPassword("watch"))
	requireReplicates(t, set)

	opts := set.Sentinels()[0].Options()
	require.Equal(t, "watch", opts.Password)
	opts.Password = "data"
	stranger := redis.NewSentinelClient(opts)
	defer stranger.Close()
	require.Error(t, stranger.Ping(context.Background()).Err())
}

func TestSentinelACL(t *testing.T) {
	t.Parallel()
	set := StartSentinel(t, WithACL("default off"))
	requireReplicates(t, set)
}

func TestClusterPassword(t *testing.T) {
	t.Parallel()
	requireServesEverySlot(t, StartCluster(t, WithPassword("data")))
}
