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
	hasty, patient, others := uidsOf("hasty", 200), uidsOf("patient", 20), uidsOf("plain", 20)
	s := newShard(t, cluster, ns, cluster.Masters()[0], hasty, patient, others)

	hastyLinks := NewLinks(ours{open(t, clusterConfig(cluster)), ns}, hasty, JudgeLibrary)
	patientLinks := NewLinks(ours{open(t, clusterConfig(cluster)), ns}, patient, JudgeLibrary)
	plainLinks := NewLinks(plain{plainCluster(t, cluster), ns}, others, JudgePlain)
	run := func(l *Links, uids []string, timeout time.Duration) *Running {
		return Load{
			Callers: len(uids), Timeout: timeout, Pause: 50 * time.Millisecond,
			Group: s.group(uids), Call: l.Call, Judge: l.judge,
		}.Start()
	}
	first := run(hastyLinks, hasty, time.Second)
	second := run(patientLinks, patient, 10*time.Second)
	third := run(plainLinks, others, time.Second)
	requireTraffic(t, first, 1000)

	fault := time.Now()
	s.victim.Kill()
	time.Sleep(pick(20*time.Second, 9*time.Second))
	reportHasty(t, first.Stop(), hastyLinks, fault)
	reportPatient(t, second.Stop(), patientLinks)
	reportBeside(t, third.Stop(), fault)
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

func reportHasty(t *testing.T, groups map[string]Tally, l *Links, fault time.Time) {
	hit, rest := groups[onHitShard], groups[elsewhere]
	f := newFigures(t, library+", 200 callers, 1 s per call")
	f.load(hit)
	f.window(hit, fault)
	f.tookAtMost("window of errors on the shard", hit.Window(), clusterWindow)
	f.exactly("failed calls on other shards", rest.Failed(), 0)
	f.took("99th percentile call on other shards", rest.Latency.Quantile(0.99))
	f.exactly("wrong answers", int(l.Wrong.Load()), 0)
	f.count("acknowledged links seen lost (no replica asked)", int(l.Lost.Load()))
	for class, err := range rest.Examples {
		t.Logf("other shards: %s: %v", class, err)
	}
}

func reportPatient(t *testing.T, groups map[string]Tally, l *Links) {
	hit, rest := groups[onHitShard], groups[elsewhere]
	f := newFigures(t, library+", 20 callers, 10 s per call")
	f.load(hit)
	f.exactly("failed calls, outcome unknown left out", hit.Failed()-hit.Unknown+rest.Failed()-rest.Unknown, 0)
	f.count("outcome unknown", hit.Unknown+rest.Unknown)
	f.took("longest call", hit.Latency.Max())
	f.exactly("wrong answers", int(l.Wrong.Load()), 0)
}

// reportBeside wants the control to fail for longer than the library may.
func reportBeside(t *testing.T, groups map[string]Tally, fault time.Time) {
	hit := groups[onHitShard]
	f := newFigures(t, control+", 20 callers, beside it")
	f.load(hit)
	f.window(hit, fault)
	f.tookAtLeast("window of errors on the shard (cut off by the end of the run)", hit.Window(), clusterWindow)
}
