package reliability

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/scripts"
)

// Half of the slots that move hold links, half the states of pods.
const (
	movedSlots   = 50
	reshardCalls = 10_000
	splitFor     = 200 * time.Millisecond
)

// TestReshard moves 50 slots to and fro under callers of every script and of
// batches. Every fifth slot is held for a while with its keys on both nodes, and
// the nodes forget the scripts with each round.
func TestReshard(t *testing.T) {
	watchLeaks(t)
	cluster, ns := redistest.StartCluster(t), redistest.NewPrefix(t)
	e := open(t, clusterConfig(cluster))
	s := newReshard(t, e, ns)
	load := Load{Callers: 50, Timeout: 5 * time.Second, Pause: 5 * time.Millisecond, Call: s.call}.Start()
	client := plainCluster(t, cluster)
	pipelined := Load{Callers: 5, Timeout: 5 * time.Second, Pause: 5 * time.Millisecond, Call: s.pipeline(client), Judge: JudgePlain}.Start()
	requireTraffic(t, load, 500)
	rounds := 0
	for ; rounds < 2 || load.Calls() < pick[int64](10*reshardCalls, reshardCalls); rounds++ {
		require.NoError(t, s.moveAll(t, cluster))
	}
	tally, beside := load.StopAll(), pipelined.StopAll()

	f := newFigures(t, library+", all scripts and batches")
	f.load(tally)
	f.atLeast("calls in all", tally.Calls, reshardCalls)
	f.count("slots moved", rounds*movedSlots)
	f.took("longest call", tally.Latency.Max())
	f.exactly("failed calls", tally.Failed(), 0)
	f = newFigures(t, control+", pipelined EVALSHA")
	f.load(beside)
	f.atLeast("failed calls", beside.Failed(), 1)
}

// reshard is a load on keys in slots that move.
type reshard struct {
	ns       string
	exec     *statelink.Executor
	scripts  *statelink.ScriptExecutor
	uids     []string
	services []string
	slots    []int
}

func newReshard(t *testing.T, e *statelink.Executor, ns string) *reshard {
	t.Helper()
	se, err := statelink.NewScriptExecutor(e.Manager())
	require.NoError(t, err)
	s := &reshard{ns: ns, exec: e, scripts: se}
	for i := 0; len(s.slots) < movedSlots; i++ {
		uid, svc := uidsOf("u", i+1)[i], uidsOf("s", i+1)[i]
		userSlot, stateSlot := redistest.Slot(keys.User(ns, uid)), redistest.Slot(keys.State(ns, svc))
		if slices.Contains(s.slots, userSlot) || slices.Contains(s.slots, stateSlot) || userSlot == stateSlot {
			continue
		}
		s.uids, s.services, s.slots = append(s.uids, uid), append(s.services, svc), append(s.slots, userSlot, stateSlot)
	}
	return s
}

// call runs one of the eleven scripts, or a batch.
func (s *reshard) call(ctx context.Context, caller, n int) error {
	uid, svc := s.uids[caller%len(s.uids)], s.services[caller%len(s.services)]
	link, user, state := keys.Link(s.ns, uid, service), keys.User(s.ns, uid), keys.State(s.ns, svc)
	calls := []func() error{
		func() error { return second(s.scripts.ExecuteSetLink(ctx, link, user, service, n, forever)) },
		func() error { return second(s.scripts.ExecuteSetLinkIfAbsent(ctx, link, user, service, n, forever)) },
		func() error {
			_, _, err := s.scripts.ExecuteTrySetLink(ctx, link, user, service, n, forever)
			return err
		},
		func() error { return second(s.scripts.ExecuteGetLinkIfPersist(ctx, link)) },
		func() error { return second(s.scripts.ExecuteGetLinkService(ctx, user)) },
		func() error {
			_, _, err := s.scripts.ExecuteComputeLinkIfAbsent(ctx, link, user, service, forever, n, statelink.NoPod)
			return err
		},
		func() error { return second(s.scripts.ExecuteRemoveLinkWithId(ctx, link, user, service, 0, n-1)) },
		func() error {
			return second(s.scripts.ExecuteSetState(ctx, state, caller, int64(n), statelink.RoutingReady))
		},
		func() error { return second(s.scripts.ExecuteGetServicePod(ctx, state, time.Minute, 5)) },
		func() error { _, _, err := s.scripts.ExecuteGetService(ctx, state); return err },
		func() error { return second(s.exec.BatchGetLinkedPod(ctx, s.ns, s.uids, service)) },
		func() error { return second(s.scripts.ExecuteRemoveLink(ctx, link, user, service, 0)) },
	}
	return calls[n%len(calls)]()
}

func second[T any](_ T, err error) error { return err }

// pipeline is what a plain client does to save round trips: the SHA is known, so
// EVALSHA goes into a pipeline.
func (s *reshard) pipeline(client redis.UniversalClient) func(context.Context, int, int) error {
	script := redis.NewScript(mustScript(scripts.SetLink) + "-- of its own, so that nobody else loads it\n")
	sha := script.Hash()
	load := sync.OnceValue(func() error { return script.Load(context.Background(), client).Err() })
	return func(ctx context.Context, _, n int) error {
		if err := load(); err != nil {
			return err
		}
		_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, uid := range s.uids {
				pipe.EvalSha(ctx, sha, []string{keys.Link(s.ns, uid, "plain"), keys.User(s.ns, uid)}, "plain", n, forever)
			}
			return nil
		})
		return err
	}
}

// moveAll moves each slot to a master that does not have it.
func (s *reshard) moveAll(t *testing.T, cluster *redistest.Cluster) error {
	t.Helper()
	masters := cluster.Masters()
	for _, m := range masters {
		if err := m.Client(t).ScriptFlush(context.Background()).Err(); err != nil {
			return err
		}
	}
	for i, slot := range s.slots {
		owner := cluster.SlotOwner(slot)
		to := masters[i%len(masters)]
		if to == owner {
			to = masters[(i+1)%len(masters)]
		}
		if err := moveSlot(cluster, slot, to, i%5 == 0); err != nil {
			return err
		}
	}
	return nil
}

func moveSlot(cluster *redistest.Cluster, slot int, to *redistest.Server, split bool) error {
	m, err := cluster.StartMove(slot, to)
	if err != nil {
		return err
	}
	if split {
		if _, err := m.Keys(1); err != nil {
			return err
		}
		time.Sleep(splitFor) // calls on keys of both nodes are told to come again
	}
	return m.Finish()
}

// TestSplitSlot holds one slot split for 2 s: a call on keys of both nodes waits
// inside its deadline.
func TestSplitSlot(t *testing.T) {
	watchLeaks(t)
	cluster, ns := redistest.StartCluster(t), redistest.NewPrefix(t)
	e := open(t, clusterConfig(cluster))
	ctx := within(t, 20*time.Second)
	_, err := e.SetLinkedPod(ctx, ns, "u", service, 1, forever)
	require.NoError(t, err)
	slot := redistest.Slot(keys.User(ns, "u"))
	owner := cluster.SlotOwner(slot)
	to := cluster.Masters()[slices.IndexFunc(cluster.Masters(), func(s *redistest.Server) bool { return s != owner })]
	m, err := cluster.StartMove(slot, to)
	require.NoError(t, err)
	_, err = m.Keys(1)
	require.NoError(t, err)

	client := plainCluster(t, cluster)
	begun := time.Now()
	_, err = plain{client, ns}.Set(within(t, 10*time.Second), "u", 2)
	require.ErrorContains(t, err, "TRYAGAIN")
	f := newFigures(t, control)
	f.tookAtMost("gave up with TRYAGAIN after", time.Since(begun), time.Second)

	finished := make(chan error, 1)
	time.AfterFunc(2*time.Second, func() { finished <- m.Finish() })
	begun = time.Now()
	previous, err := e.SetLinkedPod(within(t, 10*time.Second), ns, "u", service, 3, forever)
	took := time.Since(begun)
	require.NoError(t, <-finished)
	require.NoError(t, err)
	require.Equal(t, 1, previous)
	f = newFigures(t, library)
	f.tookAtMost("answered, with a slot split for 2 s, after", took, 3*time.Second)
}
