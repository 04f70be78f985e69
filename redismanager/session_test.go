package redismanager_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// A command that changes its connection would change it for whoever gets that
// connection next: it is refused in a single call as in a batch.
func TestSingleCallsLeaveTheConnectionAsItIs(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), PoolSize: 1, MinIdleConns: -1})
	ctx := within(t, 10*time.Second)
	for _, args := range [][]any{
		{"SELECT", "1"}, {"client", "reply", "off"}, {"Watch", "k"}, {"subscribe", "k"}, {"HELLO", "2"}, {"auth", "secret"},
	} {
		_, err := m.Write(ctx, args...)
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument, "%v", args)
		require.NotContains(t, err.Error(), "secret")
		_, err = m.Read(ctx, args...)
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument, "%v", args)
	}
	_, err := m.Write(ctx, "SET", "k", "v")
	require.NoError(t, err)
	require.Equal(t, "v", srv.Client(t).Get(ctx, "k").Val(), "in the database of the configuration")
	_, err = m.Tx(ctx, []redismanager.BatchItem{command("SET", "k", "w")})
	require.NoError(t, err)
}
