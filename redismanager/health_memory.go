package redismanager

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// leftFor is how long a node that has left the topology stays listed as down: a
// Cluster leaves a dead replica out as if it had never been there.
const leftFor = 5 * time.Minute

// healthMemory is what the checks know of earlier ones. Only the running check
// touches it.
type healthMemory struct {
	deployment string // what it is about
	of         *generation
	probes     *probeClients
	nodes      map[string]*nodeRecord
	markers    markers
	coverage   trend // of the slots
	lostData   time.Time
	losses     int
}

// nodeRecord is what is known of one node.
type nodeRecord struct {
	health NodeHealth
	of     string // its master's address
	trend  trend
	left   time.Time // when it left the topology, zero if it did not
	keys   int64
}

// turnTo begins to check another generation. What is known of the deployment
// stays if it is the same one.
func (y *healthMemory) turnTo(g *generation) {
	if y.of == g && y.probes.isOpen() {
		return
	}
	y.probes.close()
	y.of, y.probes = g, newProbeClients(g)
	if name := deploymentOf(g.cfg); name != y.deployment {
		*y = healthMemory{of: g, probes: y.probes, deployment: name}
	}
	if y.nodes == nil {
		y.nodes = map[string]*nodeRecord{}
	}
}

// deploymentOf tells deployments apart: another address or database is another
// one until the opposite is known.
func deploymentOf(cfg RedisConfig) string {
	return strings.Join([]string{string(cfg.Mode), cfg.MasterName, strconv.Itoa(cfg.DB), strings.Join(cfg.seeds(), ",")}, " ")
}

// forgetStates begins a new run: the states of the last one are too old.
func (y *healthMemory) forgetStates() {
	y.coverage = trend{}
	for addr, r := range y.nodes {
		if !r.left.IsZero() {
			delete(y.nodes, addr)
		}
		r.trend, r.health.State, r.health.Reason = trend{}, HealthUnknown, ""
	}
}

// record gives what is known of a target.
func (y *healthMemory) record(t target) *nodeRecord {
	r := y.nodes[t.addr]
	if r == nil {
		r = &nodeRecord{health: NodeHealth{Addr: t.addr, State: HealthUnknown}}
		y.nodes[t.addr] = r
	}
	r.of, r.left, r.health.hasLeft = t.of, time.Time{}, false
	r.health.Role = "replica"
	if t.isMaster() {
		r.health.Role = roleMaster
	}
	return r
}

// expected is how many replicas a master should have: those that the topology
// names, and those that have left it not long ago.
func (y *healthMemory) expected(master string) int {
	n := 0
	for _, r := range y.nodes {
		if r.of == master {
			n++
		}
	}
	return n
}

// list gives the nodes by address.
func (y *healthMemory) list() []NodeHealth {
	nodes := make([]NodeHealth, 0, len(y.nodes))
	for _, addr := range slices.Sorted(maps.Keys(y.nodes)) {
		nodes = append(nodes, y.nodes[addr].health)
	}
	return nodes
}

// settle takes a new opinion of the node, and reports whether its state changed.
func (r *nodeRecord) settle(seen opinion, p HealthPolicy, now time.Time) (from HealthState, changed bool) {
	from = r.health.State
	return from, r.turn(r.trend.observe(seen.state, p), seen, now)
}

// leave notes that the node is no longer part of the deployment.
func (r *nodeRecord) leave(now time.Time) (from HealthState, changed bool) {
	from = r.health.State
	r.left, r.health.hasLeft = now, true
	r.trend.fall()
	return from, r.turn(Down, opinion{Down, "it left the topology"}, now)
}

func (r *nodeRecord) turn(state HealthState, seen opinion, now time.Time) (changed bool) {
	h := &r.health
	changed = h.State != state
	if changed {
		h.State, h.Since, h.Reason = state, now, ""
	}
	if seen.state == state {
		h.Reason = seen.reason
	}
	if h.Reason == "" && state != Healthy {
		h.Reason = "it is recovering"
	}
	return changed
}
