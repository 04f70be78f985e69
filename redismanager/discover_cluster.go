package redismanager

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
)

// clusterDiscovery asks nodes of a Cluster for its slots.
type clusterDiscovery struct {
	cfg   RedisConfig
	nodes *nodeSet // of its own, so that calls and leases cannot hold up a discovery

	asking sync.WaitGroup

	mu    sync.Mutex
	known []string // addresses of the last layout
}

// askedNodes is how many nodes are asked at the same time. One that has died
// or hangs costs no time so, and a large Cluster is not flooded.
const askedNodes = 3

func newClusterDiscovery(cfg RedisConfig, tlsConfig *tls.Config) *clusterDiscovery {
	cfg.MinIdleConns, cfg.PoolSize = -1, 2 // a hanging connection leaves one
	return &clusterDiscovery{cfg: cfg, nodes: newNodeSet(cfg, tlsConfig)}
}

func (d *clusterDiscovery) close() error { return d.nodes.close() }
func (d *clusterDiscovery) wait()        { d.asking.Wait() }

// candidates are the nodes to ask, in random order, the seeds last.
func (d *clusterDiscovery) candidates() []string {
	d.mu.Lock()
	addrs := slices.Clone(d.known)
	d.mu.Unlock()
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	for _, seed := range d.cfg.seeds() {
		if !slices.Contains(addrs, seed) {
			addrs = append(addrs, seed)
		}
	}
	return addrs
}

// discover takes the first usable answer. Where one fails another node is
// asked in its place.
func (d *clusterDiscovery) discover(ctx context.Context) (layout, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	addrs := d.candidates()
	answers := make(chan clusterAnswer, len(addrs))
	ask := func(addr string) {
		d.asking.Go(func() {
			l, err := d.askNode(ctx, addr)
			answers <- clusterAnswer{l, err}
		})
	}
	asked := min(askedNodes, len(addrs))
	for _, addr := range addrs[:asked] {
		ask(addr)
	}
	var failures []error
	for len(failures) < len(addrs) {
		var a clusterAnswer
		select {
		case a = <-answers:
		case <-ctx.Done():
			return layout{}, nodeErrors(append(failures, explainConnection(attempt{err: ctx.Err(), ended: true})))
		}
		if a.err == nil {
			d.learn(a.layout)
			return a.layout, nil
		}
		failures = append(failures, a.err)
		if asked < len(addrs) {
			ask(addrs[asked])
			asked++
		}
	}
	return layout{}, nodeErrors(failures)
}

// clusterAnswer is what one node said.
type clusterAnswer struct {
	layout layout
	err    error
}

// learn remembers the nodes of a layout, and lets go of the others.
func (d *clusterDiscovery) learn(l layout) {
	keep := map[string]bool{}
	for _, seed := range d.cfg.seeds() {
		keep[seed] = true
	}
	var known []string
	for _, r := range l.slots {
		for _, addr := range append([]string{r.master}, r.replicas...) {
			if !slices.Contains(known, addr) {
				known = append(known, addr)
			}
			keep[addr] = true
		}
	}
	d.mu.Lock()
	d.known = known
	d.mu.Unlock()
	d.nodes.keep(keep)
}

func (d *clusterDiscovery) askNode(ctx context.Context, addr string) (layout, error) {
	p := d.nodes.get(addr, d.cfg.PoolSize, 0).acquire()
	if p == nil {
		return layout{}, fmt.Errorf("%w: node %s", errNodeGone, addr)
	}
	defer p.release()
	value, err := ask(ctx, p.Client, "cluster", "slots") // CLUSTER SHARDS needs one more permission than go-redis itself does
	if err != nil {
		return layout{}, err
	}
	l, err := layoutOf(addr, value)
	if err == nil && len(l.slots) == 0 {
		err = fmt.Errorf("%w: node %s knows no served slot", ErrUnavailable, addr)
	}
	return l, err
}

// layoutOf reads the reply to CLUSTER SLOTS. go-redis' own reading fails at a node
// without an endpoint, with an error that looks like an empty reply.
func layoutOf(origin string, reply any) (layout, error) {
	var l layout
	rows, ok := reply.([]any)
	for _, row := range rows {
		r, isRange := slotRangeOf(origin, row)
		ok = ok && isRange
		l.slots = append(l.slots, r)
	}
	if !ok {
		return layout{}, fmt.Errorf("%w: reply of node %s to CLUSTER SLOTS", ErrMalformedData, origin)
	}
	return l, nil
}

// slotRangeOf reads one row: first slot, last slot, master, replicas.
func slotRangeOf(origin string, row any) (r slotRange, ok bool) {
	fields, _ := row.([]any)
	if len(fields) < 3 {
		return r, false
	}
	first, isFirst := fields[0].(int64)
	last, isLast := fields[1].(int64)
	r = slotRange{first: int(first), last: int(last), master: endpoint(fields[2], origin)}
	for _, n := range fields[3:] {
		r.replicas = append(r.replicas, endpoint(n, origin))
	}
	return r, isFirst && isLast && first >= 0 && last < slotCount && r.master != ""
}

// endpoint reads the address of a node: its preferred endpoint, its port, its id
// and more. Without an endpoint it is to be reached where the asked one is. A "?"
// stands for a host name that was never set; the IP address is among the rest.
func endpoint(node any, origin string) string {
	fields, _ := node.([]any)
	if len(fields) < 2 {
		return ""
	}
	host, _ := fields[0].(string)
	if host == "?" && len(fields) > 3 {
		host = wordMap(fields[3])["ip"]
	}
	return reachable(net.JoinHostPort(host, fmt.Sprint(fields[1])), origin)
}

// reachable completes an address that a node gave. A node that does not know
// its own host name leaves it out: then it is the one that was asked for. A
// loopback address of a node that is not asked over loopback is the node's own
// view.
func reachable(addr, origin string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	originHost, _, err := net.SplitHostPort(origin)
	if err != nil {
		return addr
	}
	if host == "" || host == "?" || isLoopback(host) && !isLoopback(originHost) {
		return net.JoinHostPort(originHost, port)
	}
	return addr
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
