package reliability

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestPlannedFailoverWithAcks: no link is lost that a replica had acknowledged.
func TestPlannedFailoverWithAcks(t *testing.T) {
	watchLeaks(t)
	set, ns := redistest.StartSentinel(t), redistest.NewPrefix(t)
	e := open(t, sentinelConfig(set))
	durable := e.WithReplicaAcks(1, 500*time.Millisecond)
	f := newFigures(t, library+", one replica asked")
	missing := plannedFailover(t, f, set, e, newFresh(ours{durable, ns}, 50), ns)
	f.exactly("acknowledged links lost", missing, 0)
}

// TestLaggingReplicaWithAcks: the replica that takes over knows none of the
// links, and none had been called durable.
func TestLaggingReplicaWithAcks(t *testing.T) {
	watchLeaks(t)
	set, ns := redistest.StartSentinel(t), redistest.NewPrefix(t)
	e := open(t, sentinelConfig(set))
	links := newFresh(ours{e.WithReplicaAcks(1, 100*time.Millisecond), ns}, 50)
	errs := laggingReplica(t, set, e, links)
	acked, missing := links.lost(t, e, ns)
	f := newFigures(t, library+", one replica asked")
	f.count("acknowledged links", acked)
	f.exactly("of them lost", missing, 0)
	f.exactly("reported as not durable", countNotDurable(t, errs), laggingLinks)
}

func countNotDurable(t *testing.T, errs []error) (n int) {
	t.Helper()
	for _, err := range errs {
		var detail *redismanager.NotDurableError
		if errors.Is(err, statelink.ErrNotDurable) && errors.As(err, &detail) {
			assert.Equal(t, 0, detail.Acked)
			assert.Equal(t, 1, detail.Wanted)
			n++
		}
	}
	return n
}

// TestAcksAreTrue: with the replica stopped no link is called durable, whichever
// connections the callers happen to share. A plain client that asks on another
// connection is told "1" by a replica that has not heard of the link.
func TestAcksAreTrue(t *testing.T) {
	watchLeaks(t)
	cluster, ns := redistest.StartCluster(t), redistest.NewPrefix(t)
	e := open(t, clusterConfig(cluster)).WithReplicaAcks(1, 50*time.Millisecond)
	for _, replica := range cluster.Replicas() {
		replica.Pause()
		t.Cleanup(replica.Resume)
	}
	f := newFigures(t, library+", replicas stopped")
	errs := linkAll(t, newFresh(ours{e, ns}, 8), 200)
	f.exactly("links", len(errs), 200)
	f.exactly("reported as not durable", countNotDurable(t, errs), 200)
}

// TestNotDurableLinkIsThere: the error comes with the answer, and the link is made.
func TestNotDurableLinkIsThere(t *testing.T) {
	watchLeaks(t)
	srv, ns := redistest.StartServer(t), redistest.NewPrefix(t)
	e := open(t, redismanager.RedisConfig{Addr: srv.Addr()})
	durable := e.WithReplicaAcks(1, 20*time.Millisecond)
	previous, err := durable.SetLinkedPod(within(t, time.Second), ns, "u", service, 3, forever)
	require.ErrorIs(t, err, statelink.ErrNotDurable)
	require.Equal(t, statelink.NoPod, previous)
	previous, err = durable.SetLinkedPod(within(t, time.Second), ns, "u", service, 4, forever)
	require.ErrorIs(t, err, statelink.ErrNotDurable)
	require.Equal(t, 3, previous)
	pod, err := e.GetLinkedPod(within(t, time.Second), ns, "u", service)
	require.NoError(t, err)
	require.Equal(t, 4, pod)
}
