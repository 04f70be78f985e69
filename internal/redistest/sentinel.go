package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// sentinelCount is how many sentinels watch; two of them must agree.
const sentinelCount = 3

// SentinelSet is a master, its replica and three sentinels that watch them
// (down after 1 s, failover timeout 5 s, quorum 2).
type SentinelSet struct {
	// MasterName is the name under which the sentinels know the master.
	MasterName string

	data      []*Server // the master of the first day, then its replica
	sentinels []*Server
}

// StartSentinel starts a Sentinel set for one test. It returns when the replica
// is in sync and every sentinel knows the replica and the other sentinels.
func StartSentinel(tb testing.TB, opts ...Option) *SentinelSet {
	tb.Helper()
	set, err := startSentinel(newConfig(opts))
	if err != nil {
		tb.Fatalf("redistest: start sentinel set: %v", err)
	}
	tb.Cleanup(set.close)
	return set
}

func startSentinel(cfg config) (*SentinelSet, error) {
	if cfg.master != nil {
		return nil, errors.New("WithReplicaOf is for StartServer only")
	}
	set := &SentinelSet{MasterName: MasterName}
	err := set.start(cfg)
	if err == nil {
		err = set.waitWhole()
	}
	if err != nil {
		log := set.logTail()
		set.close()
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	return set, nil
}

// start starts the replica before the sentinels: they ask the master for its
// replicas when they connect, and then only every 10 s.
func (s *SentinelSet) start(cfg config) error {
	master, err := startServer(cfg)
	if err != nil {
		return err
	}
	s.data = append(s.data, master)
	cfg.master = master
	replica, err := startServer(cfg)
	if err != nil {
		return err
	}
	s.data = append(s.data, replica)
	cfg.master, cfg.watch = nil, master
	s.sentinels, err = startAll(repeat(cfg, sentinelCount))
	return err
}

func (s *SentinelSet) close() {
	closeAll(s.sentinels)
	closeAll(s.data)
}

// Addrs are the addresses of the sentinels.
func (s *SentinelSet) Addrs() []string { return addrs(s.sentinels) }

// Sentinels are the sentinel processes.
func (s *SentinelSet) Sentinels() []*Server { return append([]*Server(nil), s.sentinels...) }

// Master is the current master according to the first sentinel that answers.
// If none does, it is the server that was started as master.
func (s *SentinelSet) Master() *Server {
	for _, sentinel := range s.sentinels {
		if addr, err := masterAddr(sentinel); err == nil {
			return s.byAddr(addr)
		}
	}
	return s.data[0]
}

// Replica is the data server that is not the master.
func (s *SentinelSet) Replica() *Server {
	if s.Master() == s.data[0] {
		return s.data[1]
	}
	return s.data[0]
}

func (s *SentinelSet) byAddr(addr string) *Server {
	for _, d := range s.data {
		if d.Addr() == addr {
			return d
		}
	}
	return s.data[0]
}

// WaitReady waits until the set is whole again: all sentinels agree on one
// master, and the replica is in sync. For use after a failover and a Restart.
func (s *SentinelSet) WaitReady(tb testing.TB) {
	tb.Helper()
	if err := s.waitWhole(); err != nil {
		tb.Fatalf("redistest: sentinel set: %v\n%s", err, s.logTail())
	}
}

// waitWhole waits for check, and meanwhile lets the sentinels ask and tell each
// other more often. At their normal pace (INFO every 10 s, a restarted master
// demoted after 8 s) a set needs 20 s to be whole again. Tests run at that
// normal pace.
func (s *SentinelSet) waitWhole() error {
	if err := s.check(); err == nil {
		return nil
	}
	if err := s.setPace(200, 200); err != nil {
		return err
	}
	whole := waitFor(topologyTimeout, s.check)
	return errors.Join(whole, s.setPace(normalInfoPeriod, normalPublishPeriod))
}

// The periods of a sentinel in milliseconds, as Redis has them by default.
const (
	normalInfoPeriod    = 10000
	normalPublishPeriod = 2000
)

// setPace sets the periods of the sentinels that run; the others have the normal
// ones when they start.
func (s *SentinelSet) setPace(infoPeriod, publishPeriod int) error {
	for _, sentinel := range s.sentinels {
		err := sentinel.admin(func(ctx context.Context, c *redis.Client) error {
			return c.Do(ctx, "sentinel", "debug", "info-period", infoPeriod,
				"publish-period", publishPeriod).Err()
		})
		if err != nil && !errors.Is(err, errDown) {
			return fmt.Errorf("sentinel %s: %w", sentinel.Addr(), err)
		}
	}
	return nil
}

func (s *SentinelSet) check() error {
	master := s.Master()
	for _, sentinel := range s.sentinels {
		if err := sentinelKnowsAll(sentinel, master.Addr()); err != nil {
			return fmt.Errorf("sentinel %s: %w", sentinel.Addr(), err)
		}
	}
	return inSync(master, s.Replica())
}

func (s *SentinelSet) logTail() string {
	var b strings.Builder
	for _, srv := range append(s.Sentinels(), s.data...) {
		if srv != nil {
			fmt.Fprintf(&b, "--- %s\n%s\n", srv.Addr(), srv.LogTail())
		}
	}
	return b.String()
}

func masterAddr(sentinel *Server) (string, error) {
	if !sentinel.running() {
		return "", errDown
	}
	client := sentinel.sentinelClient()
	defer client.Close()
	pair, err := client.GetMasterAddrByName(context.Background(), MasterName).Result()
	if err != nil {
		return "", err
	}
	if len(pair) != 2 {
		return "", fmt.Errorf("no address of %s", MasterName)
	}
	return net.JoinHostPort(pair[0], pair[1]), nil
}

// sentinelKnowsAll checks what one sentinel sees: the master at addr and up, one
// usable replica, and the other sentinels in a number that can vote.
func sentinelKnowsAll(sentinel *Server, addr string) error {
	client := sentinel.sentinelClient()
	defer client.Close()
	ctx := context.Background()
	master, err := client.Master(ctx, MasterName).Result()
	if err != nil {
		return err
	}
	if err := masterIsWhole(master, addr); err != nil {
		return err
	}
	replicas, err := client.Replicas(ctx, MasterName).Result()
	if err != nil {
		return err
	}
	if err := replicaIsUsable(replicas); err != nil {
		return err
	}
	return client.CkQuorum(ctx, MasterName).Err()
}

func masterIsWhole(master map[string]string, addr string) error {
	seen := net.JoinHostPort(master["ip"], master["port"])
	switch {
	case seen != addr:
		return fmt.Errorf("sees the master at %s, others at %s", seen, addr)
	case master["flags"] != "master":
		return fmt.Errorf("master has flags %q", master["flags"])
	case master["num-slaves"] != "1":
		return fmt.Errorf("knows %s replicas", master["num-slaves"])
	case master["num-other-sentinels"] != fmt.Sprint(sentinelCount-1):
		return fmt.Errorf("knows %s other sentinels", master["num-other-sentinels"])
	}
	return nil
}

func replicaIsUsable(replicas []map[string]string) error {
	if len(replicas) != 1 {
		return fmt.Errorf("lists %d replicas", len(replicas))
	}
	r := replicas[0]
	if r["flags"] != "slave" || r["master-link-status"] != "ok" {
		return fmt.Errorf("replica has flags %q, link %q", r["flags"], r["master-link-status"])
	}
	return nil
}

func (s *Server) sentinelClient() *redis.SentinelClient {
	return redis.NewSentinelClient(s.adminOptions())
}
