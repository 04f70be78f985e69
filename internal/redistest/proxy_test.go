package redistest

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

const incrScript = "return redis.call('INCR', KEYS[1])"

// through returns a client without retries that goes through the proxy.
func through(t *testing.T, s *Server, p *Proxy, readTimeout time.Duration) *redis.Client {
	t.Helper()
	opts := s.Options()
	opts.Addr = p.Addr()
	opts.ReadTimeout = readTimeout
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

func TestProxyDropsReplies(t *testing.T) {
	s := SharedStandalone(t)
	sha := s.Client(t).ScriptLoad(context.Background(), incrScript).Val()
	cases := map[string]struct {
		how  Fault
		lost func(error) bool
	}{
		"close":   {FaultClose, func(err error) bool { return errors.Is(err, io.EOF) }},
		"silence": {FaultSilence, isTimeout},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			p := NewProxy(t, s.Addr())
			client := through(t, s, p, 100*time.Millisecond)
			key := NewPrefix(t)
			p.DropReplies("EvalSha", 3, tc.how)
			for i := range 3 {
				require.NoError(t, client.Ping(ctx).Err(), "other commands pass")
				err := client.EvalSha(ctx, sha, []string{key}).Err()
				require.True(t, tc.lost(err), "%v", err)
				require.Equal(t, i+1, p.Dropped())
			}
			n, err := client.EvalSha(ctx, sha, []string{key}).Int()
			require.NoError(t, err)
			require.Equal(t, 4, n, "the server executed all four")
			require.Equal(t, 3, p.Dropped())
		})
	}
}

func TestProxyCutAll(t *testing.T) {
	ctx := context.Background()
	s := SharedStandalone(t)
	p := NewProxy(t, s.Addr())
	conn, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("PING\r\n"))
	require.NoError(t, err)
	reply := make([]byte, 7)
	_, err = io.ReadFull(conn, reply)
	require.NoError(t, err)
	require.Equal(t, "+PONG\r\n", string(reply))

	p.CutAll()
	_, err = conn.Read(reply)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, through(t, s, p, time.Second).Ping(ctx).Err(), "new connections pass")
}

func TestProxyRefuse(t *testing.T) {
	ctx := context.Background()
	s := SharedStandalone(t)
	p := NewProxy(t, s.Addr())
	p.Refuse(true)
	p.Refuse(true) // again is fine
	err := through(t, s, p, time.Second).Ping(ctx).Err()
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	p.Refuse(false)
	p.Refuse(false)
	require.NoError(t, through(t, s, p, time.Second).Ping(ctx).Err())
}

func TestProxyHang(t *testing.T) {
	ctx := context.Background()
	s := SharedStandalone(t)
	p := NewProxy(t, s.Addr())
	old := through(t, s, p, 50*time.Millisecond)
	key := NewPrefix(t)
	require.NoError(t, old.Ping(ctx).Err())

	p.Hang(true)
	require.True(t, isTimeout(old.Incr(ctx, key).Err()), "a connection that was open")
	require.True(t, isTimeout(through(t, s, p, 50*time.Millisecond).Incr(ctx, key).Err()), "a new one")
	require.EqualValues(t, 0, s.Client(t).Exists(ctx, key).Val(), "nothing reached the server")
	p.Hang(false)
	require.NoError(t, through(t, s, p, time.Second).Ping(ctx).Err())
}

// A proxy that still hangs when the test ends must not hold up the cleanup.
func TestProxyClosesWhileHanging(t *testing.T) {
	s := SharedStandalone(t)
	t.Run("hang", func(t *testing.T) {
		p := NewProxy(t, s.Addr())
		p.Hang(true)
		require.True(t, isTimeout(through(t, s, p, 50*time.Millisecond).Ping(context.Background()).Err()))
	})
}

func TestProxyDelay(t *testing.T) {
	ctx := context.Background()
	s := SharedStandalone(t)
	p := NewProxy(t, s.Addr())
	client := through(t, s, p, 5*time.Second)
	require.NoError(t, client.Ping(ctx).Err())
	p.SetDelay(60 * time.Millisecond)
	begin := time.Now()
	require.NoError(t, client.Ping(ctx).Err())
	require.GreaterOrEqual(t, time.Since(begin), 60*time.Millisecond)
}

// The delay is on the way to the server: a request of a client that gave up is
// executed all the same, as on a slow network.
func TestProxyDelayedRequestIsExecuted(t *testing.T) {
	ctx := context.Background()
	s := SharedStandalone(t)
	p := NewProxy(t, s.Addr())
	client := through(t, s, p, 30*time.Millisecond)
	key := NewPrefix(t)
	require.NoError(t, client.Ping(ctx).Err())
	p.SetDelay(100 * time.Millisecond)
	require.True(t, isTimeout(client.Incr(ctx, key).Err()))
	direct := s.Client(t)
	require.Eventually(t, func() bool { return direct.Get(ctx, key).Val() == "1" },
		5*time.Second, 5*time.Millisecond)
}

func TestProxyTargetDown(t *testing.T) {
	s := StartServer(t)
	p := NewProxy(t, s.Addr())
	s.Kill()
	require.Error(t, through(t, s, p, time.Second).Ping(context.Background()).Err())
}
