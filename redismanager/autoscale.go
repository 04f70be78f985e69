package redismanager

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// autoscaler changes the sizes of a generation's pools between pool_min and
// pool_max, each node by its own numbers.
type autoscaler struct {
	set     *nodeSet
	rules   scaleRules
	changed func(Event)

	life    context.Context // ends with close
	end     context.CancelFunc
	mu      sync.Mutex // a close comes before the loop begins, or after
	running sync.WaitGroup
}

func newAutoscaler(set *nodeSet, changed func(Event)) *autoscaler {
	a := &autoscaler{set: set, changed: changed, rules: scaleRules{
		min: set.cfg.PoolMin, max: set.cfg.PoolMax, interval: set.cfg.PoolScaleInterval,
	}}
	a.life, a.end = context.WithCancel(context.Background())
	return a
}

// start begins to watch the pools, if they may change.
func (a *autoscaler) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rules.max > 0 && a.life.Err() == nil {
		a.running.Go(a.loop)
	}
}

// close ends the watching and gives up a change that is being prepared.
func (a *autoscaler) close() {
	a.mu.Lock()
	a.end()
	a.mu.Unlock()
	a.running.Wait()
}

// samplePeriod is how often the pools are looked at.
func (r scaleRules) samplePeriod() time.Duration { return max(100*time.Millisecond, r.interval/5) }

func (a *autoscaler) loop() {
	ticker := time.NewTicker(a.rules.samplePeriod())
	defer ticker.Stop()
	watched := map[*node]*watchedPool{}
	for {
		select {
		case <-a.life.Done():
			return
		case <-ticker.C:
		}
		watched = a.watch(watched)
		for _, w := range watched {
			a.step(w, time.Now())
		}
	}
}

// watch gives the pools that calls use, those of before with their history.
func (a *autoscaler) watch(before map[*node]*watchedPool) map[*node]*watchedPool {
	now := map[*node]*watchedPool{}
	for _, n := range a.set.snapshot() {
		if n.current.Load().small {
			continue // a replica: it is checked, not called
		}
		if now[n] = before[n]; now[n] == nil {
			now[n] = &watchedPool{node: n}
		}
	}
	return now
}

// step looks at one pool and carries a decision out beside the others.
func (a *autoscaler) step(w *watchedPool, at time.Time) {
	if w.changing.Load() || !w.sample(at) {
		return
	}
	w.history = a.rules.keep(w.history, w.memory)
	d := a.rules.decide(w.history, w.memory)
	if d.to == d.from {
		return
	}
	w.changing.Store(true)
	a.running.Go(func() {
		defer w.changing.Store(false)
		a.carryOut(w, d)
	})
}

// carryOut resizes the pool, or with pool_dry_run only says so.
func (a *autoscaler) carryOut(w *watchedPool, d decision) {
	begun := time.Now()
	e := Event{Kind: EventPoolResized, Node: w.node.addr, From: strconv.Itoa(d.from), To: strconv.Itoa(d.to), Reason: d.reason}
	if a.set.cfg.PoolDryRun {
		e.Reason += " (dry run)"
	} else if opened, err := w.node.resizeWarm(a.life, d.to, d.open); err != nil {
		e.Reason = fmt.Sprintf("not changed to %d, the new connections could not be opened: %s", d.to, d.reason)
		e.To, e.Err, d.to = e.From, err, d.from
	} else {
		e.Reason += fmt.Sprintf("; %d connections opened in %v", opened, time.Since(begun).Round(time.Millisecond))
	}
	if a.life.Err() != nil || w.node.gone.Err() != nil {
		return // nothing was decided for those who come after
	}
	w.memory = a.rules.after(w.memory, d, time.Now())
	if !a.set.cfg.PoolDryRun {
		w.history = nil
	}
	w.node.scaling.note(e, a.set.cfg.PoolDryRun)
	a.changed(e)
}

// watchedPool is the pool of one node as the autoscaler sees it. While it is
// changing it belongs to the change.
type watchedPool struct {
	node     *node
	changing atomic.Bool
	memory   scaleMemory
	history  []poolSample // since the last change
	last     reading
}

// reading are the counters of a client at one moment.
type reading struct {
	of       *pooled
	at       time.Time
	waits    uint32 // go-redis lets them overflow
	waited   int64
	timeouts uint32
}

// sample adds to the history what happened since the last time. The first look
// at a client gives no sample.
func (w *watchedPool) sample(at time.Time) bool {
	p := w.node.current.Load()
	stats := p.PoolStats() // its own fields are the pool for single commands
	before, peak := w.last, int(w.node.peak.Swap(0))
	w.last = reading{of: p, at: at, waits: stats.WaitCount, waited: stats.WaitDurationNs, timeouts: stats.Timeouts}
	if before.of != p {
		w.history = nil
		return false
	}
	w.history = append(w.history, poolSample{
		at: at, took: at.Sub(before.at), size: p.size,
		waits: uint64(stats.WaitCount - before.waits), waited: time.Duration(stats.WaitDurationNs - before.waited),
		timeouts: uint64(stats.Timeouts - before.timeouts),
		waiting:  int(stats.PendingRequests), inUse: inUse(stats), idle: int(stats.IdleConns), peak: peak,
	})
	return true
}
