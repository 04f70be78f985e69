package redismanager

import (
	"strconv"
	"time"
)

// HealthState is how well a node, or the whole deployment, serves.
type HealthState string

// The states of health.
const (
	HealthUnknown HealthState = "unknown"  // not checked yet
	Healthy       HealthState = "healthy"  // all checks pass
	Degraded      HealthState = "degraded" // it serves, but something is amiss
	Down          HealthState = "down"     // it does not serve
)

// HealthStatus is the last result of the health checker. See [Manager.Health].
type HealthStatus struct {
	State     HealthState  `json:"state"`
	Reason    string       `json:"reason,omitempty"` // why it is not healthy
	CheckedAt time.Time    `json:"checked_at"`       // end of the last check, zero before the first
	Duration  Millis       `json:"duration_ms"`      // how long the last check took
	Nodes     []NodeHealth `json:"nodes"`            // by address
	// SlotsServed is how many of the 16,384 Cluster slots have a master that is
	// not down; 0 outside a Cluster.
	SlotsServed int `json:"slots_served"`
	// LostData is when a master was last found without the data that it had, and
	// Losses how often: every link on it is gone. See [EventRestartedEmpty].
	LostData time.Time `json:"lost_data,omitzero"`
	Losses   int       `json:"losses"`
}

// NodeHealth is the last result of one node's check.
type NodeHealth struct {
	Addr           string      `json:"addr"`
	Role           string      `json:"role"` // master or replica
	State          HealthState `json:"state"`
	Reason         string      `json:"reason,omitempty"`
	Since          time.Time   `json:"since"` // when it came into that state
	Latency        Millis      `json:"latency_ms"`
	LagBytes       int64       `json:"lag_bytes"`       // replica: bytes behind its master; -1 if not known
	Replicas       int         `json:"replicas"`        // master: replicas connected
	MissingScripts int         `json:"missing_scripts"` // master: registered scripts that it lacked at the check, before their repair
	RunID          string      `json:"run_id,omitempty"`
	LostData       time.Time   `json:"lost_data,omitzero"` // when it was last found without the data that it had

	hasLeft bool // it is no longer part of the topology
}

// Millis is a duration that JSON shows as a number of milliseconds.
type Millis time.Duration

// MarshalJSON encodes milliseconds with three decimals.
func (d Millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(d)/float64(time.Millisecond), 'f', 3, 64), nil
}
