package redismanager

import (
	"crypto/tls"
	"sync"

	"github.com/redis/go-redis/v9"
)

// probeClients are the health checker's own connections to the nodes of one
// generation. The calls' pools will not do: they may be full, and those of a
// Sentinel deployment refuse replicas.
type probeClients struct {
	cfg       RedisConfig
	tlsConfig *tls.Config

	mu     sync.Mutex
	byAddr map[string]*redis.Client
	closed bool
}

func newProbeClients(g *generation) *probeClients {
	return &probeClients{cfg: g.cfg, tlsConfig: g.tlsConfig, byAddr: map[string]*redis.Client{}}
}

// get gives the client of the node at addr. It does no I/O.
func (p *probeClients) get(addr string) *redis.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.byAddr[addr]; c != nil {
		return c
	}
	opts := universalOptions(p.cfg, p.tlsConfig).Simple()
	opts.Addr, opts.MaxRetries = addr, -1
	opts.PoolSize, opts.MinIdleConns, opts.MaxIdleConns = 2, 0, 1 // after two dials that failed go-redis would not dial for a second
	c := redis.NewClient(opts)
	if p.closed {
		_ = c.Close()
		return c
	}
	p.byAddr[addr] = c
	return c
}

// renew closes the client, so that the next one begins without its past.
func (p *probeClients) renew(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.byAddr[addr]; c != nil {
		delete(p.byAddr, addr)
		_ = c.Close()
	}
}

// keep closes the clients of other addresses.
func (p *probeClients) keep(addrs map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for addr, c := range p.byAddr {
		if !addrs[addr] {
			delete(p.byAddr, addr)
			_ = c.Close()
		}
	}
}

func (p *probeClients) isOpen() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed
}

// close ends all connections, also in the middle of a command. It may be called
// on nil, and more than once.
func (p *probeClients) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.byAddr {
		_ = c.Close()
	}
	p.byAddr = map[string]*redis.Client{}
}
