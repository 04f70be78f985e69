package redismanager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// generation is the connections made from one configuration. A new
// configuration makes a new generation; the old one closes when the last call
// and the last lease on it have ended.
type generation struct {
	lifetime
	cfg       RedisConfig // with defaults; never changed
	tlsConfig *tls.Config
	plain     bool // the servers do not know "#!lua"

	nodes *nodeSet
	view  *refresher
	scale *autoscaler

	outside  sync.Mutex // guards universal
	foreign  redis.UniversalClient
	isClosed bool
	closing  sync.Once
	closed   error
}

func (m *Manager) newGeneration(cfg RedisConfig, tlsConfig *tls.Config) *generation {
	g := &generation{cfg: cfg, tlsConfig: tlsConfig, nodes: newNodeSet(cfg, tlsConfig)}
	if old := m.current.Load(); old != nil {
		g.nodes.sizes = old.nodes.scaledSizes(cfg)
	}
	g.scale = newAutoscaler(g.nodes, m.emit)
	g.view = newRefresher(newDiscovery(cfg, tlsConfig), g.nodes, m.emit, &m.counters)
	g.begin()
	return g
}

func newDiscovery(cfg RedisConfig, tlsConfig *tls.Config) discovery {
	switch cfg.Mode {
	case ModeCluster:
		return newClusterDiscovery(cfg, tlsConfig)
	case ModeSentinel:
		return newSentinelDiscovery(cfg, tlsConfig)
	default:
		return fixed{cfg.Addr}
	}
}

// topology is the present view of who serves what.
func (g *generation) topology() *topology { return g.view.current.Load() }

// summary says in one line what the generation serves, for logs.
func (g *generation) summary() string {
	return fmt.Sprintf("%s %s, pool_size %d", g.cfg.Mode, strings.Join(g.cfg.seeds(), ","), g.cfg.startSize())
}

// universal gives the client for commands that the manager does not offer. It
// has a pool of its own, which is opened when it is first used, and lives as
// long as the generation.
func (g *generation) universal() redis.UniversalClient {
	g.outside.Lock()
	defer g.outside.Unlock()
	if g.foreign == nil {
		g.foreign = newUniversal(g.cfg, g.tlsConfig)
		if g.isClosed {
			_ = g.foreign.Close()
		}
	}
	return g.foreign
}

// close ends all connections, in use or not.
func (g *generation) close() error {
	g.closing.Do(func() {
		g.outside.Lock()
		defer g.outside.Unlock()
		g.isClosed = true
		if g.foreign != nil {
			g.closed = g.foreign.Close()
		}
		g.scale.close()
		g.closed = errors.Join(g.view.close(), g.nodes.close(), g.closed)
	})
	return g.closed
}

// send sends the command once to the master that serves key. A node that no
// longer serves it did not run it: the one that it names is asked.
func (g *generation) send(ctx context.Context, key string, args []any, acks Acks) attempt {
	n, err := g.topology().forKey(key)
	if err != nil {
		return attempt{err: err}.finish(ctx, time.Now())
	}
	return g.follow(ctx, n.do(ctx, args, acks), args, acks)
}

// maxRedirects is how many nodes may send a call on before it counts as failed.
const maxRedirects = 5

// follow sends the command to where the node before sent it on.
func (g *generation) follow(ctx context.Context, a attempt, args []any, acks Acks) attempt {
	if g.cfg.Mode != ModeCluster {
		return a // a script that answers MOVED by itself is no node of a Cluster
	}
	for range maxRedirects {
		addr, asking, found := redirect(a)
		if !found {
			return a
		}
		n := g.nodes.redirected(addr)
		if asking {
			a = n.doAll(ctx, args, true, acks)
			continue
		}
		g.view.want()
		a = n.do(ctx, args, acks)
	}
	return a
}

// redirect reads where a node of a Cluster sends a call on. It writes an IPv6
// address without brackets.
func redirect(a attempt) (addr string, asking, found bool) {
	if a.err == nil || !isServerError(a.err) {
		return "", false, false
	}
	match := redirection.FindStringSubmatch(a.err.Error())
	if match == nil {
		return "", false, false
	}
	return reachable(net.JoinHostPort(strings.Trim(match[2], "[]"), match[3]), a.node), match[1] == "ASK", true
}
