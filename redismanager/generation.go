package redismanager

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// generation is one client with the configuration it was made from. A new
// configuration makes a new generation; the old one closes when the last call
// and the last lease on it have ended.
type generation struct {
	cfg    RedisConfig // with defaults; never changed
	client redis.UniversalClient
	nodes  *nodeRegistry
	plain  bool // the servers do not know "#!lua"

	refs    atomic.Int64 // calls and leases, plus one until it is retired
	drained chan struct{}
	retired sync.Once
	closing sync.Once
	closed  error
}

func newGeneration(cfg RedisConfig, client redis.UniversalClient, nodes *nodeRegistry) *generation {
	g := &generation{cfg: cfg, client: client, nodes: nodes, drained: make(chan struct{})}
	g.refs.Store(1)
	return g
}

// acquire keeps the client open until release. It reports false once the
// generation has drained: the caller then takes the current one.
func (g *generation) acquire() bool {
	for {
		n := g.refs.Load()
		if n == 0 {
			return false
		}
		if g.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (g *generation) release() {
	if g.refs.Add(-1) == 0 {
		close(g.drained)
	}
}

// retire lets the generation drain; it may be called more than once.
func (g *generation) retire() { g.retired.Do(g.release) }

// inUse is the number of calls and leases that still hold a retired generation.
func (g *generation) inUse() int64 { return g.refs.Load() }

func (g *generation) close() error {
	g.closing.Do(func() { g.closed = g.client.Close() })
	return g.closed
}

// cluster gives the Cluster client, nil in the other modes.
func (g *generation) cluster() *redis.ClusterClient {
	c, _ := g.client.(*redis.ClusterClient)
	return c
}

// forKey gives the client of the master that serves the key's slot; outside a
// Cluster there is only one client.
func (g *generation) forKey(ctx context.Context, key string) (*redis.Client, error) {
	if c := g.cluster(); c != nil {
		return c.MasterForKey(ctx, key)
	}
	return g.client.(*redis.Client), nil
}

// nodeRegistry remembers the clients of single nodes, so that their pools can
// be read without asking the Cluster for its state.
type nodeRegistry struct {
	mu    sync.Mutex
	nodes map[string]*redis.Client
}

func newNodeRegistry() *nodeRegistry { return &nodeRegistry{nodes: map[string]*redis.Client{}} }

func (r *nodeRegistry) add(addr string, c *redis.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes[addr] = c
}

func (r *nodeRegistry) snapshot() map[string]*redis.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]*redis.Client, len(r.nodes))
	for addr, c := range r.nodes {
		out[addr] = c
	}
	return out
}
