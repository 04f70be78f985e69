package redismanager

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/redis/go-redis/v9"
)

// generation is one client with the configuration it was made from. A new
// configuration makes a new generation; the old one closes when the last call
// and the last lease on it have ended.
type generation struct {
	clients
	cfg   RedisConfig // with defaults; never changed
	plain bool        // the servers do not know "#!lua"

	refs    atomic.Int64 // calls and leases, plus one until it is retired
	drained chan struct{}
	retired sync.Once
	closing sync.Once
	closed  error
}

// clients is the go-redis client of a topology: exactly one of the two is set.
type clients struct {
	single  *redis.Client        // standalone and Sentinel
	cluster *redis.ClusterClient // Cluster
	nodes   *nodeRegistry
}

// universal gives the one that is set.
func (c clients) universal() redis.UniversalClient {
	if c.cluster != nil {
		return c.cluster
	}
	return c.single
}

// forKey gives the client of the master that serves the key's slot; outside a
// Cluster there is only one client.
func (c clients) forKey(ctx context.Context, key string) (*redis.Client, error) {
	if c.cluster != nil {
		return c.cluster.MasterForKey(ctx, key)
	}
	return c.single, nil
}

func newGeneration(cfg RedisConfig, c clients) *generation {
	g := &generation{clients: c, cfg: cfg, drained: make(chan struct{})}
	g.refs.Store(1)
	return g
}

// summary says in one line what the generation serves, for logs.
func (g *generation) summary() string {
	return fmt.Sprintf("%s %s, pool_size %d", g.cfg.Mode, strings.Join(g.cfg.seeds(), ","), g.cfg.PoolSize)
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
	g.closing.Do(func() { g.closed = g.universal().Close() })
	return g.closed
}

// nodeRegistry remembers the clients of single nodes, so that their pools can
// be read without asking the Cluster for its state. The pointers are weak: a
// node that go-redis has let go of disappears.
type nodeRegistry struct {
	mu    sync.Mutex
	nodes map[string]weak.Pointer[redis.Client]
}

func newNodeRegistry() *nodeRegistry {
	return &nodeRegistry{nodes: map[string]weak.Pointer[redis.Client]{}}
}

func (r *nodeRegistry) add(addr string, c *redis.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes[addr] = weak.Make(c)
}

func (r *nodeRegistry) snapshot() map[string]*redis.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]*redis.Client, len(r.nodes))
	for addr, pointer := range r.nodes {
		if c := pointer.Value(); c != nil {
			out[addr] = c
		} else {
			delete(r.nodes, addr)
		}
	}
	return out
}
