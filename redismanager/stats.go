package redismanager

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// PoolStats are the numbers of all pools of a manager, summed over the nodes
// and over the pools for single commands and for batches. Counters begin at
// zero with each configuration.
type PoolStats struct {
	Mode     Mode            `json:"mode"`
	Nodes    []NodePoolStats `json:"nodes"`    // one row per master, by address
	Total    PoolNumbers     `json:"total"`    // sum of the rows
	Leases   int             `json:"leases"`   // leases not yet released
	Draining int             `json:"draining"` // former configurations still in use
}

// NodePoolStats are the numbers of one node's pools, added up and one by one.
type NodePoolStats struct {
	Addr string `json:"addr"`
	PoolNumbers
	Commands PoolNumbers `json:"commands"` // the pool for single commands
	Batches  PoolNumbers `json:"batches"`  // the pool for pipelines: batches, transactions, acknowledged changes
	PoolScaling
}

// PoolScaling is what the autoscaler may do and did with one node's pool for
// single commands. Without pool_max only CommandSize is set.
type PoolScaling struct {
	CommandSize    int       `json:"command_pool_size"`       // part of Size that the autoscaler changes
	Min            int       `json:"pool_min,omitempty"`      // smallest CommandSize
	Max            int       `json:"pool_max,omitempty"`      // largest CommandSize
	Resizes        uint64    `json:"pool_resizes"`            // changes of CommandSize
	LastDecision   string    `json:"last_decision,omitempty"` // sizes and the numbers that decided
	LastDecisionAt time.Time `json:"last_decision_at,omitzero"`
}

// PoolNumbers are the numbers of one pool, or of several added up.
type PoolNumbers struct {
	Size        int           `json:"size"`          // most connections allowed
	Total       int           `json:"total_conns"`   // connections open
	Idle        int           `json:"idle_conns"`    // open and free
	InUse       int           `json:"in_use_conns"`  // open and taken
	Waiting     int           `json:"waiting_calls"` // calls waiting for a connection now
	Hits        uint64        `json:"hits"`          // a free connection was there
	Misses      uint64        `json:"misses"`        // one had to be opened or waited for
	Waits       uint64        `json:"waits"`         // calls that waited
	WaitTime    time.Duration `json:"wait_ns"`       // how long, in all
	Timeouts    uint64        `json:"timeouts"`      // calls that waited in vain
	Stale       uint64        `json:"stale_conns"`   // connections removed as too old or broken
	Unusable    uint64        `json:"unusable_conns"`
	PipelineUse int           `json:"pipeline_in_use_conns"` // part of InUse that serves batches
}

// PoolStats gives the numbers of the configuration in use. It does no I/O.
func (m *Manager) PoolStats() PoolStats {
	g := m.current.Load()
	out := PoolStats{Mode: g.cfg.Mode, Leases: m.leases.count(), Draining: int(m.draining.Load())}
	for _, n := range g.nodes.snapshot() {
		if n.current.Load().small {
			continue // a replica: it is checked, not called
		}
		pools := n.stats()
		row := NodePoolStats{
			Addr: n.addr, PoolNumbers: pools.total(), Commands: pools.commands, Batches: pools.batches, PoolScaling: n.scaled(),
		}
		out.Nodes = append(out.Nodes, row)
		out.Total.sum(row.PoolNumbers)
	}
	return out
}

// poolPair are the numbers of the two pools that a client has.
type poolPair struct{ commands, batches PoolNumbers }

// numbers are those of one client.
func numbers(p *pooled) poolPair {
	stats := p.PoolStats()
	var n poolPair
	n.commands.add(stats, p.size)
	if batches := stats.PipelineStats; batches != nil {
		n.batches.add((*redis.PoolStats)(batches), max(p.Options().PipelinePoolSize, 0))
		n.batches.PipelineUse = n.batches.InUse
	}
	return n
}

func (p *poolPair) sum(o poolPair) {
	p.commands.sum(o.commands)
	p.batches.sum(o.batches)
}

func (p poolPair) total() PoolNumbers {
	p.commands.sum(p.batches)
	return p.commands
}

// counters are the numbers that only ever grow.
func (p poolPair) counters() poolPair { return poolPair{p.commands.counters(), p.batches.counters()} }

func (n PoolNumbers) counters() PoolNumbers {
	n.Size, n.Total, n.Idle, n.InUse, n.Waiting, n.PipelineUse = 0, 0, 0, 0, 0, 0
	return n
}

func (n *PoolNumbers) add(s *redis.PoolStats, size int) {
	n.sum(PoolNumbers{
		Size: size, Total: int(s.TotalConns), Idle: int(s.IdleConns),
		InUse: inUse(s), Waiting: int(s.PendingRequests),
		Hits: uint64(s.Hits), Misses: uint64(s.Misses),
		Waits: uint64(s.WaitCount), WaitTime: time.Duration(s.WaitDurationNs),
		Timeouts: uint64(s.Timeouts), Stale: uint64(s.StaleConns), Unusable: uint64(s.Unusable),
	})
}

func (n *PoolNumbers) sum(o PoolNumbers) {
	n.Size += o.Size
	n.Total += o.Total
	n.Idle += o.Idle
	n.InUse += o.InUse
	n.Waiting += o.Waiting
	n.Hits += o.Hits
	n.Misses += o.Misses
	n.Waits += o.Waits
	n.WaitTime += o.WaitTime
	n.Timeouts += o.Timeouts
	n.Stale += o.Stale
	n.Unusable += o.Unusable
	n.PipelineUse += o.PipelineUse
}

// GetPoolStats gives [Manager.PoolStats] by name, summed over nodes and pools:
//
//	mode              string: standalone, sentinel or cluster
//	nodes             int: nodes with a pool
//	pool_size         int: most connections allowed
//	total_conns, idle_conns, in_use_conns   int: connections now
//	waiting_calls     int: calls waiting for a connection now
//	hits, misses, waits, timeouts, stale_conns, unusable_conns   uint64: since the configuration came into use
//	wait_seconds      float64: time waited in all
//	leases            int: leases not yet released
//	pool_resizes      uint64: changes of pool sizes by the autoscaler since the configuration came into use
func (m *Manager) GetPoolStats() map[string]interface{} {
	s := m.PoolStats()
	t := s.Total
	resizes := uint64(0)
	for _, node := range s.Nodes {
		resizes += node.Resizes
	}
	return map[string]interface{}{
		"mode": string(s.Mode), "nodes": len(s.Nodes), "pool_size": t.Size,
		"total_conns": t.Total, "idle_conns": t.Idle, "in_use_conns": t.InUse, "waiting_calls": t.Waiting,
		"hits": t.Hits, "misses": t.Misses, "waits": t.Waits, "timeouts": t.Timeouts,
		"stale_conns": t.Stale, "unusable_conns": t.Unusable,
		"wait_seconds": t.WaitTime.Seconds(), "leases": s.Leases,
		"pool_resizes": resizes,
	}
}
