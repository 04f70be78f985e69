package redismanager_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// pace is the interval of the checks in these tests.
const pace = 100 * time.Millisecond

// checked opens a manager whose health is checked, and waits for a first result.
func checked(t *testing.T, cfg redismanager.RedisConfig, opts ...redismanager.Option) *redismanager.Manager {
	t.Helper()
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = time.Second
	}
	m := open(t, cfg, opts...)
	m.StartHealthCheck(pace)
	rounds(t, m, 1)
	return m
}

// reach waits until the status is as wanted, and gives how many checks ended
// until then. It fails after the given time.
func reach(t *testing.T, m *redismanager.Manager, limit time.Duration, wanted func(s redismanager.HealthStatus) bool) (checks int) {
	t.Helper()
	last := m.Health().CheckedAt
	var s redismanager.HealthStatus
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if s = m.Health(); s.CheckedAt != last {
			last = s.CheckedAt
			checks++
		}
		if wanted(s) {
			return checks
		}
		time.Sleep(time.Millisecond)
	}
	require.FailNow(t, "the health did not come to that", "after %d checks: %+v", checks, s)
	return 0
}

// rounds waits for the end of so many checks that begin from now on.
func rounds(t *testing.T, m *redismanager.Manager, n int) {
	t.Helper()
	last, seen := m.Health().CheckedAt, 0
	n++ // the one that runs may have begun before
	reach(t, m, time.Duration(n)*1500*time.Millisecond, func(s redismanager.HealthStatus) bool {
		if s.CheckedAt != last {
			last = s.CheckedAt
			seen++
		}
		return seen >= n
	})
}

func is(state redismanager.HealthState) func(redismanager.HealthStatus) bool {
	return func(s redismanager.HealthStatus) bool { return s.State == state }
}

// node gives what is known of a node.
func node(t *testing.T, m *redismanager.Manager, addr string) redismanager.NodeHealth {
	t.Helper()
	nodes := m.Health().Nodes
	i := slices.IndexFunc(nodes, func(n redismanager.NodeHealth) bool { return n.Addr == addr })
	require.GreaterOrEqual(t, i, 0, "%s is not among %+v", addr, nodes)
	return nodes[i]
}

// nodeIs waits for a node's state.
func nodeIs(addr string, state redismanager.HealthState) func(redismanager.HealthStatus) bool {
	return func(s redismanager.HealthStatus) bool {
		return slices.ContainsFunc(s.Nodes, func(n redismanager.NodeHealth) bool { return n.Addr == addr && n.State == state })
	}
}

// told gives the events of a kind, without their times.
func told(m *redismanager.Manager, kind redismanager.EventKind) []redismanager.Event {
	var list []redismanager.Event
	for _, e := range m.Events() {
		if e.Kind == kind {
			e.Time = time.Time{}
			list = append(list, e)
		}
	}
	return list
}

// All is well: every node is seen, and nothing is told.
func TestHealthOfAQuietDeployment(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		changes, cancel := m.HealthChanges()
		defer cancel()
		m.StartHealthCheck(pace)
		require.Equal(t, redismanager.Healthy, (<-changes).State)
		masters := map[redismanager.Mode]int{redismanager.ModeStandalone: 1, redismanager.ModeSentinel: 1, redismanager.ModeCluster: 3}
		nodes := map[redismanager.Mode]int{redismanager.ModeStandalone: 1, redismanager.ModeSentinel: 2, redismanager.ModeCluster: 6}
		reach(t, m, 15*time.Second, func(s redismanager.HealthStatus) bool { // a Cluster learns of its replicas by and by
			return len(s.Nodes) == nodes[m.Mode()]
		})
		drain(changes)
		before := m.Events()
		rounds(t, m, 5)
		require.Equal(t, before, m.Events())
		require.Empty(t, told(m, redismanager.EventHealthChanged))
		require.Empty(t, changes)
		s := m.Health()
		require.Equal(t, redismanager.Healthy, s.State, s.Reason)
		for _, n := range s.Nodes {
			require.Len(t, n.RunID, 40)
			require.Positive(t, n.Latency)
			if n.Role == "master" {
				masters[m.Mode()]--
				require.EqualValues(t, -1, n.LagBytes)
			} else {
				require.GreaterOrEqual(t, n.LagBytes, int64(0))
				require.Less(t, n.LagBytes, int64(1<<20))
			}
		}
		require.Zero(t, masters[m.Mode()])
		if m.Mode() == redismanager.ModeCluster {
			require.Equal(t, 16384, s.SlotsServed)
		}
	})
}

func drain(changes <-chan redismanager.HealthStatus) {
	select {
	case <-changes:
	default:
	}
}

// A server that dies is down after two checks, and healthy two checks after it
// is back.
func TestHealthOfAServerThatDies(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithConfig("appendonly", "yes"), redistest.WithConfig("appendfsync", "always"))
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr()})
	for range 2 {
		srv.Kill()
		require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Down)), 3)
		require.Contains(t, m.Health().Reason, srv.Addr())
		srv.Restart(t)
		require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Healthy)), 3)
	}
	events := told(m, redismanager.EventHealthChanged)
	require.Len(t, events, 8, "%+v", events)
	for i, e := range events {
		require.Equal(t, []string{"healthy", "down", "down", "healthy"}[i/2*2%4], e.From)
	}
	require.Empty(t, told(m, redismanager.EventRestartedEmpty), "the data is on the disk")
	require.Zero(t, m.Health().Losses)
}

// A server that hangs is down: the check does not wait for it longer than the
// bound.
func TestHealthOfAServerThatHangs(t *testing.T) {
	srv := redistest.StartServer(t)
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr()})
	srv.Pause()
	reach(t, m, 5*time.Second, is(redismanager.Down))
	require.Less(t, time.Duration(m.Health().Duration), 1500*time.Millisecond)
	srv.Resume()
	require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Healthy)), 4)
}

// Failures and successes in turn change nothing.
func TestHealthDoesNotFlap(t *testing.T) {
	srv := redistest.StartServer(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := checked(t, redismanager.RedisConfig{Addr: proxy.Addr()})
	dropped := 0
	for range 8 {
		proxy.DropReplies("evalsha", 2, redistest.FaultClose) // the first try and the second
		dropped += 2
		reach(t, m, 5*time.Second, func(redismanager.HealthStatus) bool { return proxy.Dropped() == dropped })
		rounds(t, m, 1) // the end of the one that failed, and a good one
		require.Equal(t, redismanager.Healthy, m.Health().State)
	}
	require.Empty(t, m.Events())
}

// A server that answers PING and reads, and refuses every write, does not serve.
func TestHealthOfAServerThatRefusesWrites(t *testing.T) {
	srv := redistest.StartServer(t)
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr()})
	admin := srv.Client(t)
	require.NoError(t, admin.ConfigSet(context.Background(), "min-replicas-to-write", "1").Err())
	require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Down)), 3)
	require.Contains(t, m.Health().Reason, "NOREPLICAS")
	require.NoError(t, admin.ConfigSet(context.Background(), "min-replicas-to-write", "0").Err())
	require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Healthy)), 3)
}

// A node that is slow is degraded, and serves.
func TestHealthOfASlowServer(t *testing.T) {
	proxy := redistest.NewProxy(t, redistest.SharedStandalone(t).Addr())
	m := checked(t, redismanager.RedisConfig{Addr: proxy.Addr()},
		redismanager.WithHealthPolicy(redismanager.HealthPolicy{Fall: 3, Rise: 1, Latency: 50 * time.Millisecond}))
	proxy.SetDelay(80 * time.Millisecond)
	require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Degraded)), 5)
	require.Contains(t, m.Health().Reason, "slower than in 50ms")
	proxy.SetDelay(0)
	require.LessOrEqual(t, reach(t, m, 5*time.Second, is(redismanager.Healthy)), 2)
}
