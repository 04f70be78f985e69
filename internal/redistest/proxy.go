package redistest

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is what a client sees of a reply that the proxy dropped.
type Fault int

const (
	// FaultClose closes the client's connection: it reads EOF.
	FaultClose Fault = iota + 1
	// FaultSilence keeps the connection open and says nothing more on it: the
	// client's read times out.
	FaultSilence
)

// Proxy is a TCP proxy in front of one server that injects faults. It reads
// requests by the chunk, so a marker is found only in plain TCP and in requests
// that the client writes at once (go-redis: up to 32 KiB). It assumes one
// request in flight per connection: no pipelines, no pub/sub.
type Proxy struct {
	tb     testing.TB
	target string
	port   int
	links  sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while refusing
	open     map[*link]struct{}
	closed   bool
	gate     chan struct{} // closed unless hanging
	delay    time.Duration
	drop     dropRule
	dropped  int
}

// dropRule says which replies are still to be dropped.
type dropRule struct {
	match string
	left  int
	how   Fault
}

// NewProxy starts a proxy to target (host:port) that lives as long as the test.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p := &Proxy{tb: tb, target: target, open: map[*link]struct{}{}, gate: make(chan struct{})}
	close(p.gate)
	port, err := ports.reserve()
	if err != nil {
		tb.Fatalf("redistest: proxy: %v", err)
	}
	p.port = port
	tb.Cleanup(p.close)
	p.listen()
	return p
}

// Addr is the address to dial instead of the target's.
func (p *Proxy) Addr() string { return joinAddr(p.port) }

// DropReplies makes the server's replies to the next n requests that contain
// match (in any case, for example "evalsha") disappear: the server gets the
// request and executes it, the client gets what how says. A new call replaces
// what is left of the one before.
func (p *Proxy) DropReplies(match string, n int, how Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop = dropRule{match: strings.ToLower(match), left: n, how: how}
}

// Dropped says how many replies were dropped since the proxy started. A reply
// counts when the server has sent it.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// SetDelay holds every request for d before the server gets it. A client that
// gives up meanwhile does not take its request back.
func (p *Proxy) SetDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Hang with true accepts connections and moves no byte, on old ones neither;
// with false it lets everything held back go on.
func (p *Proxy) Hang(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on == p.hanging() {
		return
	}
	if on {
		p.gate = make(chan struct{})
	} else {
		close(p.gate)
	}
}

// hanging is called with the lock held.
func (p *Proxy) hanging() bool {
	select {
	case <-p.gate:
		return false
	default:
		return true
	}
}

// Refuse with true stops listening, so that new connections are refused; those that
// exist go on (see CutAll). With false it listens again on the same port.
func (p *Proxy) Refuse(on bool) {
	if !on {
		p.listen()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopListening()
}

// CutAll closes all current connections.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.open {
		l.close()
	}
}

func (p *Proxy) listen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return
	}
	listener, err := net.Listen("tcp", p.Addr())
	if err != nil {
		p.tb.Errorf("redistest: proxy: %v", err)
		return
	}
	p.listener = listener
	p.links.Go(func() { p.accept(listener) })
}

// stopListening is called with the lock held.
func (p *Proxy) stopListening() {
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.stopListening()
	p.mu.Unlock()
	p.CutAll()
	p.links.Wait()
	ports.release(p.port)
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		p.connect(client)
	}
}

// connect joins a client to the server. A server that is down shows as a
// connection that closes at once.
func (p *Proxy) connect(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{proxy: p, client: client, server: server, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		l.close()
		return
	}
	p.open[l] = struct{}{}
	p.links.Go(l.requests)
	p.links.Go(l.replies)
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, l)
}

// claim takes one reply to drop, if the request asks for it.
func (p *Proxy) claim(request []byte) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drop.left <= 0 || !strings.Contains(strings.ToLower(string(request)), p.drop.match) {
		return 0
	}
	p.drop.left--
	return p.drop.how
}

func (p *Proxy) countDropped() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped++
}

// state returns what a link must obey now.
func (p *Proxy) state() (gate <-chan struct{}, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gate, p.delay
}
