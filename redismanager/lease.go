package redismanager

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

type routingKey struct{}

// WithRoutingKey says which key a leased connection is for. A Cluster needs
// it: one *redis.Client speaks to one node, so the lease is on the master that
// serves the key's slot.
func WithRoutingKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, routingKey{}, key)
}

// lease is what keeps a leased client open.
type lease struct {
	generation *generation
	client     *pooled
}

func (l lease) release() {
	l.client.release()
	l.generation.release()
}

// leases counts who holds which client.
type leases struct {
	mu   sync.Mutex
	held map[*redis.Client][]lease
}

func (l *leases) add(of lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[*redis.Client][]lease{}
	}
	l.held[of.client.Client] = append(l.held[of.client.Client], of)
}

// remove gives one lease of the client, if there is one.
func (l *leases) remove(c *redis.Client) (of lease, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.held[c]
	if len(held) == 0 {
		return lease{}, false
	}
	of = held[len(held)-1]
	if len(held) == 1 {
		delete(l.held, c)
	} else {
		l.held[c] = held[:len(held)-1]
	}
	return of, true
}

func (l *leases) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, held := range l.held {
		n += len(held)
	}
	return n
}

// GetConnection leases a client of the current configuration. The client is a
// pool, not one socket: it may be used by several goroutines. A change of
// configuration waits for the lease to end before it closes the client, so
// every lease must be ended with [Manager.ReleaseConnection].
//
// In a Cluster the context says by [WithRoutingKey] which key the lease is for;
// without one the error is [ErrNoRoutingKey]. Other errors: [ErrClosed],
// [ErrUnavailable], [ErrTimeout].
func (m *Manager) GetConnection(ctx context.Context) (*redis.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, explainConnection(attempt{err: err, ended: true})
	}
	g, err := m.acquire()
	if err != nil {
		return nil, err
	}
	key, routed := ctx.Value(routingKey{}).(string)
	if g.cfg.Mode == ModeCluster && !routed {
		g.release()
		return nil, fmt.Errorf("%w: in mode cluster a lease is for one key: use WithRoutingKey", ErrNoRoutingKey)
	}
	p, err := g.lease(key)
	if err != nil {
		g.release()
		return nil, explainConnection(attempt{err: err})
	}
	m.leases.add(lease{generation: g, client: p})
	return p.Client, nil
}

// ReleaseConnection ends one lease of the client. A client that is not leased,
// or nil, is ignored. The client must not be used by the holder afterwards,
// and is never closed by it. Release each lease once: leases on one node share
// the client, so a second release ends somebody else's lease.
func (m *Manager) ReleaseConnection(client *redis.Client) {
	if held, found := m.leases.remove(client); found {
		held.release()
	}
}

// lease takes the client of the master that serves key.
func (g *generation) lease(key string) (*pooled, error) {
	for range 3 { // a node leaves after the view that no longer names it is there
		n, err := g.topology().forKey(key)
		if err != nil {
			return nil, err
		}
		if p := n.acquire(); p != nil {
			return p, nil
		}
	}
	return nil, errNodeGone
}
