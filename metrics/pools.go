package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statelink/statelink/redismanager"
)

// pools reads the pools' numbers at a scrape.
type pools struct {
	from        source
	connections *prometheus.Desc
	limit       *prometheus.Desc
	waiting     *prometheus.Desc
	leases      *prometheus.Desc
	draining    *prometheus.Desc
	counters    [counterCount]*prometheus.Desc

	mu    sync.Mutex
	nodes map[poolName]*carried
}

// The counters of one node's pools.
const (
	hits = iota
	misses
	waits
	waitSeconds
	timeouts
	stale
	unusable
	counterCount
)

type counts [counterCount]float64

// poolName is one of a node's pools: commands or batches.
type poolName struct{ addr, pool string }

func newPools(from source) *pools {
	return &pools{
		from:        from,
		connections: desc("redis_pool_connections", "Connections open now: in_use or idle.", "node", "pool", "state"),
		limit:       desc("redis_pool_max_connections", "Most connections allowed, in the pool for single commands and in that for batches.", "node", "pool"),
		waiting:     desc("redis_pool_waiting_calls", "Calls that wait for a connection now.", "node", "pool"),
		leases:      desc("redis_leases", "Leases of a client that are not released yet."),
		draining:    desc("redis_draining_generations", "Former configurations whose connections are still in use."),
		counters: [counterCount]*prometheus.Desc{
			hits:        desc("redis_pool_hits_total", "Times a free connection was there.", "node", "pool"),
			misses:      desc("redis_pool_misses_total", "Times a connection had to be opened or waited for.", "node", "pool"),
			waits:       desc("redis_pool_waits_total", "Calls that waited for a connection.", "node", "pool"),
			waitSeconds: desc("redis_pool_wait_seconds_total", "Time that calls waited for a connection, in all.", "node", "pool"),
			timeouts:    desc("redis_pool_timeouts_total", "Calls that waited for a connection in vain.", "node", "pool"),
			stale:       desc("redis_pool_stale_connections_total", "Connections removed as too old or broken.", "node", "pool"),
			unusable:    desc("redis_pool_unusable_connections_total", "Connections found unusable when they were taken.", "node", "pool"),
		},
		nodes: map[poolName]*carried{},
	}
}

// Describe lists the metrics of pools.
func (p *pools) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.connections, p.limit, p.waiting, p.leases, p.draining} {
		ch <- d
	}
	for _, d := range p.counters {
		ch <- d
	}
}

// Collect sends the numbers of the configuration in use.
func (p *pools) Collect(ch chan<- prometheus.Metric) {
	p.mu.Lock() // read and carried over together: two scrapes at once must not mix
	defer p.mu.Unlock()
	stats := p.from.PoolStats()
	gauge(ch, p.leases, float64(stats.Leases))
	gauge(ch, p.draining, float64(stats.Draining))
	p.forget(stats.Nodes)
	for _, node := range stats.Nodes {
		p.send(ch, poolName{node.Addr, "commands"}, node.Commands)
		p.send(ch, poolName{node.Addr, "batches"}, node.Batches)
	}
}

func (p *pools) send(ch chan<- prometheus.Metric, of poolName, n redismanager.PoolNumbers) {
	gauge(ch, p.connections, float64(n.InUse), of.addr, of.pool, "in_use")
	gauge(ch, p.connections, float64(n.Idle), of.addr, of.pool, "idle")
	gauge(ch, p.limit, float64(n.Size), of.addr, of.pool)
	gauge(ch, p.waiting, float64(n.Waiting), of.addr, of.pool)
	for i, value := range p.carry(of, n) {
		counter(ch, p.counters[i], value, of.addr, of.pool)
	}
}

// carry gives the pool's counters since it was first seen.
func (p *pools) carry(of poolName, node redismanager.PoolNumbers) counts {
	c := p.nodes[of]
	if c == nil {
		c = &carried{}
		p.nodes[of] = c
	}
	return c.next(counts{
		hits: float64(node.Hits), misses: float64(node.Misses),
		waits: float64(node.Waits), waitSeconds: node.WaitTime.Seconds(),
		timeouts: float64(node.Timeouts), stale: float64(node.Stale), unusable: float64(node.Unusable),
	})
}

// forget drops nodes that are gone once there are very many: one that is only
// away for a moment shall go on counting where it was.
func (p *pools) forget(present []redismanager.NodePoolStats) {
	if len(p.nodes) <= 2*(len(present)+mostNodes) {
		return
	}
	kept := map[poolName]*carried{}
	for _, node := range present {
		for _, pool := range []string{"commands", "batches"} {
			of := poolName{node.Addr, pool}
			if c := p.nodes[of]; c != nil {
				kept[of] = c
			}
		}
	}
	p.nodes = kept
}

// carried makes counters that begin at zero with each configuration go on from
// where they were. What a pool counted after the last scrape before it was
// replaced is not seen.
type carried struct{ before, last counts }

// next adds what former pools counted. A pool is a new one if any of its
// counters is lower than it was.
func (c *carried) next(now counts) counts {
	for i := range now {
		if now[i] < c.last[i] {
			c.before = sum(c.before, c.last)
			break
		}
	}
	c.last = now
	return sum(c.before, now)
}

func sum(a, b counts) counts {
	for i := range a {
		a[i] += b[i]
	}
	return a
}
