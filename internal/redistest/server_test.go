package redistest

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestServer(t *testing.T) {
	ctx := context.Background()
	var pid int
	var dir string
	t.Run("works", func(t *testing.T) {
		s := StartServer(t)
		pid, dir = s.PID(), s.at.dir
		requireRunning(t, s)
		require.NoError(t, s.Client(t).Set(ctx, "k", "v", 0).Err())
		require.Equal(t, "master", s.Info(t, "replication", "role"))
		require.Equal(t, "127.0.0.1", s.Client(t).ConfigGet(ctx, "bind").Val()["bind"])
		require.Contains(t, s.LogTail(), "Ready to accept connections")
	})
	requireGone(t, pid)
	require.NoDirExists(t, dir)
}

func TestServerConfigWins(t *testing.T) {
	s := StartServer(t, WithConfig("maxclients", "77"), WithConfig("save", "3600 1"))
	got := s.Client(t).ConfigGet(context.Background(), "*").Val()
	require.Equal(t, "77", got["maxclients"])
	require.Equal(t, "3600 1", got["save"])
	require.Equal(t, "no", got["appendonly"])
	require.Equal(t, "0", got["repl-diskless-sync-delay"])
}

func TestServerBadConfigSaysWhy(t *testing.T) {
	_, err := startServer(newConfig([]Option{WithConfig("no-such-directive", "1")}))
	require.ErrorContains(t, err, "ended at once")
	require.ErrorContains(t, err, "Bad directive")
}

func TestServerNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := startServer(config{})
	require.EqualError(t, err, "redis-server not found: apt-get install redis-server redis-tools")
}

func TestServerRestartKeepsAddress(t *testing.T) {
	ctx := context.Background()
	s := StartServer(t, WithConfig("appendonly", "yes"))
	addr, pid := s.Addr(), s.PID()
	require.NoError(t, s.Client(t).Set(ctx, "k", "v", 0).Err())

	s.Kill()
	requireGone(t, pid)
	require.Error(t, s.Client(t).Ping(ctx).Err())
	s.Restart(t)
	require.Equal(t, addr, s.Addr())
	require.NotEqual(t, pid, s.PID())
	require.Equal(t, "v", s.Client(t).Get(ctx, "k").Val())

	s.Stop()
	requireGone(t, s.PID())
	require.Contains(t, s.LogTail(), "Redis is now ready to exit, bye bye...")
	s.Kill() // both do nothing on a server that is down
	s.Stop()
}

// A server that finds its port taken must not be confused with the one there.
func TestServerPortTaken(t *testing.T) {
	first := StartServer(t)
	second := &Server{at: first.at}
	var err error
	second.at.dir, err = os.MkdirTemp("", "redistest-")
	require.NoError(t, err)
	defer os.RemoveAll(second.at.dir)
	require.NoError(t, os.WriteFile(second.at.dir+"/"+confName, []byte(second.cfg.render(second.at)), 0o600))
	require.ErrorIs(t, second.run(), errPortTaken)
}

func TestServerPause(t *testing.T) {
	s := StartServer(t)
	client := s.Client(t)
	require.NoError(t, client.Ping(context.Background()).Err())

	s.Pause()
	opts := s.Options()
	opts.ReadTimeout = 50 * time.Millisecond
	impatient := redis.NewClient(opts)
	defer impatient.Close()
	err := impatient.Ping(context.Background()).Err()
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())

	s.Resume()
	require.NoError(t, client.Ping(context.Background()).Err())
	s.Pause()
	s.Stop() // also ends a paused server
	requireGone(t, s.PID())
}

func TestServerPassword(t *testing.T) {
	ctx := context.Background()
	s := StartServer(t, WithPassword("s3cret"))
	require.NoError(t, s.Client(t).Ping(ctx).Err())
	opts := s.Options()
	opts.Password = ""
	stranger := redis.NewClient(opts)
	defer stranger.Close()
	require.ErrorContains(t, stranger.Ping(ctx).Err(), "NOAUTH")

	replica := StartServer(t, WithReplicaOf(s))
	require.Equal(t, "up", replica.Info(t, "replication", "master_link_status"))
}

func TestServerACL(t *testing.T) {
	ctx := context.Background()
	s := StartServer(t, WithACL("default off", "app on >pw ~app:* +@all"))
	require.NoError(t, s.Client(t).Set(ctx, "other", "1", 0).Err())
	opts := s.Options()
	opts.Username, opts.Password = "app", "pw"
	app := redis.NewClient(opts)
	defer app.Close()
	require.NoError(t, app.Set(ctx, "app:k", "1", 0).Err())
	require.ErrorContains(t, app.Set(ctx, "other", "1", 0).Err(), "NOPERM")

	replica := StartServer(t, WithReplicaOf(s))
	require.Equal(t, "up", replica.Info(t, "replication", "master_link_status"))
}

func TestServerReplica(t *testing.T) {
	ctx := context.Background()
	master := StartServer(t)
	replica := StartServer(t, WithReplicaOf(master))
	client := master.Client(t)
	require.NoError(t, client.Set(ctx, "k", "v", 0).Err())
	require.EqualValues(t, 1, client.Wait(ctx, 1, time.Second).Val())
	require.Equal(t, "v", replica.Client(t).Get(ctx, "k").Val())
}
