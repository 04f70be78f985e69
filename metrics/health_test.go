package metrics

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

func gather(t *testing.T, f *fake) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(newCollector(f, settings{buckets: defaultBuckets}))
	return reg
}

// TestBeforeTheFirstCheck: nothing is known, so no number is shown.
func TestBeforeTheFirstCheck(t *testing.T) {
	reg := gather(t, &fake{})
	require.Equal(t, 1.0, value(t, reg, "statelink_redis_health", "state", "unknown"))
	require.Equal(t, 0.0, value(t, reg, "statelink_redis_health", "state", "healthy"))
	require.Nil(t, family(t, reg, "statelink_redis_health_check_timestamp_seconds"))
	require.Nil(t, family(t, reg, "statelink_redis_slots_served"))
}

// TestSlotsOfAClusterOnly: a standalone server serves no slots, and that is no
// fault of it.
func TestSlotsOfAClusterOnly(t *testing.T) {
	f := newFake()
	f.pools.Mode = redismanager.ModeStandalone
	require.Nil(t, family(t, gather(t, f), "statelink_redis_slots_served"))
}

// TestHostileNodes: a name that is no UTF-8 and a node that is listed twice must
// not cost the program its whole scrape, as each of them would.
func TestHostileNodes(t *testing.T) {
	f := newFake()
	f.health.Nodes = append(f.health.Nodes, f.health.Nodes[0], redismanager.NodeHealth{Addr: "\xff", Role: "master", State: "new state", LagBytes: -1})
	reg := gather(t, f)
	require.Equal(t, 1.0, value(t, reg, "statelink_redis_node_health", "node", "?", "state", "unknown"))
	require.Len(t, family(t, reg, "statelink_redis_node_health").GetMetric(), 4*4)
}

// TestUnknownLag: a lag that is not known is absent, not -1.
func TestUnknownLag(t *testing.T) {
	f := newFake()
	f.health.Nodes[1].LagBytes = -1
	require.Nil(t, family(t, gather(t, f), "statelink_redis_replication_lag_bytes"))
}
