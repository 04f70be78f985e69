package redismanager

import (
	"context"
	"slices"
	"sync"
	"time"
)

// The bounds of one pipeline: enough to make the round trip small beside the
// work, few enough to keep the replies of other callers flowing, and to be
// answered within read_timeout.
const (
	pipelineSize  = 1000    // commands
	pipelineBytes = 4 << 20 // of their arguments
)

// sendJobs sends each job once, in pipelines grouped by node. Jobs of one slot
// are sent in their order over one connection. One that a node sends on to
// another, or whose script the node lacks, surely did not run and is sent again;
// one that must wait for the next wave by again makes later ones of its slot
// wait too.
func (g *generation) sendJobs(ctx context.Context, jobs []*job, again func(*job) bool) {
	view := g.topology()
	groups := map[*node][]*job{}
	for _, j := range jobs {
		j.g, j.hops, j.asking, j.last = g, 0, false, attempt{}
		n, err := view.forKey(j.key)
		if err != nil {
			j.last = attempt{err: err}.finish(ctx, time.Now())
			continue
		}
		groups[n] = append(groups[n], j)
	}
	var nodes sync.WaitGroup
	for n, members := range groups {
		nodes.Go(func() { g.sendGroup(ctx, n, members, again) })
	}
	nodes.Wait()
}

// sendGroup sends one node its jobs, one pipeline after the other.
func (g *generation) sendGroup(ctx context.Context, n *node, jobs []*job, again func(*job) bool) {
	var wait waiting
	for len(jobs) > 0 {
		part := firstPart(jobs)
		jobs = jobs[len(part):]
		part = wait.hold(part)
		g.settle(ctx, n, part)
		keepOrder(part)
		for _, j := range part {
			if j.last.err != nil && again(j) {
				wait.after(j, n)
			}
		}
	}
}

// firstPart cuts off what fits into one pipeline.
func firstPart(jobs []*job) []*job {
	size := 0
	for i, j := range jobs {
		if size += j.bytes; i == pipelineSize || i > 0 && size > pipelineBytes {
			return jobs[:i]
		}
	}
	return jobs
}

// waiting says which jobs of a group are not sent in this wave, because one
// before them will be sent again.
type waiting struct {
	slots map[int]*job
	all   *job // the node cannot be reached
}

func (w *waiting) after(j *job, n *node) {
	if !isServerError(j.last.err) && j.last.node == n.addr {
		w.all = j
		return
	}
	if w.slots == nil {
		w.slots = map[int]*job{}
	}
	w.slots[j.slot] = j
}

// hold marks the jobs that must wait as surely not sent, and gives the others.
func (w *waiting) hold(jobs []*job) []*job {
	if w.all == nil && w.slots == nil {
		return jobs
	}
	var others []*job
	for _, j := range jobs {
		first := w.all
		if first == nil {
			first = w.slots[j.slot]
		}
		if first == nil {
			others = append(others, j)
			continue
		}
		j.last = first.last
		j.last.written, j.last.repaired = false, false
	}
	return others
}

// keepOrder looks for jobs that were not answered or met an outage, with a write
// of the same slot after them that ran or may have run: what is sent again would
// run after it, so they are not. An outage may end between two items of a pipeline.
func keepOrder(jobs []*job) {
	if !slices.ContainsFunc(jobs, isCutOff) {
		return
	}
	written := map[int]bool{}
	for _, j := range slices.Backward(jobs) {
		if isCutOff(j) {
			j.overtaken = written[j.slot]
		}
		if !j.reads && mayHaveRun(j.last) {
			written[j.slot] = true
		}
	}
}

func isCutOff(j *job) bool {
	return j.last.err != nil && (isLostReply(j.last) || isOutage(j.last))
}

// mayHaveRun is false for what the server refused before it ran.
func mayHaveRun(a attempt) bool {
	if !isServerError(a.err) {
		return a.err == nil || a.written
	}
	text := a.err.Error()
	return !isNoScript(a.err) && (serverClass(text) == nil || isInsideScript(text))
}

// settle sends jobs to n, and follows them to where they are answered.
func (g *generation) settle(ctx context.Context, n *node, jobs []*job) {
	for next := []batchStep{{n, jobs}}; len(next) > 0; next = g.nextSteps(jobs) {
		for _, step := range next {
			step.node.pipeline(ctx, step.jobs, g.plain)
		}
	}
}

// batchStep is one pipeline.
type batchStep struct {
	node *node
	jobs []*job
}

// nextSteps groups by node the jobs that go on, in their order. It ends: a job
// is sent on a few times at most, and of the jobs that lack a script the first
// one is sent with its source.
func (g *generation) nextSteps(jobs []*job) []batchStep {
	var steps []batchStep
	at := map[*node]int{}
	for _, j := range jobs {
		n := g.nextNode(j)
		if n == nil {
			continue
		}
		i, found := at[n]
		if !found {
			i, steps = len(steps), append(steps, batchStep{node: n})
			at[n] = i
		}
		steps[i].jobs = append(steps[i].jobs, j)
	}
	return steps
}

// nextNode says where a job goes on, nil if it does not.
func (g *generation) nextNode(j *job) *node {
	if j.script != nil && isNoScript(j.last.err) {
		if j.last.repaired { // the answer to the source itself: not from Redis
			return nil
		}
		j.lacking++
		n := g.nodes.redirected(j.last.node)
		n.scripts.forget(j.script.entry.forServer(g.plain).sha)
		return n
	}
	addr, asking, found := redirect(j.last)
	if !found || j.hops == maxRedirects {
		return nil
	}
	if !asking {
		g.view.want()
	}
	j.hops, j.asking = j.hops+1, asking
	return g.nodes.redirected(addr)
}

// pipeline sends jobs over one connection. They are one-shots, so that only the
// manager repeats them.
func (n *node) pipeline(ctx context.Context, jobs []*job, plain bool) {
	p := n.acquire()
	if p == nil {
		for _, j := range jobs {
			j.last = attempt{err: errNodeGone, node: n.addr}
		}
		return
	}
	defer p.release()
	jobs = n.makeSure(ctx, p, jobs, plain)
	if len(jobs) == 0 {
		return
	}
	start := time.Now()
	pipe := p.Pipeline()
	shots := make([]*rawShot, len(jobs))
	withSource := map[*scriptEntry]bool{}
	for i, j := range jobs {
		if j.asking {
			_ = pipe.Process(ctx, newOneShot(ctx, []any{"asking"}))
		}
		j.last = attempt{repaired: j.needsSource(withSource)}
		shots[i] = newRawShot(ctx, j.command(plain, j.last.repaired))
		_ = pipe.Process(ctx, shots[i])
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, j := range jobs {
		repaired := j.last.repaired
		j.last = shots[i].attempt(ctx, start, p.Client)
		j.last.repaired = repaired
	}
}

// needsSource says whether the job of a script that the node lacked is sent with
// the source: the first of its script in the pipeline, for the others find it
// there then; and one that did not.
func (j *job) needsSource(sent map[*scriptEntry]bool) bool {
	if j.script == nil || j.lacking == 0 {
		return false
	}
	first := !sent[j.script.entry]
	sent[j.script.entry] = true
	return first || j.lacking > 1
}

// makeSure gives the node the scripts that it is not known to have, so that no
// job must be repaired after later ones of its slot have run. It gives the jobs
// that are left: a script that does not compile fails its jobs, and no connection
// fails all. Any other refusal shows again when they are sent.
func (n *node) makeSure(ctx context.Context, p *pooled, jobs []*job, plain bool) []*job {
	if !n.scripts.mayLoad() {
		return jobs
	}
	unknown := n.scripts.unknown(bodiesOf(jobs, plain))
	if len(unknown) == 0 {
		return jobs
	}
	start := time.Now()
	refused := n.scripts.load(ctx, p.Client, unknown)
	all := lostLoad(refused)
	if all == nil {
		all = notNow(refused)
	}
	var left []*job
	for _, j := range jobs {
		err := all
		if j.script != nil && err == nil {
			err = refused[j.script.entry.forServer(plain).sha]
		}
		if err != nil && (all != nil || isUncompiled(err)) {
			j.last = attempt{err: err, node: n.addr, client: p.Client, written: isServerError(err)}.finish(ctx, start)
		} else {
			left = append(left, j)
		}
	}
	return left
}

// notNow finds a refusal that may be over in a moment. Jobs that were sent then
// would run, but those whose script is not there, which would run later.
func notNow(refused map[string]error) error {
	for _, err := range refused {
		if isOutage(attempt{err: err}) || busyScript.MatchString(err.Error()) {
			return err
		}
	}
	return nil
}

// bodiesOf lists the scripts that jobs are to run on a node for the first time.
func bodiesOf(jobs []*job, plain bool) []body {
	var list []body
	seen := map[*scriptEntry]bool{}
	for _, j := range jobs {
		if j.script != nil && j.lacking == 0 && !seen[j.script.entry] {
			seen[j.script.entry] = true
			list = append(list, j.script.entry.forServer(plain))
		}
	}
	return list
}
