package reliability

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
)

// sentinelWindow is how long calls may fail after the death of a master: the
// test sets' down-after and 2 s.
const sentinelWindow = time.Second + 2*time.Second

func TestSentinelMasterKilled(t *testing.T) {
	watchLeaks(t)
	set, ns := redistest.StartSentinel(t), redistest.NewPrefix(t)
	loads := startLoads(t, ns, sentinelConfig(set), plainSentinel(t, set), allHit)
	requireTraffic(t, loads.hasty, 1000)
	victim, fault := set.Master(), time.Now()
	victim.Kill()
	time.Sleep(pick(20*time.Second, 6*time.Second))
	loads.report(t, fault, sentinelWindow, 0)
	require.NotSame(t, victim, set.Master(), "nobody took over")
}

// TestPlannedFailoverWithoutAcks is the control of the one with acknowledgements:
// a link that only the master had heard of can be lost without any error. How
// many are depends on the moment, so there is no bound.
func TestPlannedFailoverWithoutAcks(t *testing.T) {
	watchLeaks(t)
	set, ns := redistest.StartSentinel(t), redistest.NewPrefix(t)
	e := open(t, sentinelConfig(set))
	f := newFigures(t, library+", no replica asked")
	plannedFailover(t, f, set, e, newFresh(ours{e, ns}, 50), ns)
}

// plannedFailover swaps master and replica under load and counts the
// acknowledged links that are gone.
func plannedFailover(t *testing.T, f *figures, set *redistest.SentinelSet, e *statelink.Executor, links *fresh, ns string) (missing int) {
	t.Helper()
	load := Load{Callers: len(links.acked), Timeout: time.Second, Pause: 2 * time.Millisecond, Call: links.call, Judge: links.judge}.Start()
	requireTraffic(t, load, 1000)
	old := set.Master()
	require.NoError(t, sentinelCommand(t, set, "failover", set.MasterName))
	fault := time.Now()
	require.Eventually(t, func() bool { return set.Master() != old }, 10*time.Second, 20*time.Millisecond)
	time.Sleep(pick(12*time.Second, 2*time.Second)) // who still writes to the old master loses that
	tally := load.StopAll()
	acked, missing := links.lost(t, e, ns)
	f.load(tally)
	f.window(tally, fault)
	f.count("acknowledged links", acked)
	f.count("of them lost", missing)
	return missing
}

func sentinelCommand(t *testing.T, set *redistest.SentinelSet, args ...any) error {
	t.Helper()
	client := redis.NewClient(set.Sentinels()[0].Options())
	defer client.Close()
	return client.Do(within(t, 5*time.Second), append([]any{"sentinel"}, args...)...).Err()
}

// TestLaggingReplicaWithoutAcks is a control: a replica that had stopped
// listening becomes the master, and with it all links are gone.
func TestLaggingReplicaWithoutAcks(t *testing.T) {
	watchLeaks(t)
	set, ns := redistest.StartSentinel(t), redistest.NewPrefix(t)
	e := open(t, sentinelConfig(set))
	links := newFresh(ours{e, ns}, 50)
	f := newFigures(t, library+", no replica asked")
	laggingReplica(t, set, e, links)
	acked, missing := links.lost(t, e, ns)
	f.exactly("acknowledged links", acked, laggingLinks)
	f.exactly("of them lost", missing, laggingLinks)
}

// laggingLinks is how many links are made while the replica does not listen.
const laggingLinks = 500

// laggingReplica stops the replica, makes links, and lets the replica take over.
// It gives the errors of the links.
func laggingReplica(t *testing.T, set *redistest.SentinelSet, e *statelink.Executor, links *fresh) []error {
	t.Helper()
	master, replica := set.Master(), set.Replica()
	replica.Pause()
	// Its socket would keep what it has not read for the time after.
	require.NoError(t, master.Client(t).ClientKillByFilter(context.Background(), "TYPE", "replica").Err())
	errs := linkAll(t, links, laggingLinks)
	master.Kill()
	replica.Resume()
	require.Eventually(t, func() bool { return set.Master() == replica }, 20*time.Second, 20*time.Millisecond)
	require.Eventually(t, func() bool {
		_, err := e.SetLinkedPod(within(t, time.Second), "other", "u", service, 1, forever)
		return err == nil || JudgeLibrary(err) == Applied
	}, 10*time.Second, 20*time.Millisecond, "the promoted replica does not know the script and gets it")
	return errs
}

// linkAll makes n links by all callers at once.
func linkAll(t *testing.T, links *fresh, n int) []error {
	t.Helper()
	callers := len(links.acked)
	results := make(chan error, n)
	for caller := range callers {
		go func() {
			for i := range n / callers {
				results <- links.call(within(t, 5*time.Second), caller, i)
			}
		}()
	}
	errs := make([]error, n)
	for i := range errs {
		errs[i] = <-results
	}
	return errs
}
