package redismanager

import "sync/atomic"

// Counters count what a manager did in the background since it was made.
type Counters struct {
	TopologyRefreshes       uint64 `json:"topology_refreshes"`        // views of the topology that were learnt
	TopologyRefreshFailures uint64 `json:"topology_refresh_failures"` // times no node gave one
}

// counters are those of a manager.
type counters struct {
	refreshes, refreshFailures atomic.Uint64
}

// Counters gives the numbers at this moment. It does no I/O.
func (m *Manager) Counters() Counters {
	return Counters{
		TopologyRefreshes:       m.counters.refreshes.Load(),
		TopologyRefreshFailures: m.counters.refreshFailures.Load(),
	}
}

// Health gives the last result of the health checker. It does no I/O.
func (m *Manager) Health() HealthStatus { return HealthStatus{State: HealthUnknown} }
