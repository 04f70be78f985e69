package metrics

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestCountersGoOn: a change of configuration makes new pools whose own counters
// begin at zero, and the exported ones go on.
func TestCountersGoOn(t *testing.T) {
	e, reg := open(t, redistest.SharedStandalone(t))
	m := e.Manager()
	const hitsName = "statelink_redis_pool_hits_total"
	for range 200 {
		_, err := m.Read(t.Context(), "get", "nothing")
		require.NoError(t, err)
	}
	before := value(t, reg, hitsName, "pool", "commands")
	require.GreaterOrEqual(t, before, 200.0)

	require.NoError(t, m.UpdateConfig(m.GetConfig()))
	require.Less(t, m.PoolStats().Total.Hits, uint64(200), "the manager's own counters begin anew")
	_, err := m.Read(t.Context(), "get", "nothing")
	require.NoError(t, err)
	require.Greater(t, value(t, reg, hitsName, "pool", "commands"), before)
	require.Equal(t, 1.0, value(t, reg, "statelink_config_reloads_total", "result", "replaced"))

	refused := m.GetConfig()
	refused.PoolSize = -1
	require.Error(t, m.UpdateConfig(refused))
	require.Equal(t, 1.0, value(t, reg, "statelink_config_reloads_total", "result", "refused"))
}

// TestCarriedNeverFalls plays pools that count, are scraped and are replaced, in
// any order: exported counters never fall, and miss only what was counted
// between a pool's last scrape and its end.
func TestCarriedNeverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c carried
		var pool, last counts
		scraped, want := 0.0, 0.0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				if pool[hits] > 0 && scraped == pool[hits] { // scraped since it counted: nothing is lost
					pool, scraped = counts{}, 0
				}
			case 1, 2:
				n := float64(rapid.IntRange(0, 3).Draw(t, "hits"))
				if scraped == 0 { // else a new pool could overtake the old one unseen
					n = min(n, 1)
				}
				pool[hits] += n
				want += n
			default:
				got := c.next(pool)
				require.GreaterOrEqual(t, got[hits], last[hits])
				last, scraped = got, pool[hits]
			}
		}
		require.LessOrEqual(t, c.next(pool)[hits], want)
	})
}

// TestOneLowerCounterTellsOfANewPool: the busy counter may already be past its
// old value when another one betrays the new pool.
func TestOneLowerCounterTellsOfANewPool(t *testing.T) {
	var c carried
	c.next(counts{hits: 5, misses: 10})
	got := c.next(counts{hits: 50, misses: 2})
	require.Equal(t, 55.0, got[hits])
	require.Equal(t, 12.0, got[misses])
}

// TestNodesThatComeAndGo: a node that is away for a moment goes on counting, and
// a Cluster whose nodes always have new addresses does not fill the memory.
func TestNodesThatComeAndGo(t *testing.T) {
	f := newFake()
	reg := prometheus.NewPedanticRegistry()
	p := newPools(f)
	reg.MustRegister(p)
	node := f.pools.Nodes[0]
	require.Equal(t, 100.0, value(t, reg, "statelink_redis_pool_hits_total", "pool", "commands"))

	f.pools.Nodes = nil
	require.Nil(t, family(t, reg, "statelink_redis_pool_hits_total"))
	node.Commands.Hits = 1
	f.pools.Nodes = []redismanager.NodePoolStats{node}
	require.Equal(t, 101.0, value(t, reg, "statelink_redis_pool_hits_total", "pool", "commands"))

	for i := range 3 * mostNodes {
		f.pools.Nodes = []redismanager.NodePoolStats{{Addr: fmt.Sprintf("node-%d", i)}}
		require.NotNil(t, family(t, reg, "statelink_redis_pool_hits_total"))
	}
	require.LessOrEqual(t, len(p.nodes), 2*(mostNodes+1))
}
