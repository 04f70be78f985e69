package redismanager

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errNoMaster: there is no master for the call at the moment.
var errNoMaster = errors.New("no master")

const (
	// refreshInterval is how old the known topology may get without errors.
	refreshInterval = 2 * time.Second
	// sentinelInterval is the same behind sentinels: after a planned failover the
	// old master takes writes for seconds that will be lost, without any error.
	sentinelInterval = 250 * time.Millisecond
	// refreshPause is the least time between two refreshes that errors ask for.
	refreshPause = 100 * time.Millisecond
	// refreshTimeout bounds one refresh, so that a node that hangs does not hold
	// up the next one, which asks others.
	refreshTimeout = time.Second
)

// refresher keeps a generation's topology fresh: from time to time, and soon
// after an error that a newer view may cure.
type refresher struct {
	source   discovery
	set      *nodeSet
	changed  func(Event)
	counters *counters

	current atomic.Pointer[topology]
	wanted  chan struct{} // holds one token while a refresh is asked for

	life    context.Context // ends with close
	end     context.CancelFunc
	mu      sync.Mutex // a close comes before the start, or after it has been counted
	running sync.WaitGroup
}

func newRefresher(source discovery, set *nodeSet, changed func(Event), counters *counters) *refresher {
	r := &refresher{source: source, set: set, changed: changed, counters: counters, wanted: make(chan struct{}, 1)}
	r.life, r.end = context.WithCancel(context.Background())
	return r
}

// start makes the first view and, if it can change, begins to refresh it.
func (r *refresher) start(ctx context.Context) error {
	if !r.begin() {
		return r.life.Err()
	}
	defer r.running.Done()
	l, err := r.source.discover(ctx)
	if err != nil {
		return asUnavailable(err)
	}
	r.current.Store(newTopology(l, r.set))
	if _, isFixed := r.source.(fixed); isFixed {
		return nil
	}
	r.running.Go(func() { r.loop(r.life) })
	return nil
}

// begin counts the start as running, unless the close came first.
func (r *refresher) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Err() != nil {
		return false
	}
	r.running.Add(1)
	return true
}

// asUnavailable gives an error without a class one.
func asUnavailable(err error) error {
	if Classify(err) == ClassOther {
		return wrap(ErrUnavailable, err, "who serves what could not be learnt")
	}
	return err
}

// want asks for a refresh soon. It does not wait for it.
func (r *refresher) want() {
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

func (r *refresher) interval() time.Duration {
	if _, behindSentinels := r.source.(*sentinelDiscovery); behindSentinels {
		return sentinelInterval
	}
	return refreshInterval
}

func (r *refresher) loop(ctx context.Context) {
	ticker := time.NewTicker(r.interval())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-r.wanted:
		}
		r.refresh(ctx)
		if !sleep(ctx, refreshPause) {
			return
		}
	}
}

// refresh replaces the view. A failure keeps it: the calls' own errors tell of
// the trouble.
func (r *refresher) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	l, err := r.source.discover(ctx)
	if err != nil {
		r.counters.refreshFailures.Add(1)
		return
	}
	r.counters.refreshes.Add(1)
	old := r.current.Load()
	next := newTopology(l, r.set)
	r.current.Store(next)
	r.set.keep(next.addrs)
	for _, e := range next.changes(old) {
		r.changed(e)
	}
}

// close ends the refreshing. The view stays.
func (r *refresher) close() error {
	r.mu.Lock()
	r.end()
	r.mu.Unlock()
	err := r.source.close()
	r.running.Wait()
	r.source.wait()
	return err
}
