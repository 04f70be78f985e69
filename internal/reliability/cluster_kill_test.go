package reliability

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// clusterWindow is how long calls to the shard of a dead master may fail: the
// node timeout of the test Clusters and 3 s.
const clusterWindow = 2*time.Second + 3*time.Second

// startPartialCluster starts a Cluster whose other shards serve while one does
// not. By default Redis lets no node serve until every slot has a master again:
// no client can then keep the other shards free of errors.
func startPartialCluster(t *testing.T) *redistest.Cluster {
	return redistest.StartCluster(t, redistest.WithConfig("cluster-require-full-coverage", "no"))
}

// shard tells the callers whose link is on the shard that will be hit.
type shard struct {
	cluster *redistest.Cluster
	victim  *redistest.Server
	ns      string
	hit     map[string]bool // by uid
}

func newShard(t *testing.T, c *redistest.Cluster, ns string, victim *redistest.Server, uids ...[]string) *shard {
	t.Helper()
	s := &shard{cluster: c, victim: victim, ns: ns, hit: map[string]bool{}}
	owner := map[int]*redistest.Server{}
	for _, list := range uids {
		for _, uid := range list {
			slot := redistest.Slot(keys.User(ns, uid))
			if owner[slot] == nil {
				owner[slot] = c.NodeForKey(t, keys.User(ns, uid))
			}
			s.hit[uid] = owner[slot] == victim
		}
	}
	return s
}

// The groups of callers.
const (
	onHitShard = "hit shard"
	elsewhere  = "other shards"
)

func (s *shard) group(uids []string) func(caller int) string {
	return func(caller int) string {
		if s.hit[uids[caller]] {
			return onHitShard
		}
		return elsewhere
	}
}

// TestClusterMasterKilled kills one of three masters under three loads at once:
// the library with 1 s per call, the library with 10 s, and go-redis' own client
// with its defaults.
func TestClusterMasterKilled(t *testing.T) {
	watchLeaks(t)
	cluster, ns := startPartialCluster(t), redistest.NewPrefix(t)
	s := newShard(t, cluster, ns, cluster.Masters()[0], hasty, patient, beside)

	loads := startLoads(t, ns, clusterConfig(cluster), plainCluster(t, cluster), s.group)
	requireTraffic(t, loads.hasty, 1000)

	fault := time.Now()
	s.victim.Kill()
	time.Sleep(pick(20*time.Second, 9*time.Second))
	loads.report(t, fault, clusterWindow, clusterWindow)
	require.NotSame(t, s.victim, cluster.NodeForKey(t, keys.User(ns, uidOn(s, hasty))), "nobody took over")
}

func uidOn(s *shard, uids []string) string {
	for _, uid := range uids {
		if s.hit[uid] {
			return uid
		}
	}
	return uids[0]
}
