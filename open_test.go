package statelink_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// failedOpen is a way in which Open must fail.
type failedOpen struct {
	name    string
	cfg     redismanager.RedisConfig
	options []statelink.Option
	timeout time.Duration
	want    error
}

// TestOpenFails is not parallel: it counts goroutines.
func TestOpenFails(t *testing.T) {
	dead := redistest.StartServer(t)
	dead.Kill() // its port stays reserved
	locked := redistest.StartServer(t, redistest.WithPassword("s3cret"))
	lockedToo, err := embedded.Start(embedded.WithPassword("s3cret"))
	require.NoError(t, err)
	defer lockedToo.Close()
	open := redistest.StartServer(t)
	silent := redistest.NewProxy(t, open.Addr())
	silent.Hang(true)
	settle := func() { silent.CutAll() } // the proxy's own goroutines end with its connections
	cluster := redistest.SharedCluster(t)

	for _, tc := range []failedOpen{
		{name: "closed port", cfg: redismanager.RedisConfig{Addr: dead.Addr()}, want: statelink.ErrUnavailable},
		{name: "no sentinel", cfg: redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: []string{dead.Addr()}, MasterName: "m"}, want: statelink.ErrUnavailable},
		{name: "no cluster node", cfg: redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: []string{dead.Addr()}}, want: statelink.ErrUnavailable},
		{name: "silence", cfg: redismanager.RedisConfig{Addr: silent.Addr()}, timeout: 200 * time.Millisecond, want: statelink.ErrTimeout},
		{name: "wrong password", cfg: redismanager.RedisConfig{Addr: locked.Addr(), Password: "canary"}, want: statelink.ErrAuth},
		{name: "no password", cfg: redismanager.RedisConfig{Addr: locked.Addr()}, want: statelink.ErrAuth},
		{name: "wrong password, embedded", cfg: redismanager.RedisConfig{Addr: lockedToo.Addr(), Password: "canary"}, want: statelink.ErrAuth},
		{name: "no password, embedded", cfg: redismanager.RedisConfig{Addr: lockedToo.Addr()}, want: statelink.ErrAuth},
		{name: "no address", cfg: redismanager.RedisConfig{Mode: redismanager.ModeCluster}, want: statelink.ErrInvalidArgument},
		{name: "bad setting", cfg: redismanager.RedisConfig{Addr: open.Addr(), PoolSize: -1}, want: statelink.ErrInvalidArgument},
		{name: "bad option", cfg: redismanager.RedisConfig{Addr: open.Addr()}, options: []statelink.Option{statelink.WithPodMaxAge(1)}, want: statelink.ErrInvalidArgument},
		{name: "cluster node as a server", cfg: redismanager.RedisConfig{Addr: cluster.Addrs()[0]}, want: statelink.ErrWrongTopology},
		{name: "server as a cluster", cfg: redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: []string{open.Addr()}}, want: statelink.ErrWrongTopology},
		{name: "canceled", cfg: redismanager.RedisConfig{Addr: open.Addr()}, timeout: -1, want: context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.check(t, settle) })
	}
}

func (tc failedOpen) check(t *testing.T, settle func()) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	if tc.timeout != 0 {
		ctx, cancel = context.WithTimeout(ctx, tc.timeout)
	}
	defer cancel()
	begin := time.Now()
	exec, err := statelink.Open(ctx, tc.cfg, tc.options...)
	require.ErrorIs(t, err, tc.want)
	require.Nil(t, exec)
	require.Less(t, time.Since(begin), 5*time.Second)
	require.NotContains(t, err.Error(), "canary", "a password is never shown")
	settle()
	requireGoroutinesGone(t, before)
}

// requireGoroutinesGone gives go-redis' background dial the second that it
// pauses before it sees that its pool is closed.
func requireGoroutinesGone(t *testing.T, before goleak.Option) {
	t.Helper()
	opts := append(redistest.GoleakOptions(), before)
	begin := time.Now()
	err := goleak.Find(opts...)
	for err != nil && time.Since(begin) < 5*time.Second {
		err = goleak.Find(opts...)
	}
	require.NoError(t, err)
}

// TestClose: Close ends everything, and may be called twice. Not parallel: it
// counts goroutines.
func TestClose(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			cfg, stop := b.config(t)
			defer func() { require.NoError(t, stop()) }()
			before := goleak.IgnoreCurrent()
			exec, err := statelink.Open(t.Context(), cfg)
			require.NoError(t, err)
			_, err = exec.GetLinkedPod(t.Context(), redistest.NewPrefix(t), "alice", "chat")
			require.NoError(t, err)
			require.NoError(t, exec.Close())
			require.NoError(t, exec.Close())
			for _, m := range methods {
				err := m.call(t.Context(), exec, validParams("default"))
				require.ErrorIs(t, err, statelink.ErrClosed, m.name)
				require.Equal(t, redismanager.ClassClosed, statelink.Classify(err), m.name)
			}
			requireGoroutinesGone(t, before)
		})
	}
}
