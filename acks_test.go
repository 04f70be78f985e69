package statelink_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// A standalone server has no replica to acknowledge anything: each change is
// made, gives its answer, and says that it is not durable. What only reads says
// nothing of the kind.
func TestNotDurableChangesGiveTheirAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	plain, err := statelink.Open(ctx, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	require.NoError(t, err)
	defer func() { require.NoError(t, plain.Close()) }()
	const service, forever = "room", statelink.PersistForever
	ns := "acks-" + redistest.NewPrefix(t)[:4] + "x"
	links := plain.WithReplicaAcks(1, 10*time.Millisecond)
	answer := func(value any, err error) any {
		t.Helper()
		var missing *redismanager.NotDurableError
		require.ErrorAs(t, err, &missing)
		require.ErrorIs(t, err, statelink.ErrNotDurable)
		require.Zero(t, missing.Acked)
		return value
	}

	require.Equal(t, nil, answer(nil, links.ReportPodState(ctx, ns, service, 4, 7, statelink.RoutingReady)))
	require.Equal(t, nil, answer(nil, links.SetServiceState(ctx, ns, service, 4, "7-0-1")))
	require.Equal(t, nil, answer(nil, links.SetWorkloadState(ctx, ns, service, "open")))
	require.Equal(t, statelink.NoPod, answer(links.SetLinkedPod(ctx, ns, "u", service, 3, forever)))
	require.Equal(t, 3, answer(links.SetLinkedPod(ctx, ns, "u", service, 3, forever)))
	require.Equal(t, 3, answer(links.SetLinkedPodIfAbsent(ctx, ns, "u", service, 5, forever)))
	ok, current, err := links.TrySetLinkedPod(ctx, ns, "u", service, 5, forever)
	require.Equal(t, 3, answer(current, err))
	require.False(t, ok)
	ok, current, err = links.TrySetLinkedPod(ctx, ns, "u", service, 3, forever)
	require.Equal(t, 3, answer(current, err))
	require.True(t, ok)
	require.Equal(t, 4, answer(links.ComputeLinkedPodIfAbsent(ctx, ns, "new", service, forever)))
	require.Equal(t, false, answer(links.RemoveLinkedPodWithId(ctx, ns, "u", service, 0, 9)))
	require.Equal(t, true, answer(links.RemoveLinkedPodWithId(ctx, ns, "u", service, 60, 3)))
	require.Equal(t, true, answer(links.RemoveLinkedPod(ctx, ns, "u", service, 0)))

	pod, err := links.GetLinkedPod(ctx, ns, "new", service)
	require.NoError(t, err)
	require.Equal(t, 4, pod)
	pod, err = links.ComputeLinkedPodIfAbsent(ctx, ns, "new", service, forever)
	require.NoError(t, err, "the link was there: nothing was changed")
	require.Equal(t, 4, pod)
	require.NoError(t, links.Close(), "it owns nothing")
	_, err = plain.SetLinkedPod(ctx, ns, "u", service, 3, forever)
	require.NoError(t, err, "the executor that it was made from asks for nothing")
}

func TestReplicaAcksOutOfRange(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	links, err := statelink.Open(ctx, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	require.NoError(t, err)
	defer func() { require.NoError(t, links.Close()) }()
	_, err = links.WithReplicaAcks(17, time.Second).SetLinkedPod(ctx, "ns", "u", "room", 3, 60)
	require.ErrorIs(t, err, statelink.ErrInvalidArgument)
	_, err = links.WithReplicaAcks(1, time.Hour).SetLinkedPod(ctx, "ns", "u", "room", 3, 60)
	require.ErrorIs(t, err, statelink.ErrInvalidArgument)
	pod, err := links.GetLinkedPod(ctx, "ns", "u", "room")
	require.NoError(t, err)
	require.Equal(t, statelink.NoPod, pod)
}
