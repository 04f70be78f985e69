package redismanager

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The newest vote outweighs the sentinels that have not heard of it yet. A stale
// sentinel outweighs nothing, not even alone after a round in which nobody told
// an epoch.
func TestNewestVoteCounts(t *testing.T) {
	d := newSentinelDiscovery(RedisConfig{Mode: ModeSentinel, Addrs: []string{"127.0.0.1:1"}, MasterName: "m"}.WithDefaults(), nil)
	defer func() { require.NoError(t, d.close()) }()
	d.learn("old:1", []sentinelView{{master: "old:1", epoch: 1}, {master: "old:1", epoch: 1}})
	views := []sentinelView{{master: "old:1", epoch: 1}, {master: "new:1", epoch: 2}, {master: "old:1", epoch: 1}}
	require.Equal(t, "new:1", electedSince(views, d.epoch))
	d.learn("new:1", views)
	require.Empty(t, electedSince(views, d.epoch), "it is the master already")

	d.learn("new:1", []sentinelView{{master: "new:1"}}) // a round in which no epoch was told
	require.Empty(t, electedSince([]sentinelView{{master: "old:1", epoch: 1}}, d.epoch))
	require.Equal(t, "third:1", electedSince([]sentinelView{{master: "third:1", epoch: 3}}, d.epoch))
}
