package embedded

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, opts ...Option) *Server {
	t.Helper()
	s, err := Start(opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func connect(t *testing.T, s *Server, password string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: s.Addr(), Password: password, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestScript(t *testing.T) {
	ctx := context.Background()
	client := connect(t, start(t), "")
	sha, err := client.ScriptLoad(ctx, "return {redis.call('INCR', KEYS[1]), ARGV[1]}").Result()
	require.NoError(t, err)
	got, err := client.EvalSha(ctx, sha, []string{"k"}, "x").Result()
	require.NoError(t, err)
	require.Equal(t, []any{int64(1), "x"}, got)

	err = client.EvalSha(ctx, "0000000000000000000000000000000000000000", nil).Err()
	require.True(t, redis.HasErrorPrefix(err, "NOSCRIPT"), "%v", err)
}

func TestKeysExpireByTheClock(t *testing.T) {
	ctx := context.Background()
	client := connect(t, start(t), "")
	begin := time.Now()
	require.NoError(t, client.Set(ctx, "gone", "1", time.Second).Err())
	require.NoError(t, client.Set(ctx, "stays", "1", time.Hour).Err())
	require.EqualValues(t, 1, client.Exists(ctx, "gone").Val())

	require.Eventually(t, func() bool { return client.Exists(ctx, "gone").Val() == 0 },
		5*time.Second, 10*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begin), 990*time.Millisecond)
	require.EqualValues(t, 1, client.Exists(ctx, "stays").Val())
}

func TestPassword(t *testing.T) {
	ctx := context.Background()
	s := start(t, WithPassword("s3cret"))
	require.NoError(t, connect(t, s, "s3cret").Ping(ctx).Err())
	require.ErrorContains(t, connect(t, s, "").Ping(ctx).Err(), "NOAUTH")
}

func TestClose(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	client := connect(t, s, "")
	require.NoError(t, client.Ping(ctx).Err())
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := net.Dial("tcp", s.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestServersAreSeparate(t *testing.T) {
	ctx := context.Background()
	a, b := connect(t, start(t), ""), connect(t, start(t), "")
	require.NoError(t, a.Set(ctx, "k", "v", 0).Err())
	require.ErrorIs(t, b.Get(ctx, "k").Err(), redis.Nil)
}

// With many keys the clock moves in steps: the commands stay fast, and keys
// expire all the same.
func TestManyKeys(t *testing.T) {
	ctx := context.Background()
	client := connect(t, start(t), "")
	pipe := client.Pipeline()
	for i := range 12 * exactKeys {
		pipe.Set(ctx, "k"+strconv.Itoa(i), "v", time.Hour)
	}
	_, err := pipe.Exec(ctx)
	require.NoError(t, err)
	begin := time.Now()
	require.NoError(t, client.Set(ctx, "gone", "1", time.Second).Err())
	require.Eventually(t, func() bool { return client.Exists(ctx, "gone").Val() == 0 },
		10*time.Second, 10*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begin), time.Second/2)
	require.EqualValues(t, 12*exactKeys, client.DBSize(ctx).Val())
}
