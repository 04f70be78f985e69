package redismanager

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinelDiscovery asks all sentinels for the master, and the servers that
// they name whether they are one.
type sentinelDiscovery struct {
	cfg       RedisConfig
	sentinels *nodeSet // connections to the sentinels
	data      *nodeSet // connections to the data nodes, to ask for their role
	asking    sync.WaitGroup

	mu     sync.Mutex
	known  []string // sentinels
	master string   // of the last layout
	epoch  int      // of the vote that made it the master, as far as it is known

	rounds   int      // discoveries so far
	replicas []string // of the last round that asked for lists
}

// listRounds is every how many rounds the sentinels are asked for what they list:
// the other sentinels, and the replicas. The master is asked for in each.
const listRounds = 8

func newSentinelDiscovery(cfg RedisConfig, tlsConfig *tls.Config) *sentinelDiscovery {
	cfg.MinIdleConns, cfg.PoolSize = -1, 2 // a hanging connection leaves one
	data := cfg
	data.Mode = ModeStandalone // whatever role the server has, it is to be told
	cfg.Mode = ModeStandalone
	cfg.Username, cfg.Password, cfg.DB = cfg.SentinelUsername, cfg.SentinelPassword, 0
	return &sentinelDiscovery{
		cfg: cfg, sentinels: newNodeSet(cfg, tlsConfig), data: newNodeSet(data, tlsConfig), known: slices.Clone(cfg.Addrs),
	}
}

func (d *sentinelDiscovery) close() error { return errors.Join(d.sentinels.close(), d.data.close()) }
func (d *sentinelDiscovery) wait()        { d.asking.Wait() }

// sentinelView is what one sentinel says.
type sentinelView struct {
	master    string
	epoch     int // of the vote that made it the master; 0 if the sentinel does not tell
	replicas  []string
	sentinels []string
	err       error
}

// discover weighs what the sentinels say. A sentinel learns of a failover up to
// some seconds after the one that led it, so a single one that names another
// master is believed if that server says that it is a master and the one that
// the others name does not. If both do, as on the two sides of a cut network,
// the majority of the sentinels decides; without one the master in use stays. A
// newer epoch counts as a majority: it takes the votes of one to get it.
func (d *sentinelDiscovery) discover(ctx context.Context) (layout, error) {
	d.mu.Lock()
	addrs, current, epoch := slices.Clone(d.known), d.master, d.epoch
	lists := d.rounds%listRounds == 0
	d.rounds++
	d.mu.Unlock()
	votes, views, err := d.collect(ctx, addrs, lists)
	if len(votes) == 0 {
		return layout{}, err
	}
	if elected := electedSince(views, epoch); elected != "" {
		votes[elected] = max(votes[elected], len(addrs)+1)
	}
	master, err := d.choose(ctx, votes, current, len(addrs)/2+1)
	if err != nil {
		return layout{}, err
	}
	if lists {
		d.learnLists(views)
	}
	return d.learn(master, views), nil
}

// electedSince is the master of the newest vote, "" if none is newer than known.
func electedSince(views []sentinelView, known int) (master string) {
	for _, v := range views {
		if v.epoch > known {
			master, known = v.master, v.epoch
		}
	}
	return master
}

const (
	// lateSentinel is how long a sentinel may keep a majority waiting.
	lateSentinel = 150 * time.Millisecond
	// silentSentinels is how long a majority is waited for. Sentinels list those
	// that have gone for ever, so it may never answer; and there must be time left
	// to ask the servers for their role.
	silentSentinels = refreshTimeout / 2
)

// collect asks all sentinels at the same time.
func (d *sentinelDiscovery) collect(ctx context.Context, addrs []string, lists bool) (votes map[string]int, views []sentinelView, err error) {
	answers := make(chan sentinelView, len(addrs))
	for _, addr := range addrs {
		d.asking.Go(func() { answers <- d.askSentinel(ctx, addr, lists) })
	}
	votes = map[string]int{}
	var failures nodeErrors
	var late <-chan time.Time
	silent := time.After(silentSentinels)
	enough := len(addrs)/2 + 1
	for answered := 0; answered < len(addrs); {
		select {
		case v := <-answers:
			answered++
			if v.err != nil {
				failures = append(failures, v.err)
				continue
			}
			views = append(views, v)
			votes[v.master]++
		case <-silent:
			enough = 1
		case <-late:
			return votes, views, failures
		case <-ctx.Done():
			return votes, views, append(failures, explainConnection(attempt{err: ctx.Err(), ended: true}))
		}
		if late == nil && len(views) >= enough {
			late = time.After(lateSentinel)
		}
	}
	return votes, views, failures
}

// choose gives the address that is the master. majority is how many sentinels
// outweigh that the one in use still says that it is.
func (d *sentinelDiscovery) choose(ctx context.Context, votes map[string]int, current string, majority int) (string, error) {
	if len(votes) == 1 && votes[current] > 0 {
		return current, nil // no news: its connections tell if it is of use
	}
	var failures []error
	for _, c := range d.askRoles(ctx, candidates(votes, current, majority)) {
		role, err := c.role(ctx)
		if err == nil && role == roleMaster {
			return c.addr, nil
		}
		if err == nil {
			err = fmt.Errorf("%w: %s is a %s", errNoMaster, c.addr, role)
		}
		failures = append(failures, err)
	}
	if current == "" {
		return "", nodeErrors(failures)
	}
	return current, nil // a failover is under way
}

// candidates are the addresses that may be the master's, the likeliest first.
func candidates(votes map[string]int, current string, majority int) []string {
	addrs := slices.Collect(maps.Keys(votes))
	if current != "" && votes[current] == 0 {
		addrs = append(addrs, current)
	}
	rank := func(addr string) int {
		switch {
		case votes[addr] >= majority:
			return 0
		case addr == current:
			return 1
		default:
			return 2
		}
	}
	slices.SortFunc(addrs, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(votes[b], votes[a]), cmp.Compare(a, b))
	})
	return addrs
}

// candidate is a server that has been asked for its role.
type candidate struct {
	addr   string
	answer chan roleAnswer
}

type roleAnswer struct {
	role string
	err  error
}

// askRoles asks all servers at the same time: one that hangs costs the others none.
func (d *sentinelDiscovery) askRoles(ctx context.Context, addrs []string) []candidate {
	asked := make([]candidate, len(addrs))
	for i, addr := range addrs {
		c := candidate{addr: addr, answer: make(chan roleAnswer, 1)}
		d.asking.Go(func() {
			role, err := d.askRole(ctx, addr)
			c.answer <- roleAnswer{role, err}
		})
		asked[i] = c
	}
	return asked
}

// role waits for the answer. One that is there counts, whatever became of ctx.
func (c candidate) role(ctx context.Context) (string, error) {
	select {
	case a := <-c.answer:
		return a.role, a.err
	default:
	}
	select {
	case a := <-c.answer:
		return a.role, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// askSentinel asks one sentinel for the master, and for what it knows besides.
func (d *sentinelDiscovery) askSentinel(ctx context.Context, addr string, lists bool) sentinelView {
	p := d.sentinels.get(addr, d.cfg.PoolSize, 0).acquire()
	if p == nil {
		return sentinelView{err: errNodeGone}
	}
	defer p.release()
	value, err := ask(ctx, p.Client, "sentinel", "get-master-addr-by-name", d.cfg.MasterName)
	if err != nil {
		return sentinelView{err: err}
	}
	pair, ok := value.([]any)
	if !ok || len(pair) != 2 {
		return sentinelView{err: fmt.Errorf("%w: sentinel %s knows no master named %q", errNoMaster, addr, d.cfg.MasterName)}
	}
	host, _ := pair[0].(string)
	port, _ := pair[1].(string)
	v := sentinelView{master: reachable(net.JoinHostPort(host, port), addr)}
	v.epoch = d.epochOf(ctx, p.Client)
	if lists {
		v.replicas = d.list(ctx, p.Client, addr, "replicas")
		v.sentinels = d.list(ctx, p.Client, addr, "sentinels")
	}
	return v
}

// epochOf asks for the epoch of the vote that made the master what it is; 0 if
// that may not be asked.
func (d *sentinelDiscovery) epochOf(ctx context.Context, c *redis.Client) int {
	value, err := ask(ctx, c, "sentinel", "master", d.cfg.MasterName)
	if err != nil {
		return 0
	}
	return wordNumber(wordMap(value)["config-epoch"])
}

// list gives the usable addresses of what a sentinel lists; none if it may not
// be asked.
func (d *sentinelDiscovery) list(ctx context.Context, c *redis.Client, origin, what string) []string {
	value, err := ask(ctx, c, "sentinel", what, d.cfg.MasterName)
	rows, ok := value.([]any)
	if err != nil || !ok {
		return nil
	}
	var addrs []string
	for _, row := range rows {
		fields := wordMap(row)
		if fields["ip"] != "" && fields["port"] != "" {
			addrs = append(addrs, reachable(net.JoinHostPort(fields["ip"], fields["port"]), origin))
		}
	}
	return addrs
}

// learnLists remembers the replicas and the other sentinels.
func (d *sentinelDiscovery) learnLists(views []sentinelView) {
	var replicas []string
	known := slices.Clone(d.cfg.Addrs)
	for _, v := range views {
		replicas = append(replicas, v.replicas...)
		known = append(known, v.sentinels...)
	}
	slices.Sort(replicas)
	keep := map[string]bool{}
	unique := known[:0]
	for _, addr := range known {
		if !keep[addr] {
			keep[addr] = true
			unique = append(unique, addr)
		}
	}
	d.mu.Lock()
	d.known, d.replicas = unique, slices.Compact(replicas)
	d.mu.Unlock()
	d.sentinels.keep(keep)
}

// learn remembers the master.
func (d *sentinelDiscovery) learn(master string, views []sentinelView) layout {
	d.mu.Lock()
	d.master = master
	for _, v := range views { // never lower: a stale sentinel alone, after a round without epochs, would be news
		if v.master == master {
			d.epoch = max(d.epoch, v.epoch)
		}
	}
	l := layout{master: master, replicas: slices.DeleteFunc(slices.Clone(d.replicas), func(addr string) bool { return addr == master })}
	d.mu.Unlock()
	d.data.keep(map[string]bool{master: true})
	return l
}

func (d *sentinelDiscovery) askRole(ctx context.Context, addr string) (string, error) {
	p := d.data.get(addr, d.cfg.PoolSize, 0).acquire()
	if p == nil {
		return "", errNodeGone
	}
	defer p.release()
	return roleOf(ctx, p.Client)
}
