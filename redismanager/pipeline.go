package redismanager

import (
	"context"
	"sync"
	"time"
)

// pipelineSize is how many commands travel in one pipeline: enough to make the
// round trip small beside the work, few enough to keep replies of other
// callers flowing.
const pipelineSize = 1000

// keyed is a command and the key that chooses its node.
type keyed struct {
	key  string
	args []any
}

// sendAll sends each command once, in pipelines grouped by node, and gives what
// became of each, in the same order. Commands of one slot are sent in their
// order; one that its node sends on to another is sent there afterwards.
func (g *generation) sendAll(ctx context.Context, cmds []keyed) []attempt {
	attempts := make([]attempt, len(cmds))
	view := g.topology()
	groups := map[*node][]int{}
	for i, cmd := range cmds {
		n, err := view.forKey(cmd.key)
		if err != nil {
			attempts[i] = attempt{err: err}.finish(ctx, time.Now())
			continue
		}
		groups[n] = append(groups[n], i)
	}
	var nodes sync.WaitGroup
	for n, members := range groups {
		nodes.Go(func() { g.sendGroup(ctx, n, cmds, members, attempts) })
	}
	nodes.Wait()
	return attempts
}

// sendGroup sends one node its commands.
func (g *generation) sendGroup(ctx context.Context, n *node, cmds []keyed, members []int, attempts []attempt) {
	for start := 0; start < len(members); start += pipelineSize {
		part := members[start:min(start+pipelineSize, len(members))]
		n.pipeline(ctx, cmds, part, attempts)
		for _, i := range part {
			attempts[i] = g.follow(ctx, attempts[i], cmds[i].args, Acks{})
		}
	}
}

// pipeline sends commands over one connection. They are one-shots, so that only
// the manager repeats them.
func (n *node) pipeline(ctx context.Context, cmds []keyed, members []int, attempts []attempt) {
	p := n.acquire()
	if p == nil {
		for _, i := range members {
			attempts[i] = attempt{err: errNodeGone, node: n.addr}
		}
		return
	}
	defer p.release()
	start := time.Now()
	pipe := p.Pipeline()
	sent := make([]*oneShot, len(members))
	for at, i := range members {
		sent[at] = newOneShot(ctx, cmds[i].args)
		_ = pipe.Process(ctx, sent[at])
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for at, i := range members {
		attempts[i] = sent[at].attempt(n.addr, p.Client).finish(ctx, start)
	}
}
