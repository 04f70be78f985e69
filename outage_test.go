package statelink_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestOutageOlderThanThePodMaxAge shows what the guarantees do not cover: Redis
// was away for longer than a heartbeat may be old, and the first pod to report
// gets the users that are looked up. The other pods learn it when they claim.
func TestOutageOlderThanThePodMaxAge(t *testing.T) {
	srv, ctx := redistest.StartServer(t), t.Context()
	const maxAge = 400 * time.Millisecond
	e, err := statelink.Open(ctx, redismanager.RedisConfig{Addr: srv.Addr()}, statelink.WithPodMaxAge(maxAge))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	report := func(pod int) {
		require.NoError(t, e.ReportPodState(ctx, "ns", "game", pod, 0, statelink.RoutingReady))
	}
	for i := range 9 {
		report(i % 3)
		_, err := e.SetLinkedPod(ctx, "ns", "u"+strconv.Itoa(i), "game", i%3, statelink.PersistForever)
		require.NoError(t, err)
	}

	srv.Pause()
	time.Sleep(maxAge + 200*time.Millisecond) // the outage itself is the subject
	srv.Resume()

	for i := range 9 {
		report(0)
		pod, err := e.ComputeLinkedPodIfAbsent(ctx, "ns", "u"+strconv.Itoa(i), "game", statelink.PersistForever)
		require.NoError(t, err)
		require.Equal(t, 0, pod, "only pod 0 has a fresh heartbeat")
	}
	report(1)
	ok, owner, err := e.TrySetLinkedPod(ctx, "ns", "u1", "game", 1, statelink.PersistForever)
	require.NoError(t, err)
	require.False(t, ok, "pod 1 learns that it lost u1")
	require.Equal(t, 0, owner)
}

// TestDecisionThatTookTooLong: a placement is not carried out on a view of the
// pods that is older than a heartbeat may be, and says why.
func TestDecisionThatTookTooLong(t *testing.T) {
	proxy := redistest.NewProxy(t, redistest.SharedStandalone(t).Addr())
	ctx, ns := t.Context(), redistest.NewPrefix(t)
	e, err := statelink.Open(ctx, redismanager.RedisConfig{Addr: proxy.Addr()}, statelink.WithPodMaxAge(200*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	require.NoError(t, e.ReportPodState(ctx, ns, "game", 0, 0, statelink.RoutingReady))
	proxy.SetDelay(300 * time.Millisecond)
	_, err = e.ComputeLinkedPodIfAbsent(ctx, ns, "alice", "game", statelink.PersistForever)
	require.ErrorIs(t, err, statelink.ErrTimeout)
	require.ErrorContains(t, err, "the decision took longer than the pod max age of 200ms")
}
