package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/statelink/statelink/redismanager"
)

// health reads the last result of the health checker at a scrape.
type health struct {
	from     source
	overall  *prometheus.Desc
	checked  *prometheus.Desc
	duration *prometheus.Desc
	slots    *prometheus.Desc

	node     *prometheus.Desc
	latency  *prometheus.Desc
	lag      *prometheus.Desc
	replicas *prometheus.Desc
	missing  *prometheus.Desc
}

// states are all values of the label state.
var states = []string{
	string(redismanager.Healthy), string(redismanager.Degraded), string(redismanager.Down), string(redismanager.HealthUnknown),
}

func newHealth(from source) *health {
	return &health{
		from:     from,
		overall:  desc("redis_health", "1 for the state of health that the whole deployment is in, 0 for the others.", "state"),
		checked:  desc("redis_health_check_timestamp_seconds", "End of the last health check, as Unix time."),
		duration: desc("redis_health_check_duration_seconds", "How long the last health check took."),
		slots:    desc("redis_slots_served", "Cluster: how many of the 16384 slots have a master that is not down."),
		node:     desc("redis_node_health", "1 for the state of health that the node is in, 0 for the others.", "node", "role", "state"),
		latency:  desc("redis_node_latency_seconds", "Time of the node's answer at the last health check.", "node"),
		lag:      desc("redis_replication_lag_bytes", "Replica: bytes that it is behind its master.", "node"),
		replicas: desc("redis_connected_replicas", "Master: replicas connected to it.", "node"),
		missing:  desc("redis_missing_scripts", "Master: registered scripts that it lacked at the last check, before their repair.", "node"),
	}
}

// Describe lists the metrics of health.
func (h *health) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{h.overall, h.checked, h.duration, h.slots, h.node, h.latency, h.lag, h.replicas, h.missing} {
		ch <- d
	}
}

// Collect sends the last result. Before the first check there is only a state,
// unknown: a zero would look like a number.
func (h *health) Collect(ch chan<- prometheus.Metric) {
	status := h.from.Health()
	oneHot(ch, h.overall, known(status.State), states)
	if status.CheckedAt.IsZero() {
		return
	}
	gauge(ch, h.checked, float64(status.CheckedAt.UnixMilli())/1000)
	gauge(ch, h.duration, seconds(status.Duration))
	if h.from.PoolStats().Mode == redismanager.ModeCluster {
		gauge(ch, h.slots, float64(status.SlotsServed))
	}
	seen := map[string]bool{}
	for _, n := range status.Nodes {
		if !seen[n.Addr] { // a series that is sent twice would fail the whole scrape
			seen[n.Addr] = true
			h.collectNode(ch, n)
		}
	}
}

func (h *health) collectNode(ch chan<- prometheus.Metric, n redismanager.NodeHealth) {
	oneHot(ch, h.node, known(n.State), states, n.Addr, role(n.Role))
	if n.State == redismanager.Down {
		return // its other numbers are of an earlier time
	}
	gauge(ch, h.latency, seconds(n.Latency), n.Addr)
	switch n.Role {
	case "replica":
		if n.LagBytes >= 0 {
			gauge(ch, h.lag, float64(n.LagBytes), n.Addr)
		}
	case "master":
		gauge(ch, h.replicas, float64(n.Replicas), n.Addr)
		gauge(ch, h.missing, float64(n.MissingScripts), n.Addr)
	}
}

// known takes a state that is none of the known ones for unknown.
func known(s redismanager.HealthState) string {
	switch s {
	case redismanager.Healthy, redismanager.Degraded, redismanager.Down:
		return string(s)
	default:
		return string(redismanager.HealthUnknown)
	}
}

func role(r string) string {
	if r == "" {
		return "unknown"
	}
	return r
}

// seconds turns thousandths, in which JSON shows them, into the base unit.
func seconds(d redismanager.Millis) float64 { return float64(d) / 1e9 }
