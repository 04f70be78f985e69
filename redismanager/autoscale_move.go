package redismanager

import (
	"context"
	"errors"
	"time"
)

// send sends the command once over the node's pool. A call that waits for a
// connection while the pool is replaced goes on to the new one: on the old one it
// would wait behind all who came before it, for a few connections.
func (n *node) send(ctx context.Context, args []any) attempt {
	start := time.Now()
	p := n.acquire()
	if p == nil {
		return attempt{err: errNodeGone, node: n.addr}
	}
	if n.set.cfg.PoolMax == 0 || !p.isCrowded() {
		defer p.release()
		return sendTo(ctx, p.Client, args)
	}
	a, moves := p.sendUnlessReplaced(ctx, args)
	p.release()
	if !moves {
		return a
	}
	if p = n.acquire(); p == nil {
		return attempt{err: errNodeGone, node: n.addr}
	}
	defer p.release()
	if a = sendTo(ctx, p.Client, args); a.err != nil {
		a.waited = time.Since(start)
	}
	return a
}

// isCrowded reports that a call may have to wait for a connection.
func (p *pooled) isCrowded() bool { return p.inUse()-1 > int64(p.size) }

// sendUnlessReplaced sends the command once, or reports that the pool was
// replaced before the call had a connection. The end of the context reaches a
// call only while it waits for one: go-redis does not look at it once it writes.
func (p *pooled) sendUnlessReplaced(ctx context.Context, args []any) (a attempt, moves bool) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.replaced, cancel)()
	cmd := newOneShot(ctx, args)
	start := time.Now()
	err := p.Process(waiting, cmd)
	if !cmd.written && errors.Is(err, context.Canceled) && p.replaced.Err() != nil && endOf(ctx) == nil {
		return attempt{}, true
	}
	a = attempt{value: cmd.Val(), err: err, written: cmd.written, node: p.Options().Addr, client: p.Client}
	return a.finish(ctx, start), false
}
