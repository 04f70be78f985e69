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
	size    int
	minIdle int  // as configured; go-redis gets no more than size
	small   bool // a replica's, which is checked and not called

	replaced context.Context // ends when the node has another pool: calls that wait go there
	replace  context.CancelFunc
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
	former  []*pooled // replaced and not yet closed
	past    poolPair  // counters of those that are closed

	peak    highMark // most calls at once since the autoscaler last looked
	scaling scaling
}

// acquire takes the current client for one call, nil if the node has left the
// topology. The caller releases it.
func (n *node) acquire() *pooled {
	for n.gone.Err() == nil {
		if p := n.current.Load(); p.acquire() {
			n.peak.raise(p.inUse() - 1)
			return p
		}
	}
	return nil
}

// size is the most connections for single commands.
func (n *node) size() int { return n.current.Load().size }

func (n *node) newPooled(size, minIdle int, small bool) *pooled {
	p := &pooled{Client: n.set.client(n, size, minIdle), size: size, minIdle: minIdle, small: small}
	p.replaced, p.replace = context.WithCancel(context.Background())
	p.begin()
	return p
}

// resize gives the node a full pool of another size, without connections.
func (n *node) resize(size, minIdle int) {
	_ = n.exchange(n.current.Load(), n.newPooled(size, minIdle, false)) // else the node has left
}

// exchange gives the node another pool in place of old. Calls in flight and
// leases end on the old one; calls that wait for a connection go to the new one.
func (n *node) exchange(old, next *pooled) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone.Err() != nil || !n.current.CompareAndSwap(old, next) {
		_ = next.Close()
		return errNodeGone
	}
	n.former = append(n.former, old)
	old.replace()
	old.retire()
	n.set.closers.Go(func() { n.closeAfterUse(old) })
	return nil
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
func (n *node) stats() poolPair {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := n.past
	sum.sum(numbers(n.current.Load()))
	for _, p := range n.former {
		old := numbers(p)
		old.commands.Size, old.batches.Size = 0, 0 // it may not grow again
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
	return n.send(ctx, args)
}
