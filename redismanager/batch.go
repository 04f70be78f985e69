package redismanager

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Batch runs scripts and native commands that may belong to any slot, in
// pipelines grouped by node. Each item has its own result, in the same order.
// The error says that the batch as a whole was refused and nothing was sent: an
// item that cannot be sent ([ErrInvalidArgument], [ErrScriptUnknown],
// [ErrCrossSlot], each naming the item), too many or too large items
// ([MaxBatchItems], [MaxBatchBytes]), [ErrClosed], a context that had ended.
//
// A batch is no transaction: see [Manager.Tx]. Each item keeps the rule of a
// single call: it is sent once. If its reply is lost its error is
// [ErrOutcomeUnknown], unless it only reads or is an idempotent script. Items
// that surely were not applied because Redis is away are sent again until the
// deadline; an item that met NOSCRIPT, MOVED, ASK or TRYAGAIN did not run and is
// sent again, alone. After a lost reply or an outage nothing is sent again that
// would then run after a later write of its slot that ran or may have run: the
// item has its error, for example [ErrReadOnly] if a failover ended in between.
//
// Items of one slot are sent in their order over one connection, and run in that
// order. Only an item that its node did not run can run after later ones that it
// did: of a script removed from the node (SCRIPT FLUSH) at that very moment, or
// that the node lacks and the user may not load, and of several keys while their
// slot moves between nodes. read_timeout bounds each pipeline of 1,000 items.
// Replicas are not waited for: see [Manager.Run].
func (m *Manager) Batch(ctx context.Context, items []BatchItem) ([]BatchResult, error) {
	if err := m.ready(ctx); err != nil {
		return nil, err
	}
	jobs, err := m.newJobs(items, MaxBatchItems)
	if err != nil {
		return nil, err
	}
	results := make([]BatchResult, len(jobs))
	if len(jobs) > 0 {
		m.deliver(ctx, CallInfo{Name: "batch"}, jobs, results)
	}
	return results, nil
}

// ready refuses a call that cannot begin.
func (m *Manager) ready(ctx context.Context) error {
	if m.isClosed.Load() {
		return ErrClosed
	}
	if err := endOf(ctx); err != nil {
		return explainConnection(attempt{err: err, ended: true})
	}
	return nil
}

// GetBatch reads the string values of many keys, which may belong to any slot:
// the commands are grouped by node and pipelined. The result has one element
// per key in the same order, nil for an absent key. A failure ends it: there is
// no partial result. A key of another type is [ErrWrongType].
func (m *Manager) GetBatch(ctx context.Context, keys []string) ([]any, error) {
	values := make([]any, len(keys))
	jobs := make([]job, len(keys))
	for i, key := range keys {
		jobs[i] = job{native: []any{"get", key}, key: key, slot: Slot(key), bytes: len(key), reads: true, repeatable: true}
	}
	results := make([]BatchResult, len(keys))
	if len(keys) > 0 {
		m.deliver(ctx, CallInfo{Name: "get_batch"}, jobs, results)
	}
	for i, r := range results {
		if errors.Is(r.Err, ErrWrongType) {
			return nil, fmt.Errorf("key %q: %w", keys[i], r.Err)
		}
		if r.Err != nil {
			return nil, r.Err
		}
		values[i] = r.Value
	}
	return values, nil
}

// deliver sends jobs in waves until each is answered, may have been applied, or
// the retries or the time are used up.
func (m *Manager) deliver(ctx context.Context, about CallInfo, jobs []job, results []BatchResult) {
	r := retrier{start: time.Now()}
	open := make([]*job, len(jobs))
	for i := range jobs {
		open[i] = &jobs[i]
	}
	for {
		var pause time.Duration
		open, pause = m.wave(ctx, &r, open)
		if len(open) == 0 || !sleep(ctx, pause) {
			break
		}
	}
	for i := range jobs {
		results[i] = jobs[i].result()
	}
	m.batchDone(ctx, about, &r, jobs, results)
}

// wave sends the open jobs once and gives those to send again after a pause.
func (m *Manager) wave(ctx context.Context, r *retrier, open []*job) (again []*job, pause time.Duration) {
	r.tries++
	g, err := m.acquire()
	if err != nil {
		for _, j := range open {
			j.last = attempt{err: err, refused: true}
		}
		return nil, 0
	}
	defer g.release()
	g.sendJobs(ctx, g.routable(open), func(j *job) bool { return r.look(ctx, g, j) >= 0 })
	quick := false
	for _, j := range open {
		if j.last.err == nil {
			continue
		}
		if isTopologyError(j.last) {
			g.view.want()
		}
		if p := r.look(ctx, g, j); p >= 0 {
			again, pause = append(again, j), max(pause, p)
			j.before = explain(j.last, true)
			quick = quick || !isOutage(j.last)
		}
	}
	if quick {
		r.quick++
	}
	return again, pause
}

// look is [retrier.pause] for one job, without counting it: a wave counts once.
func (r *retrier) look(ctx context.Context, g *generation, j *job) time.Duration {
	if j.overtaken {
		return -1
	}
	probe := *r
	return probe.pause(ctx, g.cfg, j.last, j.repeatable)
}

// routable gives the jobs that the deployment can run. The items were checked
// before, but a change of configuration may have made a Cluster of it.
func (g *generation) routable(jobs []*job) []*job {
	var list []*job
	for i, j := range jobs {
		var err error
		if j.script != nil {
			err = j.script.routable(g)
		}
		if err != nil && list == nil {
			list = append(make([]*job, 0, len(jobs)), jobs[:i]...)
		}
		if err != nil {
			j.last = attempt{err: err, refused: true}
		} else if list != nil {
			list = append(list, j)
		}
	}
	if list == nil {
		return jobs
	}
	return list
}

// batchDone tells the observers of the batch, which has no one node, and of the
// runs of its scripts.
func (m *Manager) batchDone(ctx context.Context, about CallInfo, r *retrier, jobs []job, results []BatchResult) {
	if len(m.events.list()) == 0 {
		return
	}
	about.Tries, about.Duration = r.tries, time.Since(r.start)
	for i := range jobs {
		j := &jobs[i]
		about.Repairs += j.lacking
		if about.Err == nil {
			about.Err = results[i].Err
		}
		if j.script != nil {
			m.callDone(ctx, j.about(about.Duration, r.tries, results[i]))
		}
	}
	m.callDone(ctx, about)
}
