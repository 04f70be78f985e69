package redismanager

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultHealthInterval = 2 * time.Second
	minHealthInterval     = 100 * time.Millisecond
	maxHealthInterval     = 5 * time.Minute
)

// HealthChecker checks all nodes of a manager's deployment from time to time
// while it is started. It has connections of its own, one or two per node, so
// that a pool that is full does not look like a server that is down.
type HealthChecker struct {
	m      *Manager
	policy HealthPolicy

	last     atomic.Pointer[HealthStatus]
	interval atomic.Int64 // in nanoseconds, 0 while it does not run
	watchers watchers

	control  sync.Mutex // guards start and stop
	stop     context.CancelFunc
	ended    chan struct{} // closed when the run has ended
	isClosed bool
	newPace  chan struct{} // holds one token after a change of the interval

	rights permissions
	memory healthMemory // of the running loop; it outlives a stop
}

func newHealthChecker(m *Manager) *HealthChecker {
	h := &HealthChecker{m: m, policy: HealthPolicy{}.withDefaults(), newPace: make(chan struct{}, 1)}
	h.last.Store(unknownHealth())
	return h
}

func unknownHealth() *HealthStatus { return &HealthStatus{State: HealthUnknown, Nodes: []NodeHealth{}} }

// StartHealthCheck begins to check all nodes, masters and replicas, every
// interval: 0 means 2 s, anything else is kept within 100 ms and 5 min. If it
// runs already, only the interval changes. It ends with [Manager.StopHealthCheck]
// or Close.
//
// Every check runs a script on each node: on a master one that may write, so
// that a server that refuses writes fails it. A registered script that a master
// lacks is loaded there.
func (m *Manager) StartHealthCheck(interval time.Duration) { m.health.StartHealthCheck(interval) }

// StopHealthCheck ends the checks and waits for the end of one that runs. The
// state is unknown from then on. It may be called more than once, but not from
// within an [Observer].
func (m *Manager) StopHealthCheck() { m.health.StopHealthCheck() }

// Health gives the last result of the health checker. It does no I/O and takes
// no lock; what it returns must not be changed. While the checker does not run
// the state is unknown.
func (m *Manager) Health() HealthStatus { return m.health.Health() }

// HealthChecker gives the manager's checker, for code that needs nothing else of
// the manager.
func (m *Manager) HealthChecker() *HealthChecker { return m.health }

// Health is [Manager.Health].
func (h *HealthChecker) Health() HealthStatus { return *h.last.Load() }

// StartHealthCheck is [Manager.StartHealthCheck].
func (h *HealthChecker) StartHealthCheck(interval time.Duration) {
	h.control.Lock()
	defer h.control.Unlock()
	if h.isClosed {
		return
	}
	h.interval.Store(int64(healthInterval(interval)))
	if h.stop != nil {
		select {
		case h.newPace <- struct{}{}:
		default:
		}
		return
	}
	ctx, stop := context.WithCancel(h.m.life)
	h.stop, h.ended = stop, make(chan struct{})
	go func() {
		defer close(h.ended)
		h.run(ctx)
	}()
}

// healthInterval keeps an interval within its bounds.
func healthInterval(d time.Duration) time.Duration {
	if d <= 0 {
		return defaultHealthInterval
	}
	return min(max(d, minHealthInterval), maxHealthInterval)
}

// StopHealthCheck is [Manager.StopHealthCheck].
func (h *HealthChecker) StopHealthCheck() {
	h.control.Lock()
	defer h.control.Unlock()
	if h.stop == nil {
		return
	}
	h.stop()
	<-h.ended
	h.stop = nil
}

// close ends the checks and the subscriptions for good.
func (h *HealthChecker) close() {
	h.control.Lock()
	h.isClosed = true
	h.control.Unlock()
	h.StopHealthCheck()
	h.watchers.close()
}

// run checks until ctx ends. A check that takes longer than the interval delays
// the next one.
func (h *HealthChecker) run(ctx context.Context) {
	h.memory.forgetStates()
	defer h.end()
	ticker := time.NewTicker(h.pace())
	defer ticker.Stop()
	for {
		h.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-h.newPace:
			ticker.Reset(h.pace())
		case <-ticker.C:
		}
	}
}

// end leaves a state that claims nothing.
func (h *HealthChecker) end() {
	h.memory.probes.close()
	h.interval.Store(0)
	h.last.Store(unknownHealth())
	h.watchers.tell(h.Health())
}

func (h *HealthChecker) pace() time.Duration { return time.Duration(h.interval.Load()) }

// roundTimeout bounds one check of all nodes.
func roundTimeout(interval time.Duration) time.Duration {
	return min(max(interval, time.Second), 3*time.Second)
}

// staleAfter is how old a result may get: three intervals, and time enough for
// two checks of which each waits for a node that hangs.
func staleAfter(interval time.Duration) time.Duration {
	return max(3*interval, interval+2*roundTimeout(interval))
}
