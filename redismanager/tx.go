package redismanager

import (
	"context"
	"fmt"
	"time"
)

// Tx runs scripts and native commands of one slot as one transaction: MULTI,
// the items, EXEC. All run, one after the other, with nothing of others in
// between, or none does.
//
// Without an error each item has its result. Redis has no rollback: an item that
// fails while it runs (a wrong type, a script's own error) leaves what the
// others did, and its [BatchResult] says so. With an error nothing was applied,
// except that [ErrOutcomeUnknown] says that EXEC was sent and not answered. Where
// the server refused items before EXEC, the error names the first and the results
// hold the cause of each.
//
// In mode cluster all keys must be of one slot; else the error is
// [CrossSlotError], before anything is sent. Elsewhere any keys will do, and the
// program will not run on a Cluster. The bounds are [MaxTxItems] and
// [MaxBatchBytes]; other refusals are those of [Manager.Batch]. As long as it
// surely was not applied a transaction is sent again until the deadline: while
// Redis is away, to where a slot moves, while its keys are on both sides of a
// move. After a lost reply it is sent again only if every item only reads.
//
// Each script travels with its source once per transaction, so that a script
// removed at that moment cannot make half a transaction. A user who may not EVAL
// needs SCRIPT LOAD or SCRIPT EXISTS, and then a SCRIPT FLUSH in the instant
// between that and EXEC makes the script's items fail alone, as
// [ErrScriptUnknown]. Replicas are not waited for: see [Manager.Run].
func (m *Manager) Tx(ctx context.Context, items []BatchItem) ([]BatchResult, error) {
	if err := m.ready(ctx); err != nil {
		return nil, err
	}
	jobs, err := m.newJobs(items, MaxTxItems)
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return []BatchResult{}, nil
	}
	t := newTxRun(jobs)
	if err := t.routable(m.Mode()); err != nil {
		return nil, err
	}
	start := time.Now()
	_, err = m.run(ctx, call{about: CallInfo{Name: "tx"}, once: t.once, explain: t.explain, repeatable: t.reads})
	results := t.results(err)
	m.txDone(ctx, time.Since(start), t, results)
	return results, err
}

// txRun is one transaction on its way.
type txRun struct {
	jobs  []job
	reads bool // every item only reads
	tries int
}

func newTxRun(jobs []job) *txRun {
	t := &txRun{jobs: jobs, reads: true}
	for i := range jobs {
		t.reads = t.reads && jobs[i].reads
	}
	return t
}

// keys are those of all items.
func (t *txRun) keys() []string {
	var keys []string
	for i := range t.jobs {
		if j := &t.jobs[i]; j.script != nil {
			keys = append(keys, j.script.keys...)
		} else {
			keys = append(keys, j.key)
		}
	}
	return keys
}

// routable refuses what a Cluster cannot run: keys of several slots, named once
// each.
func (t *txRun) routable(mode Mode) error {
	if mode != ModeCluster {
		return nil
	}
	seen := map[string]bool{}
	var keys []string
	for _, key := range t.keys() {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return checkSlots(keys)
}

// key is one that chooses the node: outside a Cluster any, and none will do.
func (t *txRun) key() string { return t.jobs[0].key }

// once sends the transaction, to where the nodes send it on.
func (t *txRun) once(ctx context.Context, g *generation) attempt {
	t.tries++
	for i := range t.jobs {
		t.jobs[i].last, t.jobs[i].g = attempt{}, g
	}
	if err := t.routable(g.cfg.Mode); err != nil {
		return attempt{err: err, refused: true}
	}
	n, err := g.topology().forKey(t.key())
	if err != nil {
		return attempt{err: err}.finish(ctx, time.Now())
	}
	a := t.on(ctx, n, g.plain, false)
	for range maxRedirects {
		addr, asking, found := redirect(a)
		if !found {
			break
		}
		if !asking {
			g.view.want()
		}
		a = t.on(ctx, g.nodes.redirected(addr), g.plain, asking)
	}
	return a
}

// explain names the first item that the server refused.
func (t *txRun) explain(a attempt, _ *generation) error {
	if a.refused {
		return a.err
	}
	for i := range t.jobs {
		if j := &t.jobs[i]; j.last.err != nil && j.last.err == a.err { //nolint:errorlint // the very same
			return fmt.Errorf("items[%d]: %w", i, j.result().Err)
		}
	}
	return explain(a, t.reads)
}

// results are those of the items; after an error those that the server did not
// refuse by themselves share it.
func (t *txRun) results(err error) []BatchResult {
	results := make([]BatchResult, len(t.jobs))
	for i := range t.jobs {
		if results[i] = t.jobs[i].result(); err != nil && results[i].Err == nil {
			results[i] = BatchResult{Err: err}
		}
	}
	return results
}

// txDone tells the observers of the runs of scripts.
func (m *Manager) txDone(ctx context.Context, took time.Duration, t *txRun, results []BatchResult) {
	if len(m.events.list()) == 0 {
		return
	}
	for i := range t.jobs {
		if j := &t.jobs[i]; j.script != nil {
			m.callDone(ctx, j.about(took, t.tries, results[i]))
		}
	}
}
