package redistest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMoveSlot(t *testing.T) {
	t.Parallel()
	cluster, ctx := StartCluster(t), context.Background()
	slot := Slot("{a}")
	from := cluster.SlotOwner(slot)
	require.Same(t, from, cluster.NodeForKey(t, "{a}"))
	to := other(cluster.Masters(), from)
	old, next := from.Client(t), to.Client(t)
	require.NoError(t, old.MSet(ctx, "{a}1", 1, "{a}2", 2).Err())

	m, err := cluster.StartMove(slot, to)
	require.NoError(t, err)
	moved, err := m.Keys(1)
	require.NoError(t, err)
	require.Equal(t, 1, moved)
	require.ErrorContains(t, old.MGet(ctx, "{a}1", "{a}2").Err(), "TRYAGAIN")
	require.ErrorContains(t, old.Get(ctx, "{a}absent").Err(), "ASK ")

	require.NoError(t, m.Finish())
	require.Same(t, to, cluster.SlotOwner(slot))
	require.Equal(t, []any{"1", "2"}, next.MGet(ctx, "{a}1", "{a}2").Val())
	require.ErrorContains(t, old.Get(ctx, "{a}1").Err(), "MOVED ")
	require.Error(t, cluster.MoveSlot(slot, to), "it is there")

	require.NoError(t, cluster.MoveSlot(slot, from))
	require.Equal(t, "1", old.Get(ctx, "{a}1").Val())
	cluster.WaitReady(t)
}

func other(servers []*Server, than *Server) *Server {
	for _, s := range servers {
		if s != than {
			return s
		}
	}
	return nil
}

func TestMoveSlotWithAPassword(t *testing.T) {
	t.Parallel()
	cluster, ctx := StartCluster(t, WithPassword("s3cret")), context.Background()
	from := cluster.NodeForKey(t, "k")
	to := other(cluster.Masters(), from)
	require.NoError(t, from.Client(t).Set(ctx, "k", "v", 0).Err())
	require.NoError(t, cluster.MoveSlot(Slot("k"), to))
	require.Equal(t, "v", to.Client(t).Get(ctx, "k").Val())
}
