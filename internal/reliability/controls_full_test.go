//go:build soak

package reliability

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// TestClusterMasterKilledPlain is the control of TestClusterMasterKilled in full:
// go-redis' own client with its defaults, 200 callers, until it is well again.
func TestClusterMasterKilledPlain(t *testing.T) {
	watchLeaks(t)
	cluster, ns := startPartialCluster(t), redistest.NewPrefix(t)
	s := newShard(t, cluster, ns, cluster.Masters()[0], hasty)
	links := NewLinks(plain{plainCluster(t, cluster), ns}, hasty, JudgePlain)
	load := Load{
		Callers: len(hasty), Timeout: time.Second, Pause: 50 * time.Millisecond,
		Group: s.group(hasty), Call: links.Call, Judge: JudgePlain,
	}.Start()
	requireTraffic(t, load, 1000)
	fault := time.Now()
	s.victim.Kill()
	time.Sleep(75 * time.Second)
	groups := load.Stop()
	f := newFigures(t, control+", 200 callers")
	hit, rest := groups[onHitShard], groups[elsewhere]
	f.load(hit)
	f.window(hit, fault)
	f.tookAtLeast("window of errors on the shard", hit.Window(), clusterWindow)
	f.count("failed calls on other shards", rest.Failed())
	f.count("wrong answers", int(links.Wrong.Load()))
}

// TestClusterMasterKilledFullCoverage is the same fault with Redis' default: no
// node serves while one slot has no master, so all shards fail for a while.
func TestClusterMasterKilledFullCoverage(t *testing.T) {
	watchLeaks(t)
	cluster, ns := redistest.StartCluster(t), redistest.NewPrefix(t)
	victim := cluster.Masters()[0]
	s := newShard(t, cluster, ns, victim, hasty)
	links := NewLinks(ours{open(t, clusterConfig(cluster)), ns}, hasty, JudgeLibrary)
	load := Load{
		Callers: len(hasty), Timeout: time.Second, Pause: 50 * time.Millisecond,
		Group: s.group(hasty), Call: links.Call,
	}.Start()
	requireTraffic(t, load, 1000)
	fault := time.Now()
	victim.Kill()
	time.Sleep(20 * time.Second)
	groups := load.Stop()
	hit, rest := groups[onHitShard], groups[elsewhere]
	require.NotZero(t, rest.OK)
	f := newFigures(t, library+", 200 callers, 1 s per call")
	f.load(hit)
	f.window(hit, fault)
	f.tookAtMost("window of errors on the shard", hit.Window(), clusterWindow)
	f.tookAtMost("window of errors on the other shards", rest.Window(), clusterWindow)
	f.exactly("wrong answers", int(links.Wrong.Load()), 0)
}

// TestWaitPlain is the control of the acknowledgements: WAIT has no key, so
// go-redis' client for a Cluster asks any node, and is told that a replica has
// what its own replica has never heard of.
func TestWaitPlain(t *testing.T) {
	watchLeaks(t)
	cluster, ns := redistest.StartCluster(t), redistest.NewPrefix(t)
	client := plainCluster(t, cluster)
	victim := cluster.Masters()[0]
	replica := cluster.ReplicaOf(victim)
	s := newShard(t, cluster, ns, victim, hasty)
	replica.Pause()
	defer replica.Resume()
	asked, confirmed := 0, 0
	for _, uid := range hasty {
		if !s.hit[uid] || asked == 30 {
			continue
		}
		asked++
		_, err := plain{client, ns}.Set(within(t, time.Second), uid, 1)
		require.NoError(t, err)
		n, err := client.Wait(within(t, 5*time.Second), 1, 20*time.Millisecond).Result()
		require.NoError(t, err)
		confirmed += count(n >= 1)
	}
	f := newFigures(t, control)
	f.exactly("links made while their replica is stopped", asked, 30)
	f.atLeast("of them confirmed by WAIT 1", confirmed, 1)
}

// TestPlannedFailoverPlain is TestPlannedFailoverWithoutAcks with go-redis' own
// client.
func TestPlannedFailoverPlain(t *testing.T) {
	watchLeaks(t)
	set, ns := redistest.StartSentinel(t), redistest.NewPrefix(t)
	links := newFresh(plain{plainSentinel(t, set), ns}, 50)
	links.judge = JudgePlain
	plannedFailover(t, newFigures(t, control), set, open(t, sentinelConfig(set)), links, ns)
}
