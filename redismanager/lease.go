package redismanager

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

type routingKey struct{}

// WithRoutingKey says which key a leased connection is for. A Cluster needs
// it: one *redis.Client speaks to one node, so the lease is on the master that
// serves the key's slot.
func WithRoutingKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, routingKey{}, key)
}

// leases counts who holds which client, and which generation that keeps alive.
type leases struct {
	mu   sync.Mutex
	held map[*redis.Client][]*generation
}

func (l *leases) add(c *redis.Client, g *generation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[*redis.Client][]*generation{}
	}
	l.held[c] = append(l.held[c], g)
}

// remove gives the generation that the lease held, nil if there is no lease.
func (l *leases) remove(c *redis.Client) *generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.held[c]
	if len(held) == 0 {
		return nil
	}
	g := held[len(held)-1]
	if len(held) == 1 {
		delete(l.held, c)
	} else {
		l.held[c] = held[:len(held)-1]
	}
	return g
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
	c, err := g.forKey(ctx, key)
	if err != nil {
		g.release()
		return nil, explain(attempt{err: err}.finish(ctx, time.Now()), true)
	}
	m.leases.add(c, g)
	return c, nil
}

// ReleaseConnection ends one lease of the client. A client that is not leased,
// or nil, is ignored. The client must not be used by the holder afterwards,
// and is never closed by it. Release each lease once: leases on one node share
// the client, so a second release ends somebody else's lease.
func (m *Manager) ReleaseConnection(client *redis.Client) {
	if g := m.leases.remove(client); g != nil {
		g.release()
	}
}
