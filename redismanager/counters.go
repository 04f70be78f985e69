package redismanager

import "sync/atomic"

// Counters count what a manager did in the background since it was made.
type Counters struct {
	TopologyRefreshes       uint64 `json:"topology_refreshes"`        // views of the topology that were learnt
	TopologyRefreshFailures uint64 `json:"topology_refresh_failures"` // times no node gave one
	ScriptRepairs           uint64 `json:"script_repairs"`            // scripts that the health checker loaded on nodes that lacked them
}

// counters are those of a manager.
type counters struct {
	refreshes, refreshFailures, scriptRepairs atomic.Uint64
}

// Counters gives the numbers at this moment. It does no I/O.
func (m *Manager) Counters() Counters {
	return Counters{
		TopologyRefreshes:       m.counters.refreshes.Load(),
		TopologyRefreshFailures: m.counters.refreshFailures.Load(),
		ScriptRepairs:           m.counters.scriptRepairs.Load(),
	}
}
