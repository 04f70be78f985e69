package redismanager

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// highMark keeps the highest of several numbers.
type highMark struct{ atomic.Int64 }

func (h *highMark) raise(n int64) {
	for {
		highest := h.Load()
		if n <= highest || h.CompareAndSwap(highest, n) {
			return
		}
	}
}

// scaling is what the autoscaler decided about one node, for statistics.
type scaling struct {
	mu      sync.Mutex
	resizes uint64
	last    string
	at      time.Time
}

// note keeps a decision. A size that stays the same was not changed.
func (s *scaling) note(e Event, dryRun bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.at = fmt.Sprintf("%s to %s: %s", e.From, e.To, e.Reason), time.Now()
	if e.Err != nil {
		s.last += ": " + e.Err.Error()
	} else if !dryRun {
		s.resizes++
	}
}

// scaled gives the part of the statistics that is the autoscaler's.
func (n *node) scaled() PoolScaling {
	n.scaling.mu.Lock()
	defer n.scaling.mu.Unlock()
	cfg := n.set.cfg
	return PoolScaling{
		CommandSize: n.size(), Min: cfg.PoolMin, Max: cfg.PoolMax,
		Resizes: n.scaling.resizes, LastDecision: n.scaling.last, LastDecisionAt: n.scaling.at,
	}
}

// startSize is the size that the pool of the node at addr begins with.
func (s *nodeSet) startSize(addr string) int {
	if size, known := s.sizes[addr]; known {
		return size
	}
	return s.cfg.startSize()
}

// scaledSizes gives the sizes by address for a configuration that follows, so
// that a new password under load does not begin with a pool that is too small.
// With other sizes in the configuration it is a new beginning.
func (s *nodeSet) scaledSizes(next RedisConfig) map[string]int {
	if next.PoolMax == 0 || next.PoolMin != s.cfg.PoolMin || next.PoolMax != s.cfg.PoolMax || next.PoolSize != s.cfg.PoolSize {
		return nil
	}
	sizes := map[string]int{}
	for _, n := range s.snapshot() {
		if p := n.current.Load(); !p.small {
			sizes[n.addr] = p.size
		}
	}
	return sizes
}
