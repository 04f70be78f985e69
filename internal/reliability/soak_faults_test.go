//go:build soak

package reliability

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// next draws one fault.
func (s *soak) next() (name string, fault func()) {
	faults := []struct {
		name string
		do   func()
	}{
		{"server killed and restarted", s.killServer},
		{"server stopped", func() { s.stop(s.srv, s.between(300*time.Millisecond, 2*time.Second)) }},
		{"connections cut", s.cut},
		{"scripts flushed", s.flush},
		{"master killed", s.killMaster},
		{"master stopped for a moment", func() { s.stop(s.anyMaster(), s.between(300*time.Millisecond, time.Second)) }},
		{"master stopped until it is replaced", s.stopMaster},
		{"slots moved", s.reshard},
		{"planned failover", s.failover},
	}
	one := faults[s.random.IntN(len(faults))]
	return one.name, one.do
}

func (s *soak) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.random.Int64N(int64(most-least)))
}

func (s *soak) anyMaster() *redistest.Server {
	masters := s.cluster.Masters()
	return masters[s.random.IntN(len(masters))]
}

func (s *soak) stop(srv *redistest.Server, d time.Duration) {
	srv.Pause()
	time.Sleep(d)
	srv.Resume()
}

func (s *soak) killServer() {
	s.srv.Kill()
	time.Sleep(s.between(0, time.Second))
	s.srv.Restart(s.t)
}

// killMaster restarts the master only when its replica has taken over: before,
// it would come back empty, and empty its replica.
func (s *soak) killMaster() {
	victim := s.anyMaster()
	victim.Kill()
	s.awaitTakeover(victim)
	victim.Restart(s.t)
	s.cluster.WaitReady(s.t)
}

func (s *soak) stopMaster() {
	victim := s.anyMaster()
	victim.Pause()
	s.awaitTakeover(victim)
	victim.Resume()
	s.cluster.WaitReady(s.t)
}

// awaitTakeover waits until three nodes that answer are masters of slots. The
// victim does not answer.
func (s *soak) awaitTakeover(victim *redistest.Server) {
	require.Eventually(s.t, func() bool {
		masters := s.cluster.Masters()
		for _, m := range masters {
			if m == victim {
				return false
			}
		}
		return len(masters) == 3
	}, 30*time.Second, 50*time.Millisecond, "nobody took over")
}

// servers are all that serve data.
func (s *soak) servers() []*redistest.Server { return append(s.cluster.Masters(), s.srv) }

func (s *soak) cut() {
	s.onAll(func(c *redis.Client) error {
		return c.ClientKillByFilter(context.Background(), "TYPE", "normal").Err()
	})
}

func (s *soak) flush() {
	s.onAll(func(c *redis.Client) error { return c.ScriptFlush(context.Background()).Err() })
}

func (s *soak) onAll(do func(c *redis.Client) error) {
	for _, srv := range s.servers() {
		client := redis.NewClient(srv.Options())
		err := do(client)
		_ = client.Close()
		require.NoError(s.t, err)
	}
}

// reshard moves the slots of three users to masters that do not have them.
func (s *soak) reshard() {
	for range 3 {
		slot := redistest.Slot(keys.User(s.ns, s.uids[s.random.IntN(len(s.uids))]))
		owner, to := s.cluster.SlotOwner(slot), s.anyMaster()
		if owner != to {
			require.NoError(s.t, moveSlot(s.cluster, slot, to, s.random.IntN(2) == 0))
		}
	}
	s.cluster.WaitReady(s.t)
}

func (s *soak) failover() {
	replicas := s.cluster.Replicas()
	replica := replicas[s.random.IntN(len(replicas))]
	client := redis.NewClient(replica.Options())
	err := client.ClusterFailover(context.Background()).Err()
	_ = client.Close()
	require.NoError(s.t, err)
	time.Sleep(time.Second)
	s.cluster.WaitReady(s.t)
}
