package redismanager

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// round checks all nodes once. What it finds counts only if neither the run nor
// the configuration has ended meanwhile.
func (h *HealthChecker) round(ctx context.Context) {
	g, err := h.m.acquire()
	if err != nil {
		return
	}
	defer g.release()
	y := &h.memory
	y.turnTo(g)
	defer context.AfterFunc(ctx, y.probes.close)() // a read would not notice the end
	start, t := time.Now(), g.topology()
	marks := y.markers.assign(t, h.policy.MarkerPrefix)
	findings := h.ask(ctx, g, t, marks)
	if ctx.Err() != nil || h.m.current.Load() != g {
		return
	}
	v := &verdict{h: h, y: y, g: g, t: t, now: time.Now()}
	v.weigh(findings, marks)
	v.removeAbsent()
	v.publish(start)
}

// ask checks all nodes of a topology at the same time.
func (h *HealthChecker) ask(ctx context.Context, g *generation, t *topology, marks map[string]*marker) []finding {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout(h.pace()))
	defer cancel()
	targets := t.targets(marks)
	findings := make([]finding, len(targets))
	var probes sync.WaitGroup
	for i, target := range targets {
		probes.Go(func() { findings[i] = h.probe(ctx, g, target) })
	}
	probes.Wait()
	h.memory.probes.keep(t.addrs)
	return findings
}

// targets are the masters, then the replicas.
func (t *topology) targets(marks map[string]*marker) []target {
	list := make([]target, 0, len(t.addrs))
	for _, n := range t.master {
		list = append(list, target{addr: n.addr, marker: marks[n.addr].key})
	}
	for _, n := range t.copies {
		list = append(list, target{addr: n.addr, of: n.of})
	}
	return list
}

// verdict draws the conclusions of one round.
type verdict struct {
	h       *HealthChecker
	y       *healthMemory
	g       *generation
	t       *topology
	now     time.Time
	changed bool // somebody should hear of it
}

// weigh takes what the nodes answered.
func (v *verdict) weigh(findings []finding, marks map[string]*marker) {
	infos := map[string]nodeInfo{}
	records := make([]*nodeRecord, len(findings))
	for i := range findings {
		infos[findings[i].addr] = findings[i].info
		_, isKnown := v.y.nodes[findings[i].addr]
		v.changed = v.changed || !isKnown
		records[i] = v.y.record(findings[i].target)
	}
	for i, r := range records {
		f := &findings[i]
		lag := int64(-1)
		if f.isMaster() {
			v.lookForLoss(f, r, marks[f.addr])
			v.tellRepair(f)
		} else {
			lag = lagOf(f.addr, f.info, infos[f.of])
		}
		r.take(f, lag)
		from, changed := r.settle(v.h.policy.judge(f, lag, v.y.expected(f.addr)), v.h.policy, v.now)
		v.tellChange(r.health.Addr, from, r.health.State, r.health.Reason, changed)
		if f.isTopologyFault() {
			v.g.view.want()
		}
	}
}

// take copies the numbers of a finding. A node that did not answer keeps those
// that it gave last.
func (r *nodeRecord) take(f *finding, lag int64) {
	h := &r.health
	h.LagBytes = lag
	if f.err != nil {
		return
	}
	h.Latency, h.MissingScripts, h.Replicas = Millis(f.latency), f.missing, f.info.replicas
	if f.info.known {
		h.RunID, r.keys = f.info.runID, f.info.keys
	}
}

// lookForLoss compares a master with what it was, before that is overwritten.
func (v *verdict) lookForLoss(f *finding, r *nodeRecord, k *marker) {
	if f.err != nil {
		return
	}
	isRestarted := r.health.RunID != "" && f.info.known && f.info.runID != r.health.RunID
	how := k.compare(f, isRestarted)
	if !f.mark.isKnown && isRestarted && r.keys > 0 && f.info.keys == 0 {
		how = fmt.Sprintf("it restarted without its data: of %d keys none is left", r.keys)
	}
	if how == "" {
		return
	}
	v.changed = true
	v.y.lostData, v.y.losses, r.health.LostData = v.now, v.y.losses+1, v.now
	v.h.m.emit(Event{Kind: EventRestartedEmpty, Node: f.addr, Reason: how})
}

func (v *verdict) tellRepair(f *finding) {
	if len(f.loaded) == 0 {
		return
	}
	v.h.m.counters.scriptRepairs.Add(uint64(len(f.loaded)))
	e := Event{Kind: EventScriptRepaired, Node: f.addr, Reason: fmt.Sprintf("it lacked %d scripts: %s", len(f.loaded), strings.Join(f.loaded, ", "))}
	if len(f.loaded) == 1 {
		e.Script = f.loaded[0]
	}
	v.h.m.emit(e)
}

// tellChange emits a change of state, unless it only says that all is well at
// the first look.
func (v *verdict) tellChange(addr string, from, to HealthState, reason string, changed bool) {
	if !changed {
		return
	}
	v.changed = true
	if from == HealthUnknown && to == Healthy {
		return
	}
	v.h.m.emit(Event{Kind: EventHealthChanged, Node: addr, From: string(from), To: string(to), Reason: reason})
}

// removeAbsent marks the nodes that have left the topology, and drops those that
// left it long ago.
func (v *verdict) removeAbsent() {
	for addr, r := range v.y.nodes {
		switch {
		case v.t.addrs[addr]:
		case r.left.IsZero():
			from, changed := r.leave(v.now)
			v.changed = true
			v.tellChange(addr, from, Down, r.health.Reason, changed)
		case v.now.Sub(r.left) > leftFor:
			delete(v.y.nodes, addr)
			v.changed = true
		}
	}
}

// publish makes the status of all that is known now.
func (v *verdict) publish(start time.Time) {
	y, p := v.y, v.h.policy
	s := &HealthStatus{
		CheckedAt: v.now, Duration: Millis(v.now.Sub(start)), Nodes: y.list(),
		SlotsServed: v.slotsServed(), LostData: y.lostData, Losses: y.losses,
	}
	uncovered := v.uncovered()
	if y.coverage.observe(coverageState(uncovered), p) != Down {
		uncovered = 0
	}
	o := overall(s, v.g.cfg.Mode, uncovered)
	s.State, s.Reason = o.state, o.reason
	last := v.h.last.Swap(s)
	v.tellChange("", last.State, s.State, s.Reason, last.State != s.State)
	if v.changed {
		v.h.watchers.tell(*s)
	}
}

// uncovered is how many slots have no master.
func (v *verdict) uncovered() int {
	if v.t.slots == nil {
		return 0
	}
	return slotCount - v.t.served()
}

func coverageState(uncovered int) HealthState {
	if uncovered > 0 {
		return Down
	}
	return Healthy
}

// slotsServed is how many slots have a master that is not down.
func (v *verdict) slotsServed() int {
	n := 0
	for _, owner := range v.t.slots {
		if owner != nil && v.y.nodes[owner.addr].health.State != Down {
			n++
		}
	}
	return n
}
