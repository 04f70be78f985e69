package redismanager

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// pooled is one go-redis client with a pool of fixed size. go-redis cannot
// change the size, so a node that gets another size gets another client, and the
// old one closes after its last user.
type pooled struct {
	lifetime
	*redis.Client
	size  int
	small bool // it has a replica's size
}

// node is one server of the deployment and the pool of connections to it.
type node struct {
	addr string
	set  *nodeSet

	scripts nodeScripts

	gone  context.Context // ends when the node leaves the topology: dials are given up
	leave context.CancelFunc

	current atomic.Pointer[pooled]
	mu      sync.Mutex
	former  []*pooled   // replaced and not yet closed
	past    PoolNumbers // counters of those that are closed
}

// acquire takes the current client for one call, nil if the node has left the
// topology. The caller releases it.
func (n *node) acquire() *pooled {
	for n.gone.Err() == nil {
		if p := n.current.Load(); p.acquire() {
			return p
		}
	}
	return nil
}

// size is the most connections for single commands.
func (n *node) size() int { return n.current.Load().size }

func (n *node) newPooled(size, minIdle int) *pooled {
	p := &pooled{Client: n.set.client(n, size, minIdle), size: size, small: size == replicaPoolSize && size < n.set.cfg.startSize()}
	p.begin()
	return p
}

// resize gives the node a pool of another size. Calls in flight, those that
// wait for a connection and leases end on the old one.
func (n *node) resize(size, minIdle int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone.Err() != nil {
		return
	}
	old := n.current.Swap(n.newPooled(size, minIdle))
	n.former = append(n.former, old)
	old.retire()
	n.set.closers.Go(func() { n.closeAfterUse(old) })
}

// closeAfterUse closes a replaced client when its last user has gone, or with
// everything else.
func (n *node) closeAfterUse(p *pooled) {
	select {
	case <-p.drained:
	case <-n.set.life.Done():
	}
	_ = p.Close() // what it says of its connections is of no use to anyone
	n.mu.Lock()
	defer n.mu.Unlock()
	n.former = slices.DeleteFunc(n.former, func(known *pooled) bool { return known == p })
	n.past.sum(numbers(p).counters())
}

// stats sums the pools that the node has and had.
func (n *node) stats() PoolNumbers {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := n.past
	sum.sum(numbers(n.current.Load()))
	for _, p := range n.former {
		old := numbers(p)
		old.Size = 0 // it may not grow again
		sum.sum(old)
	}
	return sum
}

// retire lets the node go: it closes after its last user, or with everything
// else. Dials to it are given up.
func (n *node) retire() {
	n.leave()
	n.mu.Lock() // a resize in progress is over, another will not begin
	last := n.current.Load()
	n.mu.Unlock()
	last.retire()
	n.set.closers.Go(func() { n.closeAfterUse(last) })
}

// errNodeGone: the node left the topology after it was chosen.
var errNodeGone = errors.New("the node left the topology")

// do sends the command once to the node.
func (n *node) do(ctx context.Context, args []any, acks Acks) attempt {
	if acks.wanted() {
		return n.doAll(ctx, args, false, acks)
	}
	p := n.acquire()
	if p == nil {
		return attempt{err: errNodeGone, node: n.addr}
	}
	defer p.release()
	return sendTo(ctx, p.Client, args)
}
