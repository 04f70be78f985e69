package redismanager

// Counters count what a manager did by itself since it was made.
type Counters struct {
	TopologyRefreshes       uint64 `json:"topology_refreshes"`        // times the topology was read
	TopologyRefreshFailures uint64 `json:"topology_refresh_failures"` // times that failed
}

// Counters gives the manager's own counters. It does no I/O.
func (m *Manager) Counters() Counters { return Counters{} }

// Health gives the last result of the health checker. It does no I/O.
func (m *Manager) Health() HealthStatus { return HealthStatus{State: HealthUnknown} }
