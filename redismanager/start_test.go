package redismanager_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// A shard that is down does not keep a program from serving the others.
func TestStartWithADeadShard(t *testing.T) {
	cluster := redistest.StartCluster(t,
		redistest.WithConfig("cluster-require-full-coverage", "no"), redistest.WithConfig("cluster-replica-no-failover", "yes"))
	victim := cluster.Masters()[0]
	served, lost := "", ""
	for i := 0; served == "" || lost == ""; i++ {
		key := "k" + strconv.Itoa(i)
		if cluster.NodeForKey(t, key).Addr() == victim.Addr() {
			lost = key
		} else {
			served = key
		}
	}
	victim.Kill()
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs(), DialTimeout: time.Second}, redismanager.WithScripts(counting))
	ctx := within(t, 10*time.Second)
	_, err := m.ExecuteScript(ctx, "counting", []string{served}, nil)
	require.NoError(t, err)
	_, err = m.ExecuteScript(ctx, "counting", []string{lost}, nil)
	require.Equal(t, redismanager.ClassUnavailable, redismanager.Classify(err), "%v", err)
	require.ErrorContains(t, m.HealthCheck(ctx), victim.Addr())
}

// A server that refuses writes for now is read from, and is not healthy.
func TestStartWithoutEnoughReplicas(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithConfig("min-replicas-to-write", "1"))
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(counting, reading))
	ctx := within(t, 5*time.Second)
	_, err := m.ExecuteScript(ctx, "reading", []string{"k"}, nil)
	require.NoError(t, err)
	_, err = m.ExecuteScript(ctx, "counting", []string{"k"}, nil)
	require.Equal(t, redismanager.ClassUnavailable, redismanager.Classify(err), "%v", err)
	require.ErrorIs(t, m.HealthCheck(ctx), redismanager.ErrUnavailable)
}

// The caller's deadline is the caller's also while the Cluster is looked at.
func TestClusterStateWithinTheDeadline(t *testing.T) {
	m := open(t, topologies[2].config(t))
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	err := m.HealthCheck(ctx)
	require.Equal(t, redismanager.ClassTimeout, redismanager.Classify(err), "%v", err)
}

// Whenever the context ends, New says that, and nothing that cannot be true of
// a start.
func TestNewWithADeadlineAnywhere(t *testing.T) {
	proxy := redistest.NewProxy(t, redistest.SharedStandalone(t).Addr())
	proxy.SetDelay(2 * time.Millisecond)
	seen := map[redismanager.Class]int{}
	for i := range 150 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%30)*500*time.Microsecond)
		m, err := redismanager.New(ctx, redismanager.RedisConfig{Addr: proxy.Addr()}, redismanager.WithLogger(quiet), redismanager.WithScripts(counting))
		cancel()
		class := redismanager.Classify(err)
		seen[class]++
		require.Contains(t, []redismanager.Class{redismanager.ClassOK, redismanager.ClassTimeout}, class, "%v", err)
		if err == nil {
			require.NoError(t, m.Close())
		}
	}
	t.Log(seen)
	require.Greater(t, seen[redismanager.ClassTimeout], 10)
}

// A server that hangs is no full pool, also while idle connections are opened.
func TestHangIsNoFullPool(t *testing.T) {
	certs := redistest.NewCerts(t)
	srv := redistest.StartServer(t, redistest.WithTLS(certs))
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, redismanager.RedisConfig{Addr: proxy.Addr(), TLS: redismanager.TLSConfig{
		Enabled: true, CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile,
	}})
	proxy.Hang(true)
	for range 4 {
		ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
		_, err := m.Read(ctx, "get", "k")
		cancel()
		require.Equal(t, redismanager.ClassTimeout, redismanager.Classify(err), "%v", err)
	}
}
