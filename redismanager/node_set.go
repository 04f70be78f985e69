package redismanager

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// nodeSet holds the nodes of a generation by address, and closes them.
type nodeSet struct {
	cfg       RedisConfig
	tlsConfig *tls.Config
	sizes     map[string]int // to begin with, by address, where it is not pool_size

	life    context.Context // ends with close
	end     context.CancelFunc
	closers sync.WaitGroup // clients that close after their last user

	mu    sync.Mutex
	nodes map[string]*node
}

func newNodeSet(cfg RedisConfig, tlsConfig *tls.Config) *nodeSet {
	s := &nodeSet{cfg: cfg, tlsConfig: tlsConfig, nodes: map[string]*node{}}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// master gives the node at addr with a full pool.
func (s *nodeSet) master(addr string) *node {
	size, minIdle := s.startSize(addr), max(s.cfg.MinIdleConns, 0)
	n := s.get(addr, size, minIdle)
	if n.current.Load().small {
		n.resize(size, minIdle)
	}
	return n
}

// replicaPoolSize is enough for the checks of a replica; calls go to masters.
const replicaPoolSize = 2

// redirected gives the node at addr, to which another one sent a call.
func (s *nodeSet) redirected(addr string) *node {
	return s.get(addr, s.startSize(addr), 0)
}

// replica gives the node at addr with a small pool, unless it has a full one.
func (s *nodeSet) replica(addr string) *node { return s.find(addr, replicaPoolSize, 0, true) }

// get gives the node at addr. If it is new, its pool has the given size.
func (s *nodeSet) get(addr string, size, minIdle int) *node {
	return s.find(addr, size, minIdle, false)
}

func (s *nodeSet) find(addr string, size, minIdle int, small bool) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[addr]; n != nil {
		return n
	}
	n := &node{addr: addr, set: s}
	n.gone, n.leave = context.WithCancel(s.life)
	n.current.Store(n.newPooled(size, minIdle, small))
	if s.life.Err() != nil {
		_ = n.current.Load().Close() // a call that is late for its generation
		return n
	}
	s.nodes[addr] = n
	return n
}

// client makes the go-redis client of one node. It does no I/O.
func (s *nodeSet) client(n *node, size, minIdle int) *redis.Client {
	opts := universalOptions(s.cfg, s.tlsConfig).Simple()
	opts.Addr = n.addr
	opts.MaxRetries = -1 // the manager tries again itself
	opts.PoolSize, opts.MinIdleConns = size, min(minIdle, size)
	opts.MaxIdleConns = min(opts.MaxIdleConns, size)
	opts.Dialer = dialUntil(n.gone, opts.Dialer)
	if s.cfg.Mode == ModeSentinel {
		opts.OnConnect = mustBeMaster
	}
	return redis.NewClient(opts)
}

// dialUntil gives a dial up when the node leaves the topology: whoever waits
// for it then looks for the new one, and is not told that somebody canceled.
func dialUntil(gone context.Context, dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(gone, cancel)()
		c, err := dial(ctx, network, addr)
		if err != nil && gone.Err() != nil {
			return nil, errNodeGone
		}
		return c, err
	}
}

// errDemoted: the server at the address of the master is a replica now. What it
// answers to a read may be old.
var errDemoted = errors.New("the server is a replica now")

// mustBeMaster refuses a new connection to a server that has been demoted.
func mustBeMaster(ctx context.Context, cn *redis.Conn) error {
	role, err := roleOf(ctx, cn)
	if err == nil && role != roleMaster {
		return errDemoted
	}
	return err
}

// keep lets go of the nodes whose addresses are not among those given.
func (s *nodeSet) keep(addrs map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return // all of them close
	}
	for addr, n := range s.nodes {
		if !addrs[addr] {
			delete(s.nodes, addr)
			n.retire()
		}
	}
}

func (s *nodeSet) snapshot() []*node {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*node, 0, len(s.nodes))
	for _, addr := range slices.Sorted(maps.Keys(s.nodes)) {
		out = append(out, s.nodes[addr])
	}
	return out
}

// close ends every connection, in use or not.
func (s *nodeSet) close() error {
	s.mu.Lock() // a keep in progress is over, another will do nothing
	s.end()
	s.mu.Unlock()
	var failures []error
	for _, n := range s.snapshot() {
		n.mu.Lock() // a resize in progress is over, another will not begin
		failures = append(failures, n.current.Load().Close())
		n.mu.Unlock()
	}
	s.closers.Wait()
	return errors.Join(failures...)
}
